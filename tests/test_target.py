"""Targets are judged for themselves, never for the interpreter that runs the tests."""

from __future__ import annotations

import pytest

from torchlock.errors import InputError
from torchlock.target import PLATFORMS, Platform, PythonVersion, Target


def target(python: str, platform: str) -> Target:
    return Target(PythonVersion.parse(python), Platform.parse(platform))


INSTALLS = [
    pytest.param("3.12", "linux-x86_64", "cp312-cp312-manylinux_2_28_x86_64", id="the floor itself"),
    pytest.param(
        "3.12", "linux-x86_64", "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", id="both names"
    ),
    pytest.param("3.12", "linux-x86_64", "cp38-abi3-manylinux2014_x86_64", id="stable ABI"),
    pytest.param("3.12", "linux-x86_64", "py3-none-any", id="pure"),
    pytest.param("3.12", "linux-x86_64", "py2.py3-none-any", id="universal"),
    pytest.param("3.7", "linux-x86_64", "cp37-cp37m-manylinux1_x86_64", id="the old m flag"),
    pytest.param("3.9", "linux-aarch64", "cp39-cp39-manylinux2014_aarch64", id="aarch64"),
    pytest.param("3.12", "manylinux_2_31_x86_64", "py3-none-manylinux_2_31_x86_64", id="a floor of one's own"),
    pytest.param("3.12", "macos-arm64", "cp312-none-macosx_11_0_arm64", id="an older macOS"),
    pytest.param("3.12", "macos-arm64", "cp312-cp312-macosx_10_9_universal2", id="universal2"),
    pytest.param("3.11", "macos-x86_64", "cp311-none-macosx_10_9_x86_64", id="Intel"),
    pytest.param("3.11", "windows-amd64", "cp311-cp311-win_amd64", id="Windows"),
    pytest.param("3.13t", "linux-x86_64", "cp313-cp313t-manylinux_2_28_x86_64", id="free-threaded"),
    pytest.param("3.12", "musllinux_1_2_x86_64", "cp312-cp312-musllinux_1_1_x86_64", id="musl"),
]

DOES_NOT = [
    pytest.param("3.12", "linux-x86_64", "cp312-cp312-manylinux_2_31_x86_64", id="a newer glibc"),
    pytest.param("3.12", "linux-x86_64", "cp311-cp311-manylinux_2_28_x86_64", id="another Python"),
    pytest.param("3.12", "linux-x86_64", "cp312-cp312-musllinux_1_2_x86_64", id="musl on glibc"),
    pytest.param("3.12", "linux-x86_64", "cp312-cp312-manylinux_2_28_aarch64", id="another machine"),
    pytest.param("3.12", "linux-x86_64", "pp39-pypy39_pp73-manylinux_2_28_x86_64", id="PyPy"),
    pytest.param("3.13", "linux-x86_64", "cp313-cp313t-manylinux_2_28_x86_64", id="free-threaded only"),
    pytest.param("3.12", "macos-arm64", "cp312-cp312-macosx_15_0_arm64", id="a newer macOS"),
    pytest.param("3.12", "windows-arm64", "cp312-cp312-win_amd64", id="Windows on Intel"),
]


@pytest.mark.parametrize(("python", "platform", "tags"), INSTALLS)
def test_a_wheel_that_installs_has_a_rank(python: str, platform: str, tags: str) -> None:
    assert target(python, platform).rank(tags) is not None


@pytest.mark.parametrize(("python", "platform", "tags"), DOES_NOT)
def test_a_wheel_that_does_not_install_has_none(python: str, platform: str, tags: str) -> None:
    assert target(python, platform).rank(tags) is None


def test_an_installer_prefers_the_closer_wheel() -> None:
    machine = target("3.10", "manylinux_2_31_x86_64")
    bundled, bare = machine.rank("py2.py3-none-manylinux_2_31_x86_64"), machine.rank("py2.py3-none-any")
    assert bundled is not None
    assert bare is not None
    assert bundled < bare


@pytest.mark.parametrize(
    ("python", "platform", "marker", "expected"),
    [
        ("3.8", "windows-amd64", 'platform_machine == "AMD64" and sys_platform == "win32"', True),
        ("3.8", "macos-arm64", 'platform_system == "Darwin" and platform_machine == "arm64"', True),
        ("3.14", "linux-aarch64", 'platform_machine == "aarch64" and python_version >= "3.12"', True),
        ("3.14", "linux-x86_64", 'os_name == "nt"', False),
        ("3.11.2", "linux-x86_64", 'python_full_version < "3.11.3"', True),
        ("3.11", "linux-x86_64", 'python_full_version < "3.11.3"', False),
        ("3.11", "linux-x86_64", 'extra == "numpy"', False),
        ("3.11", "linux-x86_64", 'platform_python_implementation == "PyPy"', False),
    ],
)
def test_markers_speak_of_the_target(python: str, platform: str, marker: str, expected: bool) -> None:
    assert target(python, platform).holds(marker) is expected


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_reads_back_what_it_spells(name: str) -> None:
    platform = Platform.parse(name)
    assert Platform.parse(platform.spelled) == platform
    assert str(platform) == name


@pytest.mark.parametrize(
    "text", ["", "solaris", "linux", "manylinux_2_28_sparc", "linux-x86_64 ", "macosx_14_arm64"]
)
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--platform"):
        Platform.parse(text)


@pytest.mark.parametrize("text", ["", "2.7", "3", "3.5", "3.x", "4.0", "3.11.7.1", "3.11 "[:4] + "x"])
def test_what_is_no_python_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--python"):
        PythonVersion.parse(text)


def test_the_machine_stands_beside_the_packages() -> None:
    machine = {"host-glibc": "2.28", "host-musl": None, "host-macos": None, "host-gil": "1"}
    assert target("3.11", "linux-x86_64").host() == machine
    assert target("3.13t", "linux-x86_64").host()["host-gil"] is None
