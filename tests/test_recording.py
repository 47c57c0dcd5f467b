"""The picture of a terminal in the README: its commands, its size, and that it asks for nothing."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

import record_terminal
from record_terminal import Row, faults, picture, record

ROWS = [Row(1.0, (("bold", "$ one <x>"),)), Row(1.5, (("", "plain & "), ("red bold", "red"))), Row(1.5, ())]


def test_the_picture_is_of_these_commands() -> None:
    assert record_terminal.main(["--check"]) == 0


def test_the_readme_shows_it() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert "](docs/assets/terminal.svg)" in readme


def test_the_lines_are_drawn_as_they_are() -> None:
    tree = ElementTree.fromstring(picture(ROWS, "a & b"))  # noqa: S314
    texts = ["".join(each.itertext()) for each in tree.iter() if each.tag.endswith("text")]
    assert texts == ["$ one <x>", "plain & red"]
    assert list(faults(picture(ROWS, "a"), ("one <x>",))) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("</svg>\n", "<script/></svg>"), "element script"),
        (("<rect", '<rect onclick="x"'), "onclick"),
        (("<style>", "<style>@import 'x';"), "loads"),
        (("<title>", "<title>" + "x" * 60_000), "bytes"),
        (("$ one", "$ two"), "the command is not in it"),
    ],
    ids=["script", "handler", "import", "size", "command"],
)
def test_a_wrong_picture_is_found(change: tuple[str, str], fault: str) -> None:
    text = picture(ROWS, "a").rstrip() + "\n"
    changed = text.replace(*change) if change[0] != "</svg>\n" else text.removesuffix("</svg>\n") + change[1]
    assert any(fault in each for each in faults(changed, ("one <x>",)))


@pytest.mark.skipif(os.name != "posix", reason="there is no pseudo-terminal")
def test_a_command_runs_in_a_terminal(tmp_path: Path) -> None:
    pytest.importorskip("pyte", reason="the extra docs is not installed")
    rows = record((r"test -t 1 && printf '\033[31mred\033[0m plain\n'",), tmp_path)
    assert rows[1].parts == (("red", "red"), ("", " plain"))
    assert rows[0].at < rows[1].at
