"""--platform, --system, --system-lib and --python together: agreed, clamped or refused, never both believed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from torchlock.cli.main import main
from torchlock.errors import InputError
from torchlock.jobs.target import platform_of
from torchlock.knowledge import systems, tables
from torchlock.target import PLATFORMS, Platform

SYSTEMS = sorted(tables.load_json(tables.ROOT / "compiled" / "systems.json")["systems"])
FLOORS = [f"manylinux_2_{minor}_x86_64" for minor in (5, 17, 26, 28, 31, 34, 39, 43)]
FLOORS += ["manylinux2014_aarch64", "musllinux_1_1_x86_64", "musllinux_1_2_aarch64", "musllinux_1_3_x86_64"]
FLOORS += ["macosx_11_0_arm64", "macosx_15_0_arm64", "macosx_10_9_x86_64", "win_amd64"]


def expected(system: systems.System, name: str) -> Platform | None:
    """What a machine of this system can be called by that name; None for a contradiction."""
    platform = Platform.parse(name)
    family, _, version = system.libc.partition(" ")
    if platform.system not in system.platforms:
        return None
    if system.id == "conda-forge" and platform.libc == "musl":  # its packages need glibc
        return None
    if not version or platform.system != "linux":
        return platform
    floor = tuple(map(int, version.split(".")))
    if name in PLATFORMS:
        return platform._replace(libc=family, floor=(floor[0], floor[1]))
    return platform if platform.libc == family and platform.floor <= floor else None


@pytest.mark.parametrize("name", [*PLATFORMS, *FLOORS])
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_beside_every_floor(system: str, name: str) -> None:
    right = expected(systems.load(system), name)
    if right is None:
        with pytest.raises(InputError, match="--system") as refused:
            platform_of(name, system, [])
        assert systems.load(system).title in refused.value.message
    else:
        assert platform_of(name, system, [])[0] == right


@pytest.mark.parametrize(
    ("name", "stated", "right"),
    [
        ("linux-x86_64", "glibc=2.31", "manylinux_2_31_x86_64"),
        ("manylinux_2_28_x86_64", "glibc=2.31", "manylinux_2_28_x86_64"),
        ("macos-arm64", "macos=12.3", "macosx_12_3_arm64"),
        ("musllinux_1_1_x86_64", "musl=1.2.5", "musllinux_1_1_x86_64"),
        ("musllinux_1_1_x86_64", "glibc=none", "musllinux_1_1_x86_64"),
        ("windows-amd64", "glibc=none", "windows-amd64"),
        ("manylinux_2_39_x86_64", "glibc=2.31", None),
        ("manylinux_2_17_x86_64", "musl=1.2", None),
        ("musllinux_1_2_x86_64", "musl=1.1.24", None),
        ("macosx_14_0_arm64", "macos=13", None),
        ("macos-arm64", "glibc=2.31", None),
        ("windows-amd64", "macos=13", None),
        ("linux-x86_64", "glibc=none", None),
        ("macosx_14_0_arm64", "macos=none", None),
    ],
)
def test_what_the_machine_is_said_to_have(name: str, stated: str, right: str | None) -> None:
    if right is None:
        with pytest.raises(InputError, match=f"--system-lib {stated.partition('=')[0]}"):
            platform_of(name, "none", [stated])
    else:
        assert platform_of(name, "none", [stated])[0].spelled == right


def test_a_stated_libc_is_in_place_of_the_systems() -> None:
    assert platform_of("manylinux_2_39_x86_64", "ubuntu-20.04", ["glibc=2.39"])[0].floor == (2, 39)
    with pytest.raises(InputError, match="musl"):
        platform_of("linux-x86_64", "alpine-3.22", ["glibc=2.39"])


def test_one_library_has_one_version() -> None:
    with pytest.raises(InputError, match="names ffmpeg twice"):
        platform_of("linux-x86_64", "none", ["ffmpeg=6", "ffmpeg=none"])
    platform_of("linux-x86_64", "none", ["ffmpeg=6", "ffmpeg=6"])


@pytest.mark.parametrize("command", ["lock", "explain", "audit"])
@pytest.mark.parametrize(
    "options",
    [
        ["--system", "alpine-3.22", "--platform", "manylinux_2_28_x86_64"],
        ["--system", "ubuntu-20.04", "--platform", "manylinux_2_39_x86_64"],
        ["--system-lib", "glibc=2.31", "--platform", "manylinux_2_39_x86_64"],
    ],
)
def test_every_command_refuses(
    command: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("torchaudio\n")
    assert main([command, str(file) if command == "audit" else "torchaudio", "--python", "3.12", *options]) == 2
    assert "contradicts --platform" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["lock", "explain", "audit"])
def test_the_path_of_an_interpreter_means_its_platform(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("torchaudio\n")
    what = str(file) if command == "audit" else "torchaudio"
    other = "windows-arm64" if sys.platform != "win32" else "linux-aarch64"
    assert main([command, what, "--python", sys.executable, "--platform", other]) == 2
    assert "that interpreter runs on" in capsys.readouterr().err


ANSWER: dict[str, object] = {
    **dict.fromkeys(
        ("executable", "cache_tag", "abiflags", "prefix", "base_prefix", "user_site", "macos", "libc"), ""
    ),
    **{key: [] for key in ("suffixes", "builtin", "stdlib", "own_sites", "base_sites")},
    **dict.fromkeys(("virtual", "system_site"), False),
    "version": "3.12.1",
    "implementation": "cpython",
    "platform": "linux-x86_64",
    "bits": 64,
}


@pytest.mark.skipif(os.name != "posix", reason="scripts in an interpreter's place")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes torchlock", "does not answer as a Python interpreter (garbled"),
        ("echo 3 12 1 cpython False linux x86_64 SOABI", "does not answer as a Python interpreter (garbled"),
        ("echo broken >&2; exit 3", "does not answer as a Python interpreter (failed: broken)"),
        ({}, ""),
        ({"libc": "glibc " + "9" * 5000}, ""),
        ({"bits": float("inf")}, "does not answer as a Python interpreter (garbled"),
        ({"version": "3." + "9" * 5000}, "is not a Python version"),
        ({"platform": "linux-s390x"}, "that interpreter runs on linux-s390x"),
        ({"implementation": "pypy"}, "wheels of this stack exist for CPython only"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("command", ["lock", "explain", "audit"])
def test_one_asker_serves_every_command(
    command: str, text: str | dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no interpreter is wrong use, however much it prints; so is one whose answer is strange."""
    if isinstance(text, dict):
        (tmp_path / "answer").write_text("torchlock:" + json.dumps(ANSWER | text))
        text = f"cat {tmp_path / 'answer'}"
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)
    (tmp_path / "requirements.txt").write_text("soundfile==0.12.1\n")
    what = [str(tmp_path / "requirements.txt")] if command == "audit" else ["soundfile==0.12.1", "--offline"]
    options = [command, *what, "--platform", "linux-x86_64", "--python", str(tool)]
    assert main(options) == (2 if said else 0)
    assert said in capsys.readouterr().err
    (tmp_path / "tool._pth").write_text("import site\n")
    assert main(options) == 2
    assert "a ._pth file decides" in capsys.readouterr().err


def test_check_asks_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    if sys.platform != "linux" or Platform.of_host().libc != "glibc":
        pytest.skip("a glibc is needed")
    assert main(["check", "--python", sys.executable, "--system", "alpine-3.22"]) == 2
    assert "contradicts the environment (manylinux_" in capsys.readouterr().err
    machine = Platform.of_host().machine
    for platform in (f"manylinux_2_99_{machine}", f"musllinux_1_2_{machine}"):
        assert main(["check", "--python", sys.executable, "--platform", platform]) == 2
        assert "runs on manylinux_" in capsys.readouterr().err
