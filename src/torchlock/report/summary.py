"""Lines that sum a run up, in one shape for all commands: ``SUBJECT: result; detail (hint)``."""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 99
"""The number of characters that a line of a verdict has at most, unless it is one long word."""
# A line ends before or after these rather than within a clause.
_ENDS = ("; ", ". ", ": ", ", ")
_BEGINS = (" (", " because ", " which ")


def summary_line(subject: str, *parts: str, hint: str = "") -> str:
    """``requirements.txt: 29 packages locked for Python 3.12``; empty parts are left out."""
    return f"{subject}: {'; '.join(part for part in parts if part)}{f' ({hint})' if hint else ''}"


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def in_lines(text: str, taken: int = 0) -> Iterator[str]:
    """A sentence in lines of at most ``WIDTH`` characters, which end between clauses where that is possible.

    ``taken`` characters of each line are for the words before it.
    """
    width = WIDTH - taken
    while len(text) > width:
        cut = _cut(text, width)
        if cut <= 0:
            break
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    yield text


def _cut(text: str, width: int) -> int:
    """Where a line ends: between two clauses of its second half, else between two words; 0 if it has one word."""
    window = text[: width + 1]
    places = [window.rfind(mark) + 1 for mark in _ENDS] + [window.rfind(mark) for mark in _BEGINS]
    clause = max(places)
    if clause >= width // 2:
        return clause
    return window.rfind(" ") if " " in window else text.find(" ")
