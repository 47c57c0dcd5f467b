"""Each file of an audit is judged by the configuration nearest to it, wherever the audit is started."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.configured import BAD, WARNED, put
from support.configured import home as home
from torchlock.cli.main import main

pytestmark = pytest.mark.usefixtures("home")


def audit(capsys: Any, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the record of each file."""
    code = main(["audit", "--json", *words])
    return code, {file["path"]: file for file in json.loads(capsys.readouterr().out)["files"]}


@pytest.mark.parametrize("start", ["project", "project/sub", "."])
def test_a_file_gets_one_answer_from_every_folder(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    put(tmp_path / "project" / "pyproject.toml", '[tool.torchlock]\nignore = ["TL101"]\n')
    file = put(tmp_path / "project" / "sub" / "requirements.txt", BAD)
    monkeypatch.chdir(tmp_path / start)
    for name in (os.path.relpath(file), str(file)):
        assert main(["audit", name]) == 0, capsys.readouterr().out
        capsys.readouterr()
    assert main(["audit", "--no-config", str(file)]) == 1


def two_projects(root: Path, count: int = 1) -> None:
    put(root / "a" / "torchlock.toml", 'ignore = ["TL101"]\npython = "3.11"\n')
    put(root / "b" / "pyproject.toml", "[tool.torchlock]\nstrict = true\n")
    for number in range(count):
        put(root / "a" / f"requirements-{number}.txt", BAD)
        put(root / "b" / f"requirements-{number}.txt", WARNED)
        put(root / "c" / f"requirements-{number}.txt", BAD)


@pytest.mark.parametrize("count", [1, 60])
def test_a_repository_with_several_projects(count: int, tmp_path: Path, capsys: Any) -> None:
    """With 180 files, worker processes judge them."""
    two_projects(Path.cwd(), count)
    code, found = audit(capsys, "-R")
    assert code == 1
    assert {path[0]: file["status"] for path, file in found.items() if path.endswith(".txt")} == {
        "a": "ok",
        "b": "warning",
        "c": "error",
    }
    record = found["a/requirements-0.txt"]
    assert record["config"] == "a/torchlock.toml"
    assert record["target"]["python"] == ["3.11"]
    assert "config" not in found["c/requirements-0.txt"]
    assert "target" not in found["b/requirements-0.txt"]


@pytest.mark.parametrize(("names", "code"), [(["a"], 0), (["b"], 1), (["a", "b"], 1), (["c"], 1)])
def test_strictness_is_that_of_the_file(names: list[str], code: int, capsys: Any) -> None:
    two_projects(Path.cwd())
    assert main(["audit", *(f"{name}/requirements-0.txt" for name in names)]) == code
    capsys.readouterr()
    Path("torchlock.toml").write_text("strict = true\n")
    Path("w.txt").write_text(WARNED)
    put(Path("d/torchlock.toml"), "")
    put(Path("d/requirements.txt"), WARNED)
    assert main(["audit", "w.txt"]) == 1
    assert main(["audit", "d/requirements.txt"]) == 0
    assert main(["audit", "d/requirements.txt", "--strict"]) == 1


def test_fixes_follow_the_settings_of_the_file(capsys: Any) -> None:
    two_projects(Path.cwd())
    assert main(["audit", "--fix", *(f"{name}/requirements-0.txt" for name in "abc")]) == 0, capsys.readouterr()
    assert Path("a/requirements-0.txt").read_text() == BAD
    assert Path("b/requirements-0.txt").read_text() != WARNED
    assert Path("c/requirements-0.txt").read_text() != BAD


def test_the_command_line_wins_for_all(capsys: Any) -> None:
    two_projects(Path.cwd())
    code, found = audit(capsys, "--python", "3.12", "a/requirements-0.txt", "c/requirements-0.txt")
    assert code == 1
    assert not [path for path, file in found.items() if "target" in file]


def test_settings_of_the_run_are_those_of_the_current_folder(capsys: Any) -> None:
    put(Path("a/torchlock.toml"), "format = 'json'\nquiet = true\n")
    put(Path("a/requirements.txt"), BAD)
    assert main(["audit", "a/requirements.txt"]) == 1
    assert capsys.readouterr().out.startswith("a/requirements.txt\n")


@pytest.mark.parametrize("text", ["python = 3.10\n", "system = 'windows-95'\n", "fix = true\n", "x = \n"])
@pytest.mark.parametrize("mode", ["--json", "--diff"])
def test_settings_that_cannot_be_used_leave_the_others_judged(text: str, mode: str, capsys: Any) -> None:
    put(Path("a/torchlock.toml"), text)
    put(Path("a/requirements.txt"), BAD)
    put(Path("c/requirements.txt"), BAD)
    assert main(["audit", mode, "a/requirements.txt", "c/requirements.txt"]) == 2
    output = capsys.readouterr()
    assert "its configuration cannot be used: a/torchlock.toml:1: " in output.err
    assert "torchaudio" in output.out


def test_standard_input_has_the_settings_of_its_name(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    import io
    import sys

    put(Path("a/torchlock.toml"), 'ignore = ["TL101"]\n')
    for name, code in (("a/requirements.txt", 0), ("requirements.txt", 1)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
        assert main(["audit", "-", "--stdin-name", name]) == code, capsys.readouterr()


def test_show_names_the_settings_of_a_file(capsys: Any) -> None:
    put(Path("a/torchlock.toml"), 'ignore = ["TL101"]\n')
    assert main(["config", "show", "audit", "a/requirements.txt"]) == 2
    assert "a/requirements.txt: there is no such file" in capsys.readouterr().err
    put(Path("a/requirements.txt"), "torch\n")
    assert main(["config", "show", "audit", "a/requirements.txt"]) == 0
    assert "TL101" in capsys.readouterr().out
    assert main(["config", "show", "audit"]) == 0
    assert "TL101" not in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_to_a_folder_leads_to_its_settings(tmp_path: Path, capsys: Any) -> None:
    put(tmp_path / "real" / "torchlock.toml", 'ignore = ["TL101"]\n')
    put(tmp_path / "real" / "requirements.txt", BAD)
    Path("link").symlink_to(tmp_path / "real")
    assert main(["audit", "link/requirements.txt"]) == 0, capsys.readouterr().out
