"""[tool.torchlock] of a project is data: it starts nothing, writes and reads nothing outside, changes no file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from torchlock.cli.main import main
from torchlock.cli.parser import COMMANDS, parser_of
from torchlock.jobs.project import OPTIONS, Refusal

PROJECT = '\n[project]\nname = "x"\nversion = "1"\ndependencies = ["soundfile==0.12.1"]\n'
TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--offline"]
posix = pytest.mark.skipif(os.name != "posix", reason="links and scripts of POSIX")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of its own, beside a file that is nobody else's."""
    for name in [name for name in os.environ if name.startswith("TORCHLOCK_")]:
        monkeypatch.delenv(name)
    (tmp_path / "precious.txt").write_text("precious\n")
    (tmp_path / "clone" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def put(clone: Path, table: str) -> None:
    (clone / "pyproject.toml").write_text(f"[tool.torchlock]\n{table}\n{PROJECT}", encoding="utf-8")


def test_every_option_of_every_command_is_classified() -> None:
    """A new option needs its row, else it is refused from a project."""
    options = {
        action.option_strings[-1][2:]
        for command in COMMANDS
        for action in parser_of(command)[0]._actions
        if action.option_strings and action.dest != "help"
    }
    assert options == set(OPTIONS)


def test_the_documentation_names_each_that_is_refused_or_bounded() -> None:
    text = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert not [name for name, row in OPTIONS.items() if row and not any(f"`{name}`" in line for line in rows)]


@pytest.mark.parametrize("name", sorted(name for name, row in OPTIONS.items() if isinstance(row, Refusal)))
@pytest.mark.parametrize(
    "command", [["audit", "pyproject.toml"], ["lock"], ["explain", "six"], ["check", "--path", "."]]
)
def test_what_no_project_may_set_is_refused_by_every_command(
    name: str, command: list[str], clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = OPTIONS[name]
    assert isinstance(row, Refusal)
    for spelled in {name, name.replace("-", "_")}:
        put(clone, f"strict = false\n{spelled} = true")
        assert main(command) == 2
        said = capsys.readouterr().err
        assert f"pyproject.toml:3: [tool.torchlock]: a project may not set {name}, because {row.reason}" in said
        assert f"hint: remove it there, and use --{name} on the command line" in said
        assert ("or set TORCHLOCK_" in said) is row.variable


def test_the_hint_names_what_a_project_may_set(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(clone, "strikt = true")
    assert main(["audit", "pyproject.toml"]) == 2
    assert "unknown option 'strikt'; did you mean strict?" in capsys.readouterr().err
    put(clone, "bogus = true")
    assert main(["audit", "pyproject.toml"]) == 2
    _, _, hint = capsys.readouterr().err.partition("hint: use one of ")
    named = hint.strip().split(", ")
    assert "strict" in named
    assert not [name for name in named if isinstance(OPTIONS[name], Refusal)]


@pytest.mark.parametrize("table", ["[tool]\ntorchlock = 1", "[x]\n[[tool.torchlock]]"])
def test_what_is_no_table_is_told_with_its_line(
    table: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / "pyproject.toml").write_text(table)
    assert main(["audit", "pyproject.toml"]) == 2
    assert "pyproject.toml:2: [tool.torchlock] is not a table" in capsys.readouterr().err


def test_an_option_that_was_not_reviewed_is_refused(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(OPTIONS, "strict")  # type: ignore[arg-type]
    put(clone, "strict = true")
    assert main(["audit", "pyproject.toml"]) == 2
    assert "a project may not set strict" in capsys.readouterr().err


@posix
@pytest.mark.parametrize("python", ["./tool", "tool", "sub/../tool", "ABSOLUTE", "python3", "sub", "3/../../tool"])
@pytest.mark.parametrize("command", [["audit", "pyproject.toml"], ["audit", "-R"], ["lock"], ["explain", "six"]])
def test_a_project_names_no_interpreter(
    python: str,
    command: list[str],
    clone: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for place in (clone / "tool", clone / "python3", clone / "sub" / "bin" / "python"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\ntouch {clone}/ran\nexit 1\n")
        place.chmod(0o755)
    monkeypatch.setenv("PATH", str(clone))
    put(clone, f"python = {json.dumps(python.replace('ABSOLUTE', str(clone / 'tool')))}")
    assert main(command) == 2
    assert "a project may only name a Python version" in capsys.readouterr().err
    assert not (clone / "ran").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("../precious.txt", "inside its own folder"),
        ("sub/../../precious.txt", "inside its own folder"),
        ("ABOVE/precious.txt", "inside its own folder"),
        ("..", "inside its own folder"),
        ("linked.txt", "inside its own folder"),
        ("folder/precious.txt", "inside its own folder"),
        ("sub/again/precious.txt", "inside its own folder"),
        ("dangling.txt", "inside its own folder"),
        ("zero\\u0000.txt", "inside its own folder"),
        (".git/hooks/pre-commit", "a hidden file or folder"),
        (".venv/lib/a.txt", "a hidden file or folder"),
        (".gitignore", "a hidden file or folder"),
        ("hidden/a.txt", "a hidden file or folder"),
        ("conftest.py", "only name a lock"),
        ("site/evil.pth", "only name a lock"),
        ("Makefile", "only name a lock"),
        ("Cargo.toml", "only name a lock"),
    ],
)
def test_a_project_is_written_to_inside_its_folder_alone(
    output: str, reason: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.name == "posix":
        (clone / "linked.txt").symlink_to("../precious.txt")
        (clone / "dangling.txt").symlink_to("../new.txt")
        (clone / "folder").symlink_to("..")
        (clone / "sub" / "again").symlink_to("../folder")
        (clone / ".git").mkdir()
        (clone / "hidden").symlink_to(".git")
    elif not (clone / output.partition("/")[0]).exists() and reason != "only name a lock":
        pytest.skip("links of POSIX")
    before = sorted(clone.parent.rglob("*"))
    put(clone, f'output = "{output.replace("ABOVE", clone.parent.as_posix())}"')
    assert main(["lock", *TARGET]) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert "TORCHLOCK_OUTPUT" in said
    assert (clone.parent / "precious.txt").read_text() == "precious\n"
    assert sorted(clone.parent.rglob("*")) == sorted([*before, clone / "pyproject.toml"])


@pytest.mark.parametrize("output", ["requirements.txt", "./sub/torch.lock", "sub/cpu.txt", "HERE/lock.txt"])
def test_a_project_says_where_its_lock_lies(
    output: str, clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = clone
    if os.name == "posix":
        here = clone.parent / "link"
        here.symlink_to(clone)
        monkeypatch.chdir(here)
    output = output.replace("HERE", here.as_posix())
    put(clone, f"output = {json.dumps(output)}\nformat = 'requirements'")
    assert main(["lock", *TARGET]) == 0, capsys.readouterr().err
    assert "soundfile==0.12.1" in Path(output).read_text()


def test_the_user_may_write_where_he_wants(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(clone, "output = 'requirements.txt'")
    monkeypatch.setenv("TORCHLOCK_OUTPUT", "../mine.txt")
    assert main(["lock", *TARGET]) == 0
    assert (clone.parent / "mine.txt").exists()
    assert main(["lock", *TARGET, "-o", "../other.txt"]) == 0
    assert (clone.parent / "other.txt").exists()
    assert not (clone / "requirements.txt").exists()


@pytest.mark.parametrize("key", ["requirement", "constraint", "override"])
@pytest.mark.parametrize("value", ['["../precious.txt"]', '"in.txt ../precious.txt"', '["/etc/passwd"]', '["-"]'])
def test_a_project_reads_inside_its_folder_alone(
    key: str, value: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / "in.txt").write_text("six==1.16.0\n")
    put(clone, f"{key} = {value}")
    assert main(["lock", "six", *TARGET]) == 2
    assert "a project may only name files inside its own folder" in capsys.readouterr().err
    put(clone, f"{key} = ['in.txt']")
    assert main(["lock", "six", *TARGET]) == 0


@pytest.mark.parametrize("key", ["index-url", "extra-index-url"])
def test_a_project_names_no_index_in_other_folders(
    key: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in ("..", clone.parent.as_uri(), "file:///etc"):
        put(clone, f'{key} = "{value}"')
        assert main(["lock", *TARGET]) == 2
        assert "a project may only name a URL" in capsys.readouterr().err
    put(clone, f'{key} = "https://user:${{SECRET}}@example.org/simple"')
    assert main(["lock", "torchaudio", *TARGET]) in (0, 2)
    assert "may only name" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("python = 3.10", "[tool.torchlock] python = 3.10 is the number 3.1, but must be a string"),
        ("python = 3", "[tool.torchlock] python = 3 is the number 3, but must be a string"),
        ("exclude-newer = 2025", "[tool.torchlock] exclude-newer = 2025 is the number 2025"),
        ("exclude_newer = true", "[tool.torchlock] exclude-newer: True is not a single value"),
        ("system = { a = 1 }", "[tool.torchlock] system: {'a': 1} is not a single value"),
        ("group = ['a', 1.0]", "is the number 1.0, but must be a string"),
        ("group = [['a']]", "[tool.torchlock] group: ['a'] is not a single value"),
        ("no-hashes = 'perhaps'", "[tool.torchlock] no-hashes: 'perhaps' is neither true nor false"),
        ("no-hashes = 1", "[tool.torchlock] no-hashes: 1 is neither true nor false"),
        ("no-hashes = 'yes'", "[tool.torchlock] no-hashes: 'yes' is neither true nor false"),
        ("prefer = 'best'", "[tool.torchlock] prefer: unknown value 'best'"),
    ],
)
def test_a_value_of_another_type_is_told_with_its_line(
    line: str, said: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(clone, f"# a comment\n{line}")
    assert main(["lock", *TARGET, "-o", "lock.txt"]) == 2
    heard = capsys.readouterr().err
    assert "pyproject.toml:3: " in heard
    assert said in heard
    if "number 3.1," in said:
        assert 'write it in quotes: "3.10"' in heard


def test_a_date_and_a_number_where_they_belong(clone: Path) -> None:
    put(clone, "exclude-newer = 2025-03-31\nprobe-seconds = 3.5")
    assert main(["lock", *TARGET, "-o", "lock.txt"]) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a device without an end")
def test_a_pyproject_that_is_a_device_is_not_read(clone: Path) -> None:
    (clone / "pyproject.toml").symlink_to("/dev/zero")
    assert main(["explain", "TL101"]) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('system = "windows-95"', "system"),
        ('platform = "amiga"', "platform"),
        ('python = "3.99.9.9"', "python"),
        ('ignore = ["TL999"]', "ignore"),
        ('system-lib = ["ffmpeg"]', "system-lib"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_line(
    line: str, said: str, clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(clone, line)
    assert main(["audit"]) == 2
    told = capsys.readouterr().err
    number = 1 + (clone / "pyproject.toml").read_text().splitlines().index(line)
    assert f"pyproject.toml:{number}: [tool.torchlock] {said}" in told
    name, value = line.partition(" = ")[::2]
    monkeypatch.setenv(f"TORCHLOCK_{name.upper().replace('-', '_')}", value.strip('"[]'))
    assert main(["audit"]) == 2
    assert "pyproject.toml" not in capsys.readouterr().err
