"""Edits that split a line of a requirements file into lines that pip can read."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from torchlock.location import Edit
from torchlock.manifests.syntax.pep508 import parse
from torchlock.manifests.syntax.pip_lines import Line, Piece, pieces

if TYPE_CHECKING:
    from torchlock.manifests.syntax.pip_options import Option

_ADDRESSED = ("--index-url", "--extra-index-url", "--find-links")
_INDEXES = (*_ADDRESSED, "--no-index", "--pre")


def split_lines(line: Line, found: list[Piece], newline: str) -> tuple[Edit, ...]:
    """Put every piece of a line on its own line, and remove the text around them."""
    if not found:
        return ()
    first, last = found[0].start, found[-1].end
    edits = [Edit(line.span(0, first), ""), Edit(line.span(last, len(line.text)), "")]
    edits += [Edit(line.span(left.end, right.start), newline) for left, right in pairwise(found)]
    return tuple(sorted(edit for edit in edits if edit.span.start < edit.span.end))


def move_options(line: Line, start: int, options: list[Option], newline: str, lines: set[str]) -> tuple[Edit, ...]:
    """Move each option behind a requirement to its own line; remove it if the file already has it.

    An index beside a requirement must not replace the index of all the others, so it becomes an extra index.
    ``lines`` are those of the file; the function adds the new ones.
    """
    found = pieces(line.text, start)
    if len(found) != len(options) or any(option.name not in _INDEXES for option in options):
        return ()
    edits = []
    for piece in found:
        name = "--extra-index-url" if piece.option == "--index-url" else piece.option
        own = f"{name} {piece.value}".rstrip()
        edits.append(Edit(line.span(start, piece.end), "" if own in lines else f"{newline}{own}"))
        lines.add(own)
        start = piece.end
    return tuple(edits)


def fix_strays(line: Line, options: list[Option], newline: str) -> tuple[tuple[Edit, ...], str]:
    """Edits for words that belong to no option of the line, and a description of the edits."""
    if line.text.startswith("- "):
        fits = parse(line.text[2:].strip())
        return ((Edit(line.span(0, 2), ""),), "Remove the hyphen") if fits else ((), "")
    doubled = re.match(r"(--?[\w-]+)\s+(?=\1\s)", line.text)
    if doubled:
        return (Edit(line.span(0, doubled.end()), ""),), "Write the option once"
    condition = re.search(r"(?<!\s)\s*;", line.text)
    if condition:
        return (Edit(line.span(condition.start(), len(line.text)), ""),), "Remove the condition"
    return _strays_apart(line, options, newline)


def _strays_apart(line: Line, options: list[Option], newline: str) -> tuple[tuple[Edit, ...], str]:
    """A requirement on its own line, and a second address with its own option."""
    found = pieces(line.text)
    names = [piece.option for piece in found if piece.option]
    if names != [option.name for option in options] or not names:
        return (), ""
    edits = []
    for left, right in pairwise(found):
        address = re.match(r"\w+://\S", right.value) and names[0] in _ADDRESSED
        if right.option or not (address or parse(right.value)):
            return (), ""
        edits.append(Edit(line.span(left.end, right.start), newline + (f"{names[0]} " if address else "")))
    return tuple(edits), "Put each on its own line"
