"""The guides and the list of trophies: every command in them runs, and prints what they show."""

from __future__ import annotations

import shlex
import venv
from pathlib import Path

import pytest

from support.documented import File, missing, steps
from torchlock.cli.main import main
from torchlock.cli.parser import parse

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = DOCS / "guides"
DOCUMENTS = [DOCS / "trophies.md", *sorted(path for path in GUIDES.glob("*.md") if path.name != "README.md")]
# Commands that bring gigabytes; their options are parsed.
PARSED = ("fetch",)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a machine whose only environment is empty."""
    venv.create(tmp_path / "venv", with_pip=False)
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "venv"))
    monkeypatch.setenv("PATH", str(tmp_path / "venv" / "bin"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_the_index_names_every_guide() -> None:
    text = (GUIDES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in GUIDES.glob("*.md") if path.name != "README.md" and path.name not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_the_commands_print_what_is_shown(document: Path, bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = 0
    for step in steps(document.read_text(encoding="utf-8")):
        if isinstance(step, File):
            step.write(bare)
            continue
        program, *words = shlex.split(step.command)
        assert program == "torchlock"
        if words[0] in PARSED:
            parse(words)
            continue
        offline = ["--offline"] if words[0] in ("lock", "explain") else []
        code = main([*words, *offline])
        printed = capsys.readouterr()
        # Two streams, which a terminal shows in one order or the other.
        lacks = [missing(step.output, printed.err + printed.out), missing(step.output, printed.out + printed.err)]
        assert None in lacks, f"{step.command}: {lacks[0]}\n{printed.err}{printed.out}"
        assert code == step.exit_code, step.command
        ran += 1
    assert ran
