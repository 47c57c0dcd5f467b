"""The reasons in the table of changes hold on the target: its build, its markers, its overrides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.local_index import publish
from torchlock.cli.main import main

TARGETS = """
[[target]]
name = "box"
python = "3.12"
platform = "linux-x86_64"
accelerator = "{build}"

[[target]]
name = "mac"
python = "3.12"
platform = "macos-arm64"
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    return tmp_path


def written(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


def reasons(capsys: pytest.CaptureFixture[str], *arguments: str, target: str = "3.12 linux-x86_64") -> str:
    """What a lock says on standard error; without ``target`` it is for the targets of the project."""
    python, _, platform = target.partition(" ")
    words = ["--python", python, "--platform", platform] if target else []
    assert main(["lock", *arguments, *words, "-o", "lock.txt", "--offline"]) == 0
    return " ".join(capsys.readouterr().err.split())


def test_a_target_of_several_builds_has_its_own_build(capsys: pytest.CaptureFixture[str]) -> None:
    written("torchlock.toml", TARGETS.format(build="cu128"))
    reasons(capsys, "torch<2.9", target="")
    written("torchlock.toml", TARGETS.format(build="cpu"))
    text = reasons(capsys, "torch<2.9", target="")
    assert "the build is cpu, and was cu128" in text
    assert "cu128,pypi" not in text.replace("(cu128), macosx", "")


def test_one_target_of_a_lock_for_several_builds(capsys: pytest.CaptureFixture[str]) -> None:
    written("torchlock.toml", TARGETS.format(build="cu128"))
    reasons(capsys, "torch<2.9", target="")
    text = reasons(capsys, "torch<2.9", target="3.12 macos-arm64")
    assert "the build changes" not in text, "the pins for the Mac were of the public index before"
    reasons(capsys, "torch<2.9", "-U", target="")
    text = reasons(capsys, "torch<2.9")
    assert "the build changes from cu128 to pypi (to keep it, add --accelerator cu128)" in text
    assert "the build is pypi, and was cu128" in text


def test_another_release_of_another_build_is_a_newer_release(capsys: pytest.CaptureFixture[str]) -> None:
    reasons(capsys, "torch==2.8.0", "--accelerator", "cpu")
    text = reasons(capsys, "torch", "--accelerator", "cu128", "-U")
    assert "2.8.0+cpu → 2.11.0+cu128 newer release (-U)" in text
    assert "is not known" not in text


def test_a_line_that_pins_nothing_is_no_release(capsys: pytest.CaptureFixture[str]) -> None:
    written("lock.txt", "filelock>=3\nsix==1.16.*\n")
    text = reasons(capsys, "filelock", "six")
    assert "is not known" not in text
    assert "changed filelock >=3 → " in text and "required by the command line" in text


def test_what_the_marker_of_a_line_excludes_is_not_unneeded(capsys: pytest.CaptureFixture[str]) -> None:
    written("in.txt", 'filelock\ntqdm; python_version < "3.12"\nsix; sys_platform == "linux"\n')
    reasons(capsys, "-r", "in.txt", target="3.10 linux-x86_64")
    text = reasons(capsys, "-r", "in.txt", target="3.12 macos-arm64")
    assert text.count("which does not apply to Python 3.12, macosx_14_0_arm64") == 2
    assert "nothing needs it" not in text


def test_what_an_override_leaves_out_is_not_unneeded(capsys: pytest.CaptureFixture[str]) -> None:
    written("over.txt", 'cffi; sys_platform == "never"\nnobody==1\n')
    reasons(capsys, "soundfile")
    text = reasons(capsys, "soundfile", "--override", "over.txt")
    assert "removed cffi" in text and "needs it, and an override leaves it out" in text
    assert "the override cffi" not in text.partition("packages")[0], "it has an effect"
    assert "over.txt:2: the override nobody==1 has no effect: nothing requires the package" in text


def test_what_a_release_brings_itself_is_not_the_reason_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    reasons(capsys, "torch==2.8.0", "--accelerator", "cpu")
    text = reasons(capsys, "torch<2.10", "--accelerator", "cu128", "-U")
    assert "follows nvidia" not in text


def test_a_conflict_names_only_releases_that_the_requirements_admit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("1.0", "2.0"):
        publish(
            tmp_path / "index", "alpha", version, tags="cp39-cp39-win32" if version == "2.0" else "py3-none-any"
        )
    publish(tmp_path / "index", "beta", "1.0", ["alpha<1.0"])
    words = ["--python", "3.12", "--platform", "linux-x86_64", "--index-url", str(tmp_path / "index")]
    assert main(["lock", "beta", "alpha", *words]) == 1
    err = capsys.readouterr().err
    assert "beta 1.0 declares that it needs alpha<1.0" in err
    assert "alpha 2.0" not in err, "no line asks for it"


def test_an_extra_is_no_empty_specifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path / "index", "beta", "1.0")
    publish(tmp_path / "index", "alpha", "1.0", ["beta<1; extra == 'x'"])
    words = ["--python", "3.12", "--platform", "linux-x86_64", "--index-url", str(tmp_path / "index")]
    assert main(["lock", "alpha[x]", "alpha==1.0", *words]) == 1
    assert "satisfies  and" not in (err := capsys.readouterr().err)
    assert "beta<1" in err


def test_a_gpu_of_another_vendor_is_not_in_the_lock_of_a_mac(capsys: pytest.CaptureFixture[str]) -> None:
    text = reasons(capsys, "torch", "--gpu", "RTX 4090", target="3.12 macos-arm64")
    assert "--gpu RTX 4090 has no effect on macOS" in text
