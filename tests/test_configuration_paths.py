"""Paths in a configuration file are relative to it, from whichever folder a command is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.configured import home as home
from support.configured import put
from support.local_index import publish
from torchlock.cli.main import main

pytestmark = pytest.mark.usefixtures("home")
TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--offline"]


def test_paths_are_those_of_the_file(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    project = home / "project"
    put(project / "sub" / "wanted.in", "torchaudio\n")
    put(project / "limits.txt", "torch==2.3.1\n")
    settings = 'requirement = ["sub/wanted.in"]\nconstraint = "limits.txt"\noutput = "sub/locked.txt"\n'
    put(project / "torchlock.toml", settings)
    for folder in (project, project / "sub", project / "sub" / "deep"):
        monkeypatch.chdir(folder)
        (project / "sub" / "locked.txt").unlink(missing_ok=True)
        assert main(["lock", *TARGET]) == 0, capsys.readouterr().err
        assert "torchaudio==2.3.1" in (project / "sub" / "locked.txt").read_text(encoding="utf-8")
        for other in (project, project / "sub" / "deep", home):
            monkeypatch.chdir(other)
            assert main(["lock", "--check", "--config", str(project / "torchlock.toml"), *TARGET]) == 0
    monkeypatch.chdir(home)
    assert main(["lock", "--config", str(project / "torchlock.toml"), *TARGET]) == 0
    put(project / "torchlock.toml", "output = '../outside.txt'\n")
    monkeypatch.chdir(project / "sub")
    assert main(["lock", "torch", *TARGET]) == 2
    said = capsys.readouterr().err
    assert "../torchlock.toml:1: output = '../outside.txt': a project may only name a file inside its own" in said


def test_a_local_index_is_found_from_each_folder(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The lock names it so that pip finds it from the folder of the lock, too."""
    project = home / "project"
    publish(project / "own", "demo", "1.0")
    put(project / "torchlock.toml", 'index-url = "own"\noutput = "locked.txt"\n')
    for folder in (project, project / "sub"):
        monkeypatch.chdir(folder)
        assert main(["lock", "demo", *TARGET]) == 0, capsys.readouterr().err
        (line,) = [
            each
            for each in (project / "locked.txt").read_text(encoding="utf-8").splitlines()
            if "--index-url" in each
        ]
        assert (project / line.split()[1]).resolve() == (project / "own").resolve()
