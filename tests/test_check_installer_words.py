"""What a report says of an installation that failed: no more than the installer's own lines show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.check import run
from support.site_folder import install, write
from torchlock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

OF_PROJECT = """\
$ uv run app
  × No solution found when resolving dependencies:
  ╰─▶ Because torchaudio==2.2.0+cu121 depends on torch==2.2.0 and your project depends on torch==2.1.2+cu121, we
      can conclude that your project and torchaudio==2.2.0+cu121 are incompatible.
"""
OF_TWO = """\
ERROR: Cannot install app and app-core because these package versions have conflicting dependencies.

The conflict is caused by:
    app-core 1.4.1 depends on torch=={first}; sys_platform == "linux"
    speech 4.0.3 depends on torch{second}
"""
LONG = """\
Collecting speech (from -r requirements.txt (line 23))
ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: '{path}'
HINT: This error might have occurred since this system does not have Windows Long Path support enabled.
"""
OF_CONDA = """\
$ conda env create -f environment.yaml
Solving environment: failed

PackagesNotFoundError: The following packages are not available from current channels:

  - torchaudio=0.13.1*

Current channels:

  - https://conda.anaconda.org/{channel}/linux-aarch64
"""
OF_GLIBC = """\
error: Distribution `torch==2.7.0 @ registry+https://index.example.org/simple` can't be installed because it \
doesn't have a source distribution or wheel for the current platform

hint: You're on Linux (`manylinux_2_{own}_x86_64`), but `torch` (v2.7.0) only has wheels for the following \
platforms: `manylinux_2_28_aarch64`, `manylinux_2_28_x86_64`, `win_amd64`
"""
BUILD = """\
  × Failed to build `flash-attn==2.8.2`
  ╰─▶ Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)
      ModuleNotFoundError: No module named 'torch'
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An environment with pip alone."""
    folder = tmp_path / "venv" / "lib" / "python3.10" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    return folder


def told(
    site: Path, capsys: pytest.CaptureFixture[str], log: str, platform: str = "linux-x86_64"
) -> dict[str, Any]:
    """The first finding about a log."""
    report = run(capsys, "--path", site, "--platform", platform, "--log", write(site.parent / "log", log))
    found: dict[str, Any] = next(each for each in report["files"][0]["findings"] if each["severity"] != "note")
    return found


def test_a_pin_of_the_project(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/astral-sh/uv/issues/10825"""
    first = told(site, capsys, OF_PROJECT)
    assert first["message"].startswith("torchaudio 2.2.0 and torch 2.1.2 exclude each other")
    assert first["remedy"]["commands"][0]["line"].endswith("torch==2.1.2+cu121 torchaudio==2.1.2+cu121")


@pytest.mark.parametrize(
    ("first", "second", "end"),
    [
        ("2.9.1+cu128", "==2.8.0", ": no release meets both"),
        ("2.8.0", "<2.8", ": no release meets both"),
        ("2.8.0", ">=2.0", ": the installer found none for all"),
        ("2.8.0", "==2.8.0+cu128", ": the installer found none for all"),
    ],
)
def test_requirements_of_other_packages(
    first: str, second: str, end: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/aTrainTranscription/aTrain/issues/125: the two that were asked for can be installed."""
    message = told(site, capsys, OF_TWO.format(first=first, second=second))["message"]
    assert message == f"app-core 1.4.1 needs torch=={first} and speech 4.0.3 needs torch{second}{end}"


def test_a_conflict_without_its_reason(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = (
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because demo==1 depends on demo-core, we can\n"
    )
    assert told(site, capsys, log)["message"] == "the requirements of this installation exclude each other"


@pytest.mark.parametrize(
    ("path", "command"),
    [
        (r"C:\\Users\\u\\AppData\\Local\\Temp\\pip-install-6l0da6v6\\speech_b4\\a.cpp", "$env:TEMP"),
        (r"C:\\Users\\u\\app\\venv\\Lib\\site-packages\\speech\\a.h", "LongPathsEnabled"),
    ],
    ids=["unpacked", "installed"],
)
def test_where_the_long_path_is(path: str, command: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/heiheishuang/MuDG/issues/4: a short environment leaves pip's temporary folder long."""
    first = told(site, capsys, LONG.format(path=path), "windows-amd64")
    assert command in first["remedy"]["commands"][0]["line"]
    assert ("short folder such as C:\\venv" in first["remedy"]["summary"]) is (command == "LongPathsEnabled")
    assert "torch has" not in first["because"]


@pytest.mark.parametrize("channel", ["conda-forge", "pytorch"])
def test_the_channels_that_were_asked(channel: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/guoyww/AnimateDiff/issues/358"""
    summary = told(site, capsys, OF_CONDA.format(channel=channel))["remedy"]["summary"]
    assert summary.startswith("Install them from conda-forge") is (channel != "conda-forge")


def test_a_system_that_the_installer_takes_for_an_older_one(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/astral-sh/uv/issues/14268"""
    first = told(site, capsys, OF_GLIBC.format(own=27))
    assert (
        "wheels for glibc 2.28 and newer only, and uv takes this machine for one with glibc 2.27"
        in first["message"]
    )
    assert "--refresh" in first["remedy"]["summary"]
    assert "glibc" not in told(site, capsys, OF_GLIBC.format(own=39))["message"]


def test_a_build_without_an_installed_torch(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/GeeeekExplorer/nano-vllm/issues/96: no torch is installed, so none is hidden."""
    assert told(site, capsys, BUILD)["message"].endswith(
        "its build imports torch, which an isolated build does not have"
    )


def test_a_platform_that_only_the_user_names(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "ERROR: Could not find a version that satisfies the requirement torch==1.10.0+cu113 "
    line = told(site, capsys, f"Python 3.10.4\n{log}(from versions: none)\n", "windows-amd64")["remedy"][
        "commands"
    ][0]["line"]
    assert line.startswith("py -3.9 -m venv")


def test_a_release_that_is_listed_without_its_label(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "Collecting demo==1.13.1+cu116\nERROR: Could not find a version that satisfies the requirement "
    summary = told(site, capsys, f"{log}demo==1.13.1+cu116 (from versions: 1.13.1, 2.0.1)\n")["remedy"]["summary"]
    assert summary == "Ask for a release that it lists: 1.13.1 is one, in another build."


def test_the_first_line_about_the_memory_of_a_gpu(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(
        site.parent / "log", "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 26.00 MiB\n"
    )
    main(["check", "--path", str(site), "--platform", "linux-x86_64", "--log", str(log)])
    start = capsys.readouterr().out.partition("\n")[0]
    assert "memory of the GPU ran out" in start
    assert "does not explain" not in start
