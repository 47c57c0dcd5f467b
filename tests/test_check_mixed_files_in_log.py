"""TL602 by a log: a package takes a name from a file of its own that does not have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import bad, run
from support.site_folder import install, write

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "/home/u/env/lib/python3.11/site-packages"
ERRORS = [
    ("ImportError: cannot import name 'eval_env' from 'torchaudio._internal.module_utils' ({})", "eval_env"),
    ("AttributeError: module 'torchaudio._internal.module_utils' has no attribute 'requires_sox'", "requires_sox"),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    install(folder, "torch", "2.1.0", {"torch/__init__.py": "", "torch/version.py": "__version__ = '2.1.0+cpu'\n"})
    files: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "from torchaudio import _extension\n",
        "torchaudio/version.py": "__version__ = '2.1.0+cpu'\n",
        "torchaudio/_extension/__init__.py": "from torchaudio._internal.module_utils import eval_env\n",
        "torchaudio/_internal/__init__.py": "",
        "torchaudio/_internal/module_utils.py": "def is_module_available(): ...\n",
    }
    install(folder, "torchaudio", "2.1.0", files)
    return folder


def traceback(error: str, asker: str = "torchaudio/_extension/__init__.py") -> str:
    module = f"{PLACE}/torchaudio/_internal/module_utils.py"
    return (
        'Traceback (most recent call last):\n  File "/app/train.py", line 4, in <module>\n    import torchaudio\n'
        f'  File "{PLACE}/{asker}", line 5, in <module>\n    from torchaudio._internal.module_utils import x\n'
        f"{error.format(module)}\n"
    )


def report_of(site: Path, capsys: pytest.CaptureFixture[str], log: str) -> dict[str, object]:
    path = write(site.parent / "log.txt", log)
    return run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", path)


@pytest.mark.parametrize(("error", "name"), ERRORS)
def test_files_that_do_not_fit(error: str, name: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(site, capsys, traceback(error))
    assert ("error", "TL602") in bad(report)
    assert report["summary"] == (
        "files of two releases of torchaudio are mixed: torchaudio/_extension/__init__.py needs "
        f"{name} of torchaudio._internal.module_utils, which lacks it"
    )
    assert "--force-reinstall" in str(report["command"]) and "torchaudio==2.1.0" in str(report["command"])


@pytest.mark.parametrize(("error", "name"), ERRORS)
def test_without_the_package_only_the_log_shows_it(
    error: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/mpc001/auto_avsr/issues/24"""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    report = report_of(folder, capsys, traceback(error))
    assert bad(report) == [("warning", "TL602")]
    assert report["command"] is None and "new in" not in str(report["summary"])


def test_files_that_have_the_name_were_others_when_the_process_started(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "torchaudio/_internal/module_utils.py", "def eval_env(): ...\n")
    write(site.parent / "log.txt", traceback(ERRORS[0][0]))
    run_in = ["check", "--path", str(site), "--platform", "linux-x86_64", "--log", str(site.parent / "log.txt")]
    from torchlock.cli.main import main

    main(run_in)
    assert "must be restarted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "asker"),
    [
        (ERRORS[0][0], "speechbrain/io.py"),
        ("ModuleNotFoundError: No module named 'torchaudio.lib'", "torchaudio/_extension/__init__.py"),
        (
            "ImportError: cannot import name 'load' from partially initialized module 'torchaudio' ({})",
            "torchaudio/_extension/__init__.py",
        ),
    ],
)
def test_other_lacks_are_no_mix(error: str, asker: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "are mixed" not in str(report_of(site, capsys, traceback(error, asker))["summary"])
