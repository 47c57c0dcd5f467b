"""The folder of a user without that of the Python, and a log whose torch and torchaudio are in two folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import first, run, stage_audio, stage_torch
from support.site_folder import write

USER = "home/u/.local/lib/python3.8/site-packages"
DIST = "usr/local/lib/python3.8/dist-packages"
SYMBOL = f"OSError: /{USER}/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZN5torchE"


def staged(tmp_path: Path, place: str, name: str) -> Path:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (stage_torch if name == "torch" else stage_audio)(folder)
    return folder


def rules(report: Any) -> set[str]:
    """The rules of the errors and warnings."""
    return {each["rule"] for each in report["files"][0]["findings"] if each["severity"] != "note"}


def traceback(line: str, last: str = "_ops.py") -> str:
    return (
        f'  File "/{USER}/torchaudio/__init__.py", line 1, in <module>\n    from . import _extension\n'
        f'  File "/{DIST}/torch/{last}", line 573, in load\n    ctypes.CDLL(path)\n{line}\n'
    )


@pytest.mark.parametrize(
    ("place", "is_error"),
    [
        (USER, False),
        ("Users/u/AppData/Roaming/Python/Python310/site-packages", False),
        ("Users/u/Library/Python/3.9/lib/python/site-packages", False),
        ("home/u/venv/lib/python3.8/site-packages", True),
        ("home/u/.local/share/venv/lib/python3.8/site-packages", True),
    ],
)
def test_the_folder_of_a_user_is_only_a_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, is_error: bool
) -> None:
    folder = staged(tmp_path, place, "torchaudio")
    report = run(capsys, "--path", folder, "--platform", "linux-x86_64", code=None)
    assert ("TL108" in rules(report)) is is_error
    assert bool(report["command"]) is is_error


@pytest.mark.parametrize(("place", "name"), [(USER, "torchaudio"), (DIST, "torch")])
@pytest.mark.parametrize("line", [SYMBOL, "OSError: [WinError 127] The specified procedure could not be found"])
def test_a_torchaudio_for_another_torch_in_two_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, name: str, line: str
) -> None:
    """https://github.com/Qengineering/Jetson-Nano-Ubuntu-20-image/issues/82"""
    folder = staged(tmp_path, place, name)
    log = write(tmp_path / "log", traceback(line))
    report = run(capsys, "--path", folder, "--root", tmp_path, "--platform", "linux-x86_64", "--log", log)
    found = first(report)
    assert (found["rule"], found["severity"], report["command"]) == ("TL606", "error", None)
    assert f"torch from /{DIST[:-14]} and torchaudio from /{USER[:-14]}" in found["message"]


@pytest.mark.parametrize("version", ["2.8.0a0+34c6371d24.nv25.08", "2.8.0+nv25.06", "2.5.0+l4t36.4"])
def test_a_torchaudio_beside_the_torch_of_a_vendor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    """The torch of a Jetson stays: its torchaudio is compiled there, instead of the one of the user."""
    folder = tmp_path / DIST
    folder.mkdir(parents=True)
    stage_torch(folder, version)
    log = write(tmp_path / "log", traceback(SYMBOL))
    report = run(capsys, "--path", folder, "--root", tmp_path, "--platform", "linux-x86_64", "--log", log)
    assert first(report)["rule"] == "TL606"
    assert report["command"].startswith("python -m pip uninstall -y torchaudio && python -m pip install ")
    assert f"git+https://github.com/pytorch/audio@v{version[:5]}" in report["command"]


@pytest.mark.parametrize(
    "text",
    [
        traceback("OSError: libsox.so: cannot open shared object file: No such file or directory"),
        traceback("OSError: [WinError 127] The specified procedure could not be found", "__init__.py"),
        traceback(f"OSError: /{DIST}/torch/lib/libtorch_cuda.so: undefined symbol: ncclCommRegister"),
    ],
)
def test_another_failure_of_two_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    folder = staged(tmp_path, USER, "torchaudio")
    log = write(tmp_path / "log", text)
    report = run(capsys, "--path", folder, "--root", tmp_path, "--platform", "linux-x86_64", "--log", log)
    assert not {"TL606", "TL108", "TL615"} & rules(report)
