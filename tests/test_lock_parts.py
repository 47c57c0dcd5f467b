"""Extras and groups that exclude each other: a lock for each of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from torchlock.cli.main import main
from torchlock.manifests.pin_sets import read_pin_set

PROJECT = """[project]
name = "demo"
version = "1"
dependencies = ["soundfile"]
[project.optional-dependencies]
old = ["numpy<2"]
new = ["numpy>=2.2"]
more = ["filelock"]
[dependency-groups]
early = ["idna<3.7"]
late = ["idna>=3.8"]
[tool.uv]
conflicts = [[{extra = "old"}, {extra = "new"}], [{group = "early"}, {group = "late"}]]
"""
TARGET = ("--python", "3.12", "--platform", "linux-x86_64", "--offline", "--no-hashes")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    Path("pyproject.toml").write_text(PROJECT)


def lock(*words: str) -> int:
    return main(["lock", *TARGET, *words])


def versions(path: str) -> dict[str, str]:
    return {pin.name: pin.version for pin in read_pin_set(path, "requirements").pins}


def test_each_extra_has_its_lock_with_all_that_does_not_conflict() -> None:
    assert lock("--all-extras", "-o", "requirements-{extra}.txt") == 0
    old, new = versions("requirements-old.txt"), versions("requirements-new.txt")
    assert old["numpy"].startswith("1.")
    assert new["numpy"].startswith("2.")
    assert "filelock" in old
    assert old.keys() == new.keys()
    assert lock("--all-extras", "-o", "requirements-{extra}.txt", "--check") == 0


def test_two_sets_make_a_lock_for_each_pair() -> None:
    assert lock("--all-extras", "--group", "early", "--group", "late", "-o", "requirements-{extra}.txt") == 0
    names = sorted(path.name for path in Path().glob("requirements-*.txt"))
    pairs = [f"{extra}-{group}" for extra in ("new", "old") for group in ("early", "late")]
    assert names == [f"requirements-{pair}.txt" for pair in pairs]
    assert versions("requirements-old-early.txt")["idna"] != versions("requirements-old-late.txt")["idna"]


def test_each_target_and_each_extra_has_its_file() -> None:
    words = ("--platform", "macos-arm64", "--extra", "old", "--extra", "new")
    assert lock(*words, "-o", "requirements-{extra}-{platform}.txt") == 0
    assert len(list(Path().glob("requirements-*.txt"))) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--all-extras",), "pylock.{extra}.toml", id="without the field"),
        pytest.param(("--extra", "old", "-o", "requirements-{extra}.txt"), "has no value", id="no conflict"),
        pytest.param(("--all-extras", "--json", "-o", "r-{extra}.txt"), "--json describes one lock", id="json"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock(*words) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["pyproject.toml"]
