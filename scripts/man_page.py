#!/usr/bin/env python3
"""Write the manual page of torchlock, man/torchlock.1, from the parsers of its commands.

man_page.py            write man/torchlock.1
man_page.py --check    write nothing; exit 1 if the page is stale
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from torchlock import __version__
from torchlock.cli.interface import Command, Group, Operand, Option, interface
from torchlock.gathering.storage import write_if_changed

PAGE = Path(__file__).parents[1] / "man" / "torchlock.1"
_EXIT = (
    ("0", "done; nothing of severity error was found"),
    ("1", "no solution, a difference found by --check, or a finding of severity error"),
    ("2", "wrong use, or input that cannot be read"),
    ("3", "a bug in torchlock; its traceback is in a file"),
    ("130", "interrupted"),
)


def page(commands: tuple[Command, ...]) -> str:
    """The page in the macros of man(7); the first command is torchlock itself."""
    text = "\n".join(_lines(commands)) + "\n"
    return re.sub(r"^(\.S[HS] .*\n)\.PP\n", r"\1", text, flags=re.M)  # a heading begins a paragraph


def _lines(commands: tuple[Command, ...]) -> Iterator[str]:
    first, *others = commands
    yield f'.TH TORCHLOCK 1 "" "torchlock {__version__}" "User Commands"'
    yield ".ad l"
    yield from (".SH NAME", rf"torchlock \- {_text(first.summary)}")
    yield from (".SH SYNOPSIS", r".B torchlock", r".I COMMAND", "[options]")
    yield from (".SH DESCRIPTION", *_paragraphs(first.description.partition("\n\n")[0]))
    yield ".SH COMMANDS"
    for command in others:
        yield from (".TP", f".B {_text(command.name)}", _text(command.summary))
    yield ".SH OPTIONS"
    for group in first.groups:
        yield from _options(group)
    for command in others:
        yield f".SH TORCHLOCK {_text(command.name.upper())}"
        yield from (
            ".PP",
            f".B torchlock {_text(command.name)}",
            " ".join(["[options]", *map(_operand, command.operands)]),
        )
        yield from _paragraphs(command.description)
        for group in command.groups:
            yield from _group(group)
        if command.epilog:
            yield from (
                ".SS Examples and exit codes",
                ".nf",
                *map(_text, command.epilog.rstrip().split("\n")),
                ".fi",
            )
    yield ".SH EXIT STATUS"
    for code, meaning in _EXIT:
        yield from (".TP", f".B {code}", _text(meaning))
    yield from (".SH ENVIRONMENT", ".TP", ".B TORCHLOCK_*", "The defaults of options: TORCHLOCK_PLATFORM for")
    yield rf"{_text('--platform')}."
    yield from (
        ".SH FILES",
        ".TP",
        ".B torchlock.toml, pyproject.toml",
        "The settings of a project; the nearest one",
    )
    yield "in the current folder or above it counts."
    yield from (".SH SEE ALSO", ".BR pip (1),", ".BR uv (1)", ".PP", "https://github.com/torchlock/torchlock")


def _group(group: Group) -> Iterator[str]:
    yield f".SS {_text(group.title[:1].upper() + group.title[1:])}"
    yield from _paragraphs(group.about)
    for operand in group.operands:
        yield from (".TP", _operand(operand), _text(operand.help))
    yield from _options(group)


def _operand(operand: Operand) -> str:
    return rf"\fI{_text(operand.value.name)}\fR" + (" ..." if operand.is_many else "")


def _options(group: Group) -> Iterator[str]:
    for option in group.options:
        yield from (".TP", _spelled(option), _text(option.help))


def _spelled(option: Option) -> str:
    flags = ", ".join(rf"\fB{_text(flag)}\fR" for flag in option.flags)
    value = option.value
    if value is None:
        return flags
    if value.is_closed and value.words:
        return f"{flags} {{{_text(','.join(value.words))}}}"
    return rf"{flags} \fI{_text(value.name)}\fR"


def _paragraphs(text: str) -> Iterator[str]:
    """The text: paragraphs are filled; lines with an indent stay as they are."""
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        if not part.strip():
            continue
        lines = part.split("\n")
        if any(line.startswith(" ") for line in lines):
            yield from (".PP", ".nf", *map(_text, lines), ".fi")
        else:
            yield from (".PP", _text(" ".join(lines)))


def _text(text: str) -> str:
    """A line of text in roff: a backslash, a dash that is copied, and a line that would be a request."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main() -> int:
    """Write or compare the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is stale")
    dry: bool = parser.parse_args().check
    is_stale = write_if_changed(PAGE, page(interface()).encode(), dry=dry)
    if dry and is_stale:
        print("man/torchlock.1 is stale: run scripts/man_page.py", file=sys.stderr)
    return int(dry and is_stale)


if __name__ == "__main__":
    sys.exit(main())
