"""The manual page: it is new, it has every option of every command, and a formatter reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import man_page
from torchlock.cli.interface import interface
from torchlock.cli.parser import COMMANDS, first_parser, parser_of

TEXT = man_page.PAGE.read_text(encoding="utf-8")


def test_the_page_is_new() -> None:
    assert man_page.page(interface()) == TEXT, "run python scripts/man_page.py"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_page_has_every_option_of_a_command(command: str) -> None:
    heading = f".SH TORCHLOCK {command.upper()}" if command else ".SH OPTIONS"
    section = TEXT.partition(f"{heading}\n")[2].partition("\n.SH ")[0].replace("\\-", "-")
    parser = parser_of(command)[0] if command else first_parser()
    spelled = {flag for action in parser._actions for flag in action.option_strings}
    assert set(re.findall(r"\\fB(-[^\\]+)\\fR", section)) == spelled
    for action in parser._actions:
        if not action.option_strings and isinstance(action.metavar, str):
            assert rf"\fI{action.metavar}\fR" in section


def test_no_text_is_taken_for_a_request() -> None:
    known = {".TH", ".ad", ".SH", ".SS", ".TP", ".B", ".I", ".BR", ".PP", ".nf", ".fi"}
    found = {line.split()[0] for line in TEXT.splitlines() if line.startswith((".", "'"))}
    assert found <= known
    assert TEXT.count("\n.nf\n") == TEXT.count("\n.fi\n")


@pytest.mark.parametrize(
    "tool",
    [["mandoc", "-T", "lint", "-W", "error"], ["groff", "-man", "-ww", "-z", "-T", "utf8"]],
    ids=lambda x: x[0],
)
def test_a_formatter_reads_the_page(tool: list[str], tmp_path: Path) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    done = subprocess.run([*tool, str(man_page.PAGE)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)
