"""What the machine lacks for the audio stack, over staged machines: what must be left alone first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skeleton import elf
from staged import install, write
from test_check import audio_files, bad, first, image, run, stage_torch
from torchlock.check.host import identified

PARTS = ("avutil", "avcodec", "avformat", "avdevice", "avfilter", "swscale", "swresample")
NUMBERS = {5: (57, 59, 59, 59, 8, 6, 4), 6: (58, 60, 60, 60, 9, 7, 4), 9: (61, 63, 63, 63, 12, 10, 7)}


def ffmpeg(major: int) -> list[str]:
    return [f"lib{part}.so.{number}" for part, number in zip(PARTS, NUMBERS[major], strict=True)]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """torch and torchaudio 2.8, whose FFmpeg extension comes for two releases; nothing else."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    stage(folder)
    return folder


def stage(folder: Path) -> None:
    folder.mkdir(parents=True)
    stage_torch(folder)
    files = audio_files()
    for major in (5, 6):
        names = [name for name in ffmpeg(major) if "sw" not in name]
        library = f"libtorio_ffmpeg{major}.so"
        files[f"torio/lib/{library}"] = elf(library, [name for name in names if "device" not in name])
        files[f"torio/lib/_torio_ffmpeg{major}.so"] = elf("", [library, *names], runpath="$ORIGIN")
    headers = "Requires-Dist: torch (==2.8.0)\n"
    install(folder, "torchaudio", "2.8.0+cpu", files, headers=headers, tag="cp311-cp311-manylinux_2_28_x86_64")


def codec(site: Path) -> None:
    """torchcodec 0.7, for FFmpeg 5 and 6."""
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.7.0+cpu'\n",
        **{f"torchcodec/libtorchcodec_core{n}.so": elf("", [*ffmpeg(n), "libtorch_cpu.so"]) for n in (5, 6)},
    }
    install(site, "torchcodec", "0.7.0+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")


def conda(site: Path, *libraries: str) -> None:
    """The environment of the site folder as one of conda's, with these libraries in it."""
    prefix = site.parents[2]
    write(prefix / "conda-meta" / "ffmpeg-6.1.2-gpl_0.json", "{}")
    for name in libraries:
        write(prefix / "lib" / name, elf(name))


def rules(report: dict[str, Any]) -> list[str]:
    return [each["rule"] for each in report["files"][0]["findings"]]


# What must be left alone.


@pytest.mark.parametrize("major", [5, 6])
def test_one_whole_ffmpeg_serves_torchaudio(site: Path, major: int, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, *ffmpeg(major))
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_the_ffmpeg_of_a_conda_environment_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "image" / "opt" / "conda" / "lib" / "python3.11" / "site-packages"
    stage(site)
    image(site.parents[2])
    codec(site)
    conda(site, *ffmpeg(6))
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_soundfile_over_the_library_of_the_machine(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, "libsndfile.so.1")
    install(site, "soundfile", "0.13.1", {"soundfile.py": ""})
    assert bad(run(capsys, "--path", site, code=0)) == []


# What is missing.


def test_half_an_ffmpeg_serves_nobody(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, *(name for name in ffmpeg(6) if "device" not in name and "filter" not in name))
    assert bad(run(capsys, "--path", site, code=0)) == [("warning", "TL306")]


def test_what_an_ffmpeg_lacks_is_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, *(name for name in ffmpeg(6) if "device" not in name))
    codec(site)
    install(site, "soundfile", "0.13.1", {"soundfile.py": "", "_soundfile_data/libsndfile_x86_64.so": elf()})
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == [("warning", "TL304")]
    assert "this machine has FFmpeg 6 without libavdevice.so.60" in report["summary"]
    assert report["command"] == "apt-get install -y ffmpeg"


def test_a_conda_environment_gets_the_release_that_serves(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site)
    codec(site)
    conda(site, *ffmpeg(9))
    report = run(capsys, "--path", site, "--ignore", "TL306", code=0)
    assert bad(report) == [("warning", "TL304")]
    assert report["command"] == 'conda install -y -c conda-forge "ffmpeg<7"'


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.13.1", "OSError: cannot load library 'libsndfile.so': libsndfile.so: cannot open shared object file"),
        ("0.10.3.post1", "OSError: sndfile library not found"),
    ],
)
def test_soundfile_without_a_library(
    site: Path, version: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image(site)
    install(site, "soundfile", version, {"soundfile.py": f"__version__ = '{version}'\n"})
    finding = first(run(capsys, "--path", site, "--ignore", "TL306", code=0))
    assert finding["rule"] == "TL301"
    assert finding["says"].startswith(says)


# Which distribution release it is.


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, "debian-12"),
        (
            {"ID": "linuxmint", "VERSION_ID": "22", "ID_LIKE": "ubuntu debian", "UBUNTU_CODENAME": "noble"},
            "ubuntu-24.04",
        ),
        ({"ID": "linuxmint", "VERSION_ID": "6", "ID_LIKE": "debian", "DEBIAN_CODENAME": "bookworm"}, "debian-12"),
        ({"ID": "rocky", "VERSION_ID": "9.3", "ID_LIKE": "rhel centos fedora"}, "rhel-9"),
        ({"ID": "ol", "VERSION_ID": "9.4", "ID_LIKE": "fedora", "PLATFORM_ID": "platform:el9"}, "rhel-9"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "arch"),
        ({"ID": "nobara", "VERSION_ID": "42", "ID_LIKE": "fedora"}, "fedora-42"),
        ({"ID": "alpine", "VERSION_ID": "3.22.1"}, "alpine-3.22"),
    ],
)
def test_a_release_is_known_by_what_it_is_made_from(release: dict[str, str], known: str) -> None:
    assert identified(release) == known


@pytest.mark.parametrize(
    "release",
    [
        {},
        {"ID": "amzn", "VERSION_ID": "2023", "ID_LIKE": "fedora", "PLATFORM_ID": "platform:al2023"},
        {"ID": "kali", "VERSION_ID": "2025.1", "ID_LIKE": "debian", "VERSION_CODENAME": "kali-rolling"},
        {"ID": "buildroot", "VERSION_ID": "2025.02"},
    ],
)
def test_a_release_of_its_own_is_nobody_elses(release: dict[str, str]) -> None:
    assert identified(release) is None
