"""One lock for many targets: what each target gets from the file is what it would get by itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from packaging.markers import Marker

from torchlock.cli.main import main
from torchlock.manifests.pin_sets import read_pin_set
from torchlock.target import Platform, PythonVersion, Target

THREE = ("--platform", "linux-x86_64", "--platform", "macos-arm64", "--platform", "windows-amd64")
INTEL = ("--platform", "linux-x86_64", "--platform", "macos-x86_64")
ASKED = ("torchaudio", "soundfile")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["lock", *arguments, "--offline"])


def target(python: str, platform: str) -> Target:
    return Target(PythonVersion.parse(python), Platform.parse(platform))


def versions(path: str, python: str, platform: str) -> dict[str, str]:
    return read_pin_set(path, "requirements").versions_on(target(python, platform))


def body(path: str) -> str:
    return Path(path).read_text().partition("\n\n")[2]


# Left alone.


def test_each_target_gets_the_lock_that_it_would_get_alone() -> None:
    pythons, platforms = ("3.10", "3.12", "3.13"), THREE[1::2]
    assert (
        run(
            *ASKED,
            "librosa",
            "--python",
            "3.10",
            "--python",
            "3.12-3.13",
            *THREE,
            "--fork",
            "newest",
            "-o",
            "a.txt",
        )
        == 0
    )
    for python in pythons:
        for platform in platforms:
            assert run(*ASKED, "librosa", "--python", python, "--platform", platform, "-o", "one.txt", "-U") == 0
            assert versions("a.txt", python, platform) == versions("one.txt", python, platform)


def test_the_order_of_the_options_does_not_matter() -> None:
    assert run(*ASKED, "--python", "3.12", "--python", "3.10", *THREE, "-o", "a.txt") == 0
    assert run(*ASKED, *reversed_platforms(), "--python", "3.10", "--python", "3.12", "-o", "b.txt") == 0
    assert body("a.txt") == body("b.txt")


def reversed_platforms() -> list[str]:
    return [word for platform in reversed(THREE[1::2]) for word in ("--platform", platform)]


def test_one_target_keeps_the_form_that_it_had(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*ASKED, "--python", "3.12", "--python=3.12", "--platform", "linux-x86_64") == 0
    text = capsys.readouterr().out
    assert "# for Python 3.12, manylinux_2_28_x86_64, from compatibility data" in text
    assert not re.search(r"^torch==.* ;", text, re.MULTILINE)


def test_hashes_are_those_of_all_targets() -> None:
    assert run("soundfile", "--python", "3.12", *THREE, "-o", "all.txt") == 0
    own = set()
    for platform in THREE[1::2]:
        assert run("soundfile", "--python", "3.12", "--platform", platform, "-o", "one.txt", "-U") == 0
        own |= set(re.findall(r"sha256:\w{64}", Path("one.txt").read_text()))
    assert set(re.findall(r"sha256:\w{64}", Path("all.txt").read_text())) == own


def test_the_header_names_the_targets() -> None:
    assert run("soundfile", "--python", "3.11-3.12", *THREE[:4], "-o", "all.txt") == 0
    text = Path("all.txt").read_text()
    assert "# for 4 targets, from compatibility data of" in text
    assert "#     Python 3.11, 3.12 on manylinux_2_28_x86_64, macosx_14_0_arm64\n" in text
    assert "# On any other target this file was not judged" in text


def test_a_second_run_changes_no_byte_and_check_agrees() -> None:
    command = [*ASKED, "--python", "3.11-3.12", *THREE, "-o", "requirements.txt"]
    assert run(*command) == 0
    first = Path("requirements.txt").read_bytes()
    assert run(*command) == 0
    assert Path("requirements.txt").read_bytes() == first
    assert run(*command, "--check") == 0


def test_check_shows_the_difference(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--python", "3.11-3.12", *THREE, "-o", "requirements.txt"]
    assert run(*ASKED, *command) == 0
    before = Path("requirements.txt").read_bytes()
    capsys.readouterr()
    assert run(*ASKED, "torch<2.14", *command, "--check") == 1
    output = capsys.readouterr()
    assert "-torch==" in output.out
    assert "requirements.txt is not up to date" in output.err
    assert Path("requirements.txt").read_bytes() == before


def test_the_pins_of_the_existing_lock_are_kept_on_each_target() -> None:
    Path("requirements.txt").write_text(
        "filelock==3.13.1 ; sys_platform == 'linux'\nfilelock==3.14.0 ; sys_platform != 'linux'\ntorch==2.8.0\n"
    )
    command = ["torch", "--python", "3.11-3.12", *THREE, "-o", "requirements.txt"]
    assert run(*command, "--fork", "newest") == 0
    assert versions("requirements.txt", "3.11", "linux-x86_64")["filelock"] == "3.13.1"
    assert versions("requirements.txt", "3.12", "macos-arm64")["filelock"] == "3.14.0"
    assert "\ntorch==2.8.0 " in Path("requirements.txt").read_text()
    assert run(*command, "-P", "filelock") == 0
    text = Path("requirements.txt").read_text()
    assert "filelock==3.13.1" not in text
    assert "\ntorch==2.8.0 " in text


def test_one_target_keeps_only_the_pins_whose_marker_holds_there() -> None:
    """The existing lock has two pins of one package; the first one is for another Python."""
    assert run("numpy", "--python", "3.11-3.12", "--platform", "linux-x86_64", "-o", "lock.txt") == 0
    before = versions("lock.txt", "3.12", "linux-x86_64")
    assert before != versions("lock.txt", "3.11", "linux-x86_64")
    assert run("numpy", "--python", "3.12", "--platform", "linux-x86_64", "-o", "lock.txt") == 0
    assert versions("lock.txt", "3.12", "linux-x86_64") == before


@pytest.mark.parametrize(("python", "kept"), [("3.11", "2.8.0"), ("3.12", "2.9.1")])
def test_one_target_keeps_the_torch_of_its_own_python(python: str, kept: str) -> None:
    """The torch family, whose pins lead all others."""
    old = 'torch==2.8.0 ; python_version < "3.12"\ntorch==2.9.1 ; python_version >= "3.12"\n'
    Path("old.txt").write_text(old, encoding="utf-8")
    assert run("torch", "--python", python, "--platform", "linux-x86_64", "-o", "old.txt") == 0
    assert versions("old.txt", python, "linux-x86_64")["torch"] == kept


def test_a_line_with_a_marker_is_for_its_targets_only(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["soundfile", "colorama ; sys_platform == 'win32'"]
    assert run(*asked, "--python", "3.12", *THREE, "-o", "all.txt") == 0
    assert "\ncolorama==0.4.6 ; sys_platform == 'win32' " in Path("all.txt").read_text()
    assert "colorama" not in capsys.readouterr().err
    assert run("soundfile", "colorama ; sys_platform == 'aix'", "--python", "3.12", *THREE, "-o", "all.txt") == 0
    assert "does not apply to any target" in capsys.readouterr().err


# Versions in common.


def test_fewest_has_one_version_where_newest_has_several() -> None:
    command = ["librosa", "--python", "3.10-3.13", "--platform", "linux-x86_64"]
    for fork in ("newest", "python", "fewest"):
        assert run(*command, "--fork", fork, "-o", f"{fork}.txt") == 0
    numpys = {fork: numpy_in(f"{fork}.txt") for fork in ("newest", "python", "fewest")}
    assert len(numpys["newest"]) > 1
    assert numpys["python"] == numpys["newest"]
    assert len(numpys["fewest"]) == 1


def numpy_in(path: str) -> set[str]:
    return {versions(path, python, "linux-x86_64")["numpy"] for python in ("3.10", "3.11", "3.12", "3.13")}


def test_the_platforms_of_one_python_share_versions() -> None:
    """torch 2.3 has no wheel for macOS on Intel, so the others of this Python follow."""
    command = ["torch", "--python", "3.11", "--platform", "linux-x86_64", "--platform", "macos-x86_64"]
    assert run(*command, "-o", "python.txt") == 0
    assert re.findall(r"^torch==(\S+)", Path("python.txt").read_text(), re.MULTILINE) == ["2.2.2"]
    assert run(*command, "-o", "newest.txt", "--fork", "newest") == 0
    assert len(re.findall(r"^torch==", Path("newest.txt").read_text(), re.MULTILINE)) == 2


def test_a_common_version_costs_no_target_its_wheel() -> None:
    """numpy 2.0.2 has no wheel for Python 3.14: it is not built there to have a version in common."""
    pythons = ["--python", "3.9", "--python", "3.14", "--platform", "linux-x86_64"]
    assert run("numpy", *pythons, "--fork", "fewest", "-o", "all.txt") == 0
    assert versions("all.txt", "3.9", "linux-x86_64")["numpy"] == "2.0.2"
    assert versions("all.txt", "3.14", "linux-x86_64")["numpy"] != "2.0.2"


# Targets without a solution.


def test_a_target_without_a_solution_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "torch",
        "torchcodec",
        "--python",
        "3.12",
        "--platform",
        "linux-x86_64",
        "--platform",
        "macos-x86_64",
    ]
    assert run(*command, "-o", "all.txt") == 1
    err = capsys.readouterr().err
    assert "no solution for 1 target of 2" in err
    assert "Python 3.12 on macosx_13_0_x86_64: nothing satisfies torchcodec" in err
    assert "the newest set is torch 2.2.2, without torchcodec" in err
    assert "--partial" in err
    assert not Path("all.txt").exists()
    assert run(*command, "-o", "all.txt", "--partial") == 0
    assert "left out 1 target of 2" in capsys.readouterr().err
    assert "# for 1 target, " in Path("all.txt").read_text()


def test_a_build_that_a_platform_lacks_is_one_target_without_a_solution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    builds = [
        "--accelerator",
        "cpu",
        "--accelerator",
        "cu128",
        "--platform",
        "linux-x86_64",
        "--platform",
        "macos-arm64",
    ]
    assert run("torch", "--python", "3.12", *builds, "-o", "{accelerator}.txt", "--partial") == 0
    assert "there is no build for CUDA 12.8 on macOS" in capsys.readouterr().err
    assert "%2Bcu128" in Path("cu128.txt").read_text()
    assert "sys_platform == 'darwin'" in Path("cpu.txt").read_text()


def test_a_project_that_excludes_a_python(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["soundfile"]\n'
    )
    command = ["--python", "3.10", "--python", "3.11", "--platform", "linux-x86_64", "-o", "requirements.txt"]
    assert run(*command) == 1
    assert "this project requires Python >=3.11" in capsys.readouterr().err
    assert run(*command, "--partial") == 0


def test_a_target_that_is_held_back_by_others_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    targets = ["--python", "3.12", "--platform", "linux-x86_64", "--platform", "macos-x86_64"]
    assert run("torch", *targets, "-o", "lock.txt") == 0
    old = versions("lock.txt", "3.12", "linux-x86_64")["torch"]
    err = capsys.readouterr().err
    assert f"Python 3.12 on manylinux_2_28_x86_64: torch {old} instead of 2." in err
    assert "--fork newest" in err
    assert run("torch", *targets, "-o", "lock.txt", "-U", "--fork", "newest") == 0
    assert "instead of" not in capsys.readouterr().err


def test_partial_is_no_way_if_no_target_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torch<1.0", "--python", "3.12", "--platform", "linux-x86_64", "--platform", "macos-x86_64") == 1
    err = capsys.readouterr().err
    assert "--partial" not in err
    assert "the newest set is torch 2.2.2, with other versions than torch<1.0" in err.replace("on this target", "")


def test_partial_locks_nothing_if_nothing_has_a_solution() -> None:
    intel = ["--python", "3.11-3.12", "--platform", "macos-x86_64"]
    assert run("torchcodec", *intel, "--partial", "-o", "all.txt") == 1
    assert not Path("all.txt").exists()


# Files.


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--python", "3.12", "--accelerator", "cpu", "--accelerator", "cu128"], "requirements-{accelerator}.txt"),
        (["--python", "3.13", "--python", "3.13t"], "requirements-{python}.txt"),
        (["--python", "3.12", "--platform", "manylinux_2_17_x86_64"], "requirements-{platform}.txt"),
    ],
)
def test_what_no_marker_separates_is_refused(
    options: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["torch", *options, "--platform", "linux-x86_64", "--fork", "newest"]
    assert run(*command) == 2
    err = capsys.readouterr().err
    assert "no environment marker separates them" in err
    assert f"-o '{name}'" in err
    assert run(*command, "-o", name) == 0
    assert len(list(Path().glob("requirements-*.txt"))) == 2


def test_targets_with_equal_pins_need_no_marker() -> None:
    floors = ("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_35_x86_64")
    assert run("soundfile", "--python", "3.12", *floors, "-o", "all.txt") == 0
    assert " ; " not in body("all.txt")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("a-{gpu}.txt", "unknown field {gpu}"),
        ("a-{target}.txt", "{target} has no value"),
        ("a-{}.txt", "unknown field {}"),
    ],
)
def test_an_unknown_field_is_refused(output: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("soundfile", "--python", "3.11-3.12", "--platform", "linux-x86_64", "-o", output) == 2
    assert said in capsys.readouterr().err


def test_json_has_an_object_for_each_target(capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "torch",
        "torchcodec",
        "--python",
        "3.12",
        "--platform",
        "linux-x86_64",
        "--platform",
        "macos-x86_64",
    ]
    assert run(*command, "--json", "--partial") == 0
    table = json.loads(capsys.readouterr().out)
    assert [target["status"] for target in table["targets"]] == ["locked", "left out"]
    first, second = table["targets"]
    assert first["target"]["platform"] == "manylinux_2_28_x86_64"
    assert "torch" in [package["name"] for package in first["packages"]]
    assert second["because"][0].startswith("nothing satisfies torchcodec")
    assert {"torchlock", "data", "targets", "indexes", "notes", "changes"} == set(table)


# Every target of a project.


def test_universal_follows_the_project() -> None:
    Path("pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12,<3.14"\ndependencies = ["soundfile"]\n'
    )
    assert run("--universal", "-o", "requirements.txt") == 0
    text = Path("requirements.txt").read_text()
    assert "# for 12 targets, " in text
    assert "Python 3.12, 3.13 on " in text


def test_universal_means_the_supported_pythons(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("typing-extensions", "--universal", "--json") == 0
    pythons = {
        target["target"]["python"].rpartition(".")[0] for target in json.loads(capsys.readouterr().out)["targets"]
    }
    assert "3.9" not in pythons
    assert {"3.12", "3.13", "3.14"} <= pythons


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--universal", "--python", "3.12"], "--universal and --python 3.12 contradict each other"),
        (["--python", "3.13-3.10"], "is not a range of Python versions"),
        (["--python", "3.10.1-3.12"], "is not a range of Python versions"),
        (["--python", "3.10-4.0"], "'4.0' is not a Python version"),
        (
            ["--python", "3.11-3.12", "--base-image", "python:3.12-bookworm"],
            "--base-image python:3.12-bookworm has Python 3.12, and the target Python 3.11",
        ),
        (["--target", "box"], "there is no target 'box'"),
        (["--python", "3.11-3.12", "--platform", "linux"], "unknown platform 'linux'"),
    ],
)
def test_what_contradicts_itself_is_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("soundfile", *options) == 2
    assert said in capsys.readouterr().err


# Named targets.

PROJECT = """
[project]
name = "x"
version = "1"
dependencies = ["torch", "torchaudio"]

[[tool.torchlock.target]]
name = "gpu-box"
python = "3.12"
platform = "linux-x86_64"
accelerator = "cu128"

[[tool.torchlock.target]]
name = "laptops"
python = ["3.11", "3.12"]
platform = ["macos-arm64", "windows-amd64"]
"""


def test_named_targets_are_the_default() -> None:
    Path("pyproject.toml").write_text(PROJECT)
    assert run("-o", "requirements-{target}.txt") == 0
    assert "%2Bcu128" in Path("requirements-gpu-box.txt").read_text()
    assert "# for 4 targets" in Path("requirements-laptops.txt").read_text()
    assert run("-o", "requirements.txt") == 0
    text = Path("requirements.txt").read_text()
    assert "# for 5 targets" in text
    assert re.search(r"^torch @ \S+%2Bcu128\S+ ; sys_platform == 'linux' ", text, re.MULTILINE)


def test_one_named_target() -> None:
    Path("pyproject.toml").write_text(PROJECT)
    assert run("--target", "gpu-box", "-o", "requirements.txt") == 0
    text = Path("requirements.txt").read_text()
    assert "# for Python 3.12, manylinux_2_28_x86_64, " in text
    assert "# builds: cu128 of " in text


def test_other_options_are_used_in_place_of_named_targets(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(PROJECT)
    assert run("--python", "3.12", "--platform", "linux-aarch64") == 0
    assert "# for Python 3.12, manylinux_2_28_aarch64, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('python = "3.12"', "a target needs a name"),
        ('name = "a b"', "a target needs a name"),
        ('name = "a"\nplatforms = "linux-x86_64"', "unknown key 'platforms'"),
        ('name = "a"\npython = 3.12', "python = 3.12 is not a string"),
        ('name = "a"\npython = "/bin/sh"', "a project may only name a Python version"),
        ('name = "a"\ngpu = "host"', "a project may not ask programs of this machine"),
        ('name = "a"\nplatform = "linux"', "unknown platform 'linux'"),
        ('name = "a"\nsystem = "nope"', "system: unknown system 'nope'"),
        ('name = "a"\ngpu = "zzz"', "gpu: unknown GPU 'zzz'"),
        ('name = "a"\nsystem-lib = "foo"', "system-lib: invalid value 'foo'"),
        ('name = "a"\nsystem-lib = ["ffmpeg=7", "ffmpeg=6"]', "system-lib names ffmpeg twice"),
        ('name = "a"\npython = "2.5"', "python: '2.5' is not a Python version"),
        ('name = "a"\npython = "3.12-3.10"', "is not a range of Python versions"),
        ('name = "a"\naccelerator = "cu1"', "accelerator: 'cu1' is not a build"),
    ],
)
def test_a_wrong_table_is_blamed_on_its_line(table: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(f"[tool.torchlock]\n\n[[tool.torchlock.target]]\n{table}\n")
    assert run("soundfile") == 2
    err = capsys.readouterr().err
    assert said in err
    assert re.search(r"error: pyproject\.toml:[345]: \[\[tool\.torchlock\.target\]\]: ", err)


def test_a_target_that_is_misspelled_is_told_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(PROJECT)
    assert run("--target", "gpubox") == 2
    assert "did you mean gpu-box?" in capsys.readouterr().err


def test_a_target_and_an_option_contradict_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(PROJECT)
    assert run("--target", "gpu-box", "--python", "3.13") == 2
    assert "--target gpu-box states python itself" in capsys.readouterr().err


def test_a_list_of_targets_in_a_shared_table_is_for_lock_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(
        '[tool.torchlock]\npython = ["3.11", "3.12"]\nplatform = ["linux-x86_64", "macos-arm64"]\n'
    )
    assert run("soundfile") == 0
    assert "# for 4 targets, " in capsys.readouterr().out
    assert run("soundfile", "--python", "3.12") == 0
    assert "# for 2 targets, " in capsys.readouterr().out
    Path("requirements.txt").write_text("soundfile==0.12.1\n")
    assert main(["audit", "requirements.txt"]) == 0
    assert main(["explain", "torch==2.8.0"]) == 0


def test_messages_about_several_targets_are_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    builds = ["--accelerator", "cpu", "--python", "3.11-3.12", *THREE]
    assert run("torch", *builds, "-o", "all.txt") == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "torch 2.15.0+cpu" in line]
    assert len(notes) <= 1


def test_audit_and_explain_do_not_mind_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(PROJECT)
    assert main(["audit", "pyproject.toml"]) in (0, 1)
    assert main(["explain", "TL101"]) == 0


def test_every_marker_is_one_that_packaging_reads() -> None:
    assert run("torch", "librosa", "--python", "3.10-3.13", *THREE, "-o", "all.txt", "--fork", "newest") == 0
    markers = re.findall(r"^[\w.\[\],-]+==\S+ ; (.+) \\$", Path("all.txt").read_text(), re.MULTILINE)
    assert len(markers) > 10
    for marker in markers:
        Marker(marker)
