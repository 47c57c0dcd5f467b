"""Logs with a path that many machines have; logs that end with another failure than the one that was handled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import bad, run
from support.check import site as site
from support.site_folder import write
from torchlock.check import log_same_files
from torchlock.check.log import read_log
from torchlock.check.log_place import site_of
from torchlock.check.log_releases import releases_in
from torchlock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

CODE = "import os\nload('a')\n"
LACK = "2026-01-05 10:00:01 WARNING app: module 'torchaudio' has no attribute 'list_audio_backends'; skipped\n"


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with a path that many machines have."""
    folder = tmp_path / "lib" / "python3.11" / "site-packages"
    write(folder / "torchaudio" / "__init__.py", CODE)
    monkeypatch.setattr(log_same_files, "is_shared", lambda _: True)
    monkeypatch.setattr("torchlock.check.log_place.is_shared", lambda _: True)
    return folder


@pytest.mark.parametrize(
    ("frame", "is_here"),
    [
        ("torchaudio/__init__.py\", line 2, in <module>\n    load('a')\n", True),
        ('torchaudio/__init__.py", line 2, in <module>\n', True),
        ("torchaudio/__init__.py\", line 2, in <module>\n    load('b')\n", False),
        ("torchaudio/__init__.py\", line 90, in <module>\n    load('a')\n", False),
        ("torchaudio/other.py\", line 2, in <module>\n    load('a')\n", False),
        ("torchaudio/lib\n", False),
    ],
)
def test_the_files_of_a_shared_path_are_those_of_the_log(shared: Path, frame: str, is_here: bool) -> None:
    log = read_log(f'Traceback (most recent call last):\n  File "{shared}/{frame}OSError: x\n')
    assert site_of(log) == (str(shared) if is_here else "")


def test_which_paths_are_shared() -> None:
    shared = ("/usr/lib/python3/dist-packages", "/usr/local/lib/python3.11/site-packages", "/opt/conda/lib/a")
    assert all(map(log_same_files.is_shared, shared))
    assert not any(map(log_same_files.is_shared, ("/home/u/env/lib", "/srv/usr/lib", "C:/Python311/Lib")))


@pytest.mark.parametrize(
    ("after", "is_handled"),
    [
        ("2026-01-05 10:00:02 INFO app: started\n", True),
        ("2026-01-05 10:00:02 ERROR app: lost the peer\n2026-01-05 10:00:03 INFO app: connected again\n", True),
        ("2026-01-05 10:00:02 ERROR app: the model file is damaged\n", False),
        ("Traceback (most recent call last):\n  File \"/app/a.py\", line 3\nKeyError: 'x'\n", False),
        ("INFO ready\nweb exited with code 3\n", False),
    ],
)
def test_a_log_that_ends_with_another_failure_is_not_handled(after: str, is_handled: bool) -> None:
    log = read_log(LACK + after)
    assert (log.first is None, log.handled, log.is_handled) == (True, 1, is_handled)


def test_the_last_failure_is_not_called_handled(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(site.parent / "log", f"{LACK}2026-01-05 10:00:02 ERROR app: the model file is damaged\n")
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log, code=0)
    assert bad(report) == []
    assert report["summary"].startswith("this check does not explain the log")


def test_releases_of_pip_show_and_with_the_label_of_a_vendor() -> None:
    text = (
        "Name: torch\nVersion: 2.4.0+cu121\n\npytorch version: 2.4.0\nName: torchvision\nVersion: 0.20.1+cu124\n"
    )
    assert releases_in(read_log(text)) == {"torch": ("2.4.0", "cu121"), "torchvision": ("0.20.1", "cu124")}
    vendor = read_log("pytorch version: 2.9.1+rocm7.2.0.git7e1940d4\n")
    assert releases_in(vendor) == {"torch": ("2.9.1", "rocm7.2.0.git7e1940d4")}


def alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> str:
    """The report on a log without its environment."""
    empty = tmp_path / "none" / "lib" / "python3.11" / "site-packages"
    empty.mkdir(parents=True)
    main(["check", "--path", str(empty), "--log", str(write(tmp_path / "log", text))])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Because no versions of torchaudio match >2.0.1+cu118,<3.0.0\n and torchaudio (2.0.1+cu118) depends "
            "on torch (2.0.0), torchaudio (>=2.0.1+cu118,<3.0.0) requires torch (2.0.0).\nSo, because app depends "
            "on both torch (^2.0.0+cu118) and torchaudio (^2.0.1+cu118), version solving failed.\n",
            ("torch (^2.0.0+cu118) and torchaudio (^2.0.1+cu118)", "without the label"),
        ),
        (
            "So, because app depends on both torch (2.1.0) and other (^3), version solving failed.\n",
            ("torch (2.1.0) and other (^3) of this project exclude each other", "Loosen one of these two"),
        ),
        (
            "ImportError: cannot import name 'isin_mps_friendly' from 'transformers.pytorch_utils' "
            "(/e/lib/python3.11/site-packages/transformers/pytorch_utils.py)\n",
            ("which transformers 4.45 added and 5.1 removed",),
        ),
        ("'torchaudio' has no attribute 'list_audio_backends'\n", ("which torchaudio 0.6 added and 2.9 removed",)),
        (
            "/e/torchaudio/kaldi.py:22: UserWarning: Failed to initialize NumPy: module compiled against API "
            "version 0xf but this version of numpy is 0xe (Triggered internally at tensor_numpy.cpp:77.)\n",
            ("compiled for a later NumPy",),
        ),
        (
            "error: found distribution torchaudio==2.0.0 @ registry+https://download.pytorch.org/whl/cu121 with "
            "neither wheels nor source distribution\n",
            ("torchaudio==2.0.0",),
        ),
        (
            "gcc: error trying to exec 'cc1plus': execvp: No such file or directory\n"
            "error: command 'gcc' failed with exit status 1\nERROR: Failed building wheel for fairseq\n",
            ("needs a C++ compiler",),
        ),
    ],
)
def test_what_a_log_shows_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: tuple[str, ...]
) -> None:
    out = " ".join(alone(tmp_path, capsys, text).split())
    assert [each for each in said if each not in out] == []


def test_the_warning_about_numpy_is_not_the_failure_that_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warning = "a.py:22: UserWarning: Failed to initialize NumPy: module compiled against API version 0xf but 0xe\n"
    assert "later NumPy" not in alone(tmp_path, capsys, f"{warning}KeyError: 'x'\n")


def test_a_vendors_torch_gets_no_command_for_the_public_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = "RuntimeError: operator torchvision::nms does not exist\n"
    assert "pip install" not in alone(tmp_path, capsys, f"pytorch version: 2.9.1+rocm7.2.0.git7e19\n{failure}")
