"""The machine around an environment, in folders that stand for one: what is there, and no more than that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.libraries import elf
from support.site_folder import write
from torchlock.answers import Unknown
from torchlock.inspect import host
from torchlock.inspect.host import Driver, driver, ffmpeg_lacks, ffmpeg_majors, libsndfile, libsox, release_of
from torchlock.inspect.loading.root import Root

FFMPEG_5 = (
    "libavutil.so.57",
    "libavcodec.so.59",
    "libavformat.so.59",
    "libavdevice.so.59",
    "libavfilter.so.8",
    "libswscale.so.6",
    "libswresample.so.4",
)


def machine(folder: Path, *libraries: str) -> Root:
    """A machine that has these libraries."""
    for name in libraries:
        write(folder / "usr" / "lib" / name, elf(name))
    return Root(str(folder))


def test_an_empty_machine_has_nothing(tmp_path: Path) -> None:
    root = machine(tmp_path)
    assert release_of(root) == {}
    assert ffmpeg_majors(root) == {}
    assert libsox(root) == (None, None)
    assert libsndfile(root) is None


def test_a_whole_ffmpeg_lacks_nothing(tmp_path: Path) -> None:
    root = machine(tmp_path, *FFMPEG_5)
    assert list(ffmpeg_majors(root)) == [5]
    assert ffmpeg_lacks(root, 5) == []


def test_part_of_an_ffmpeg_is_told_as_such(tmp_path: Path) -> None:
    root = machine(tmp_path, *(name for name in FFMPEG_5 if "device" not in name and "filter" not in name))
    assert ffmpeg_lacks(root, 5) == ["libavdevice.so.59", "libavfilter.so.8"]


def test_two_releases_of_ffmpeg_beside_each_other(tmp_path: Path) -> None:
    assert list(ffmpeg_majors(machine(tmp_path, "libavutil.so.56", "libavutil.so.61"))) == [4, 9]


def test_the_sox_of_users_is_not_that_of_developers(tmp_path: Path) -> None:
    library, runtime = libsox(machine(tmp_path, "libsox.so.3"))
    assert library is None
    assert runtime is not None and runtime.endswith("libsox.so.3")


def test_os_release_is_read_where_a_link_leads_within_the_image(tmp_path: Path) -> None:
    write(tmp_path / "usr" / "lib" / "os-release", 'ID="rocky"\nVERSION_ID="9.3"\n')
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "os-release").symlink_to("/usr/lib/os-release")
    assert release_of(Root(str(tmp_path))) == {"ID": "rocky", "VERSION_ID": "9.3"}


# The driver.


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of a nvidia-smi of one's own, on a machine whose kernel tells of no driver."""
    if os.name != "posix":
        pytest.skip("a script as nvidia-smi")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(host, "_VERSION", str(tmp_path / "version"))
    monkeypatch.setattr(host, "_WSL", str(tmp_path / "wsl"))
    monkeypatch.setattr(host, "_SECONDS", 0.5)
    return tmp_path / "bin" / "nvidia-smi"


def says(smi: Path, script: str) -> None:
    write(smi, f"#!/bin/sh\n{script}\n").chmod(0o755)


def test_no_driver_is_no_driver(smi: Path) -> None:
    says(smi, "exit 9")
    assert driver() is None


def test_the_driver_and_its_devices(smi: Path) -> None:
    says(smi, "echo '570.1.2, 9.0, NVIDIA H200'; echo '570.1.2, [N/A], NVIDIA Old, with a comma'")
    assert driver() == Driver("570.1.2", (("NVIDIA H200", "9.0"),))


def test_a_driver_whose_program_is_missing_is_told_by_the_kernel(smi: Path) -> None:
    line = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
    write(Path(host._VERSION), line)
    says(smi, "exit 1")
    found = driver()
    assert isinstance(found, Driver) and found.version == "535.104.05"


@pytest.mark.parametrize(
    "script", ["sleep 3000", "sleep 3000 & echo", "yes 580", "cat /dev/zero", "trap '' TERM; sleep 3000"]
)
def test_a_program_that_does_not_end_is_ended(smi: Path, script: str) -> None:
    says(smi, script)
    assert isinstance(driver(), Unknown)


def test_what_is_no_version_is_not_believed(smi: Path) -> None:
    says(smi, r"printf '\033[31m, 8.6, NVIDIA\n'; printf 'latest, 8.6, NVIDIA\n'")
    assert isinstance(driver(), Unknown)
