"""Backends that a program asks torchaudio for by name, as a log shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.check import bad, run
from support.site_folder import install, write

if TYPE_CHECKING:
    from pathlib import Path

NONE_OF = 'RuntimeError: Backend "{}" is not one of available backends: [{}].'
UNSUPPORTED = "ValueError: Unsupported backend '{}' specified; please select one of [{}] instead."
REQUIRES = (
    "RuntimeError: torchaudio.sox_effects.sox_effects.apply_effects_tensor requires module: torchaudio._torchaudio"
)
PLATFORMS = {"linux": "linux-x86_64", "windows": "windows-amd64"}


def site_with(tmp_path: Path, system: str, torchaudio: str, torch: str, *more: str) -> Path:
    inner = "Lib/site-packages" if system == "windows" else "lib/python3.8/site-packages"
    folder = tmp_path / "env" / inner
    write(tmp_path / "env" / "pyvenv.cfg", "home = C:\\Python38\nversion = 3.8.10\n")
    for name, version in (("torch", torch), ("torchaudio", torchaudio), *((each, "0.12.1") for each in more)):
        files: dict[str, bytes | str] = {
            f"{name}/__init__.py": "",
            f"{name}/version.py": f"__version__ = '{version}'\n",
        }
        if name == "soundfile":
            files = {"soundfile.py": ""}
        install(folder, name, version, files)
    return folder


def report_of(site: Path, system: str, capsys: pytest.CaptureFixture[str], line: str) -> dict[str, Any]:
    words = ["--path", site, "--platform", PLATFORMS[system], "--log", write(site.parent / "log.txt", f"{line}\n")]
    return run(capsys, *words)


@pytest.mark.parametrize(
    ("system", "torchaudio", "torch", "line"),
    [
        ("linux", "0.7.2", "1.7.1", NONE_OF.format("soundfile", "'sox', 'sox_io'")),
        ("linux", "0.13.1", "1.13.1", NONE_OF.format("soundfile", "'sox_io'")),
    ],
)
def test_soundfile_is_installed(
    system: str, torchaudio: str, torch: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/snakers4/silero-vad/issues/32"""
    report = report_of(site_with(tmp_path, system, torchaudio, torch), system, capsys, line)
    assert "for the backend soundfile, which is not installed" in report["summary"]
    assert report["command"] == "python -m pip install soundfile"


@pytest.mark.parametrize(
    ("torchaudio", "torch", "line"),
    [
        ("0.8.0", "1.8.0", NONE_OF.format("sox_io", "'soundfile'")),
        ("0.8.1", "1.8.1", REQUIRES),
        ("2.3.1", "2.3.1", UNSUPPORTED.format("sox", "'soundfile'")),
    ],
)
def test_windows_has_no_sox(
    torchaudio: str, torch: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/speechbrain/speechbrain/issues/588, https://github.com/cyhuang-tw/AdaIN-VC/issues/8"""
    site = site_with(tmp_path, "windows", torchaudio, torch, "soundfile")
    report = report_of(site, "windows", capsys, line)
    assert report["summary"].endswith("has no sox extension: torchaudio for Windows is built without libsox")
    assert report["command"] is None


@pytest.mark.parametrize(("name", "rule"), [("sox", "TL302"), ("ffmpeg", "TL303")])
def test_libraries_of_the_machine(
    name: str, rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_with(tmp_path, "linux", "2.3.1", "2.3.1", "soundfile")
    report = report_of(site, "linux", capsys, UNSUPPORTED.format(name, "'soundfile'"))
    assert rule in [found for _, found in bad(report)]


@pytest.mark.parametrize(
    ("torchaudio", "torch", "line"),
    [
        ("0.13.1", "1.13.1", NONE_OF.format("soundfile", "'sox_io'")),
        ("0.13.1", "1.13.1", NONE_OF.format("sox", "'sox_io', 'soundfile'")),
        ("2.3.1", "2.3.1", UNSUPPORTED.format("mine", "'sox', 'soundfile'")),
    ],
)
def test_what_is_there_is_not_missing(
    torchaudio: str, torch: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_with(tmp_path, "linux", torchaudio, torch, "soundfile")
    report = report_of(site, "linux", capsys, line)
    assert not {"TL302", "TL303", "TL306"} & {found for _, found in bad(report)}
