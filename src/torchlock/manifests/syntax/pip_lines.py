"""The logical lines of pip's format, with the way back to where each character stands in the file."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from torchlock.location import Span
from torchlock.manifests.syntax.pip_options import COMMENT

# Whatever str.splitlines takes for the end of a line.
ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")
_SHORT = {"-i": "--index-url", "-f": "--find-links"}
_VALUED = {"--index-url", "--extra-index-url", "--find-links"}
_KEPT_FLAGS = {"--pre", "--no-index"}


class Line(NamedTuple):
    """Physical lines joined, their comment taken off.

    ``pieces`` say for growing offsets in ``text`` where in the file they stand; ``end`` is the end of the
    last physical line in the file, in front of its line end.
    """

    text: str
    pieces: tuple[tuple[int, int], ...]
    end: int

    def at(self, offset: int) -> int:
        """Where the character at this offset stands in the file."""
        near, there = self.pieces[bisect_right(self.pieces, (offset, 1 << 60)) - 1]
        return there + offset - near

    def span(self, start: int, end: int) -> Span:
        """Where the characters of a stretch stand in the file; an empty one clings to what is in front of it."""
        if start == end:
            at = self.at(end - 1) + 1 if end else self.at(0)
            return Span(at, at)
        return Span(self.at(start), self.at(end - 1) + 1)


def join(parts: list[tuple[str, int]]) -> Line | None:
    """The logical line that physical lines make, each with its offset; None if nothing is left of them."""
    joined = "".join(text for text, _ in parts)
    comment = COMMENT.search(joined)
    kept = joined[: comment.start()] if comment else joined
    text = kept.strip()
    if not text:
        return None
    cut = len(kept) - len(kept.lstrip())
    pieces, length = [], 0
    for part, offset in parts:
        if length + len(part) > cut and part:
            pieces.append((max(length - cut, 0), offset + max(cut - length, 0)))
        length += len(part)
    last, offset = parts[-1]
    return Line(text, tuple(pieces), offset + len(last))


class LineJoiner:
    """Joins physical lines to logical ones. ``open``: the last line goes on in the next one."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, int]] = []

    @property
    def open(self) -> bool:
        return bool(self._parts)

    def add(self, content: str, offset: int) -> Line | None:
        """Take a physical line without its end; the logical line that it completes, if there is one.

        A comment line ends a logical line, and the space keeps it a comment.
        """
        comment = content.lstrip().startswith("#")
        if comment and not self._parts:
            return None
        if content.endswith("\\") and not comment:
            bare = content.strip("\\")
            self._parts.append((bare, offset + len(content) - len(content.lstrip("\\"))))
            return None
        if comment:
            self._parts.append((" ", offset))
        self._parts.append((content, offset))
        return self.end()

    def end(self) -> Line | None:
        """The logical line that the text ends with, if there is one."""
        line = join(self._parts) if self._parts else None
        self._parts.clear()
        return line


class Piece(NamedTuple):
    """A stretch of a line that makes sense by itself: an option with its value, or (``option`` "") a word."""

    start: int
    end: int
    option: str
    value: str


def pieces(text: str, start: int = 0) -> list[Piece]:
    """The words of a line from an offset on.

    Options on indexes are in one with their values; other options are left out.
    """
    found: list[Piece] = []
    words = [(match.start(), match.end(), match[0].strip("\"'")) for match in _WORD.finditer(text, start)]
    words.reverse()
    while words:
        begin, end, word = words.pop()
        if not word.startswith("-") or word == "-":
            quoted = text[begin] in "\"'"
            found.append(Piece(begin + quoted, end - quoted, "", word))
            continue
        name, equals, value = word.partition("=")
        name = _SHORT.get(name, name)
        if name in _VALUED:
            if not equals and words:
                _, end, value = words.pop()
            found.append(Piece(begin, end, name, value))
        elif name in _KEPT_FLAGS:
            found.append(Piece(begin, end, name, ""))
    return found
