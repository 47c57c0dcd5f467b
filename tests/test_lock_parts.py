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
        pytest.param(("--all-extras",), "-o pylock.toml has all of them", id="without the field"),
        pytest.param(("--extra", "old", "-o", "requirements-{extra}.txt"), "has no value", id="no conflict"),
        pytest.param(("--all-extras", "--json", "-o", "r-{extra}.txt"), "--json describes one lock", id="json"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock(*words) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["pyproject.toml"]


OWN = PROJECT.replace("[tool.uv]", "[tool.torchlock]")


def test_a_project_without_uv_declares_conflicts_itself(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(OWN)
    assert lock("--all-extras") == 2
    assert "pyproject.toml:13: --extra old and --extra new are declared as conflicting" in capsys.readouterr().err
    assert lock("--all-extras", "-o", "requirements-{extra}.txt") == 0
    assert versions("requirements-old.txt")["numpy"] != versions("requirements-new.txt")["numpy"]


def test_conflicts_in_a_file_of_its_own_are_shown_with_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(PROJECT.partition("[tool.uv]")[0])
    Path("torchlock.toml").write_text('conflicts = [\n  [{extra = "old"}, {extra = "new"}],\n]\n')
    assert main(["config", "show", "lock"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("conflicts.1"))
    assert row.split() == ["conflicts.1", "extra", "old,", "extra", "new", "torchlock.toml:2"]
    assert lock("--all-extras") == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param("true", "conflicts = True is not a list of sets", id="no list"),
        pytest.param('[{extra = "old"}, {extra = "new"}]', "set 1 is not a list", id="a single set"),
        pytest.param('[[{extra = "old"}]]', "set 1 has fewer than two extras or groups", id="one extra"),
        pytest.param('[[{extra = "old"}, {extra = "Old"}]]', "fewer than two", id="one extra twice"),
        pytest.param('[["old", "new"]]', "'old' is not a table with one extra or group", id="names"),
        pytest.param('[[{extra = "old"}, {extr = "new"}]]', "did you mean extra?", id="misspelt key"),
        pytest.param('[[{extra = "old"}, {extra = 1}]]', "extra = 1 is not a name", id="number"),
        pytest.param(
            '[[{extra = "old"}, {extra = "nwe"}]]',
            "pyproject.toml declares no extra 'nwe'; did you mean new?",
            id="misspelt name",
        ),
    ],
)
def test_a_wrong_value_of_conflicts_is_blamed_on_its_line(
    value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pyproject.toml").write_text(
        PROJECT.partition("[tool.uv]")[0] + f"[tool.torchlock]\nconflicts = {value}\n"
    )
    assert lock("--all-extras") == 2
    error = capsys.readouterr().err
    assert said in error
    assert "pyproject.toml:13" in error
