"""The logical lines of pip's format, with the position of each character in the file."""

from __future__ import annotations

from bisect import bisect_right

from torchlock.location import Span
from torchlock.manifests.syntax.pip_options import COMMENT
from torchlock.patterns import pattern
from torchlock.records import NamedTuple

# All line ends of str.splitlines.
ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_WORD = pattern(r"\"[^\"]*\"|'[^']*'|\S+")
_SHORT = {"-i": "--index-url", "-f": "--find-links"}
_VALUED = {"--index-url", "--extra-index-url", "--find-links"}
_KEPT_FLAGS = {"--pre", "--no-index"}


class Line(NamedTuple):
    """Physical lines joined, without their comment.

    ``pieces`` map growing offsets in ``text`` to offsets in the file; ``end`` is the end of the last physical line
    in the file, in front of its line end.
    """

    text: str
    pieces: tuple[tuple[int, int], ...]
    end: int

    def at(self, offset: int) -> int:
        """The offset in the file of the character at this offset."""
        near, there = self.pieces[bisect_right(self.pieces, (offset, 1 << 60)) - 1]
        return there + offset - near

    def span(self, start: int, end: int) -> Span:
        """The span in the file of a part of the line; an empty part stays with the text in front of it."""
        if start == end:
            at = self.at(end - 1) + 1 if end else self.at(0)
            return Span(at, at)
        return Span(self.at(start), self.at(end - 1) + 1)


def join(parts: list[tuple[str, int]]) -> Line | None:
    """The logical line of some physical lines, each with its offset; None if it is empty."""
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
    """Joins physical lines to logical ones. ``open``: the last line continues on the next one."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, int]] = []

    @property
    def open(self) -> bool:
        return bool(self._parts)

    def add(self, content: str, offset: int) -> Line | None:
        """Add a physical line without its end; returns the logical line that it completes, if any.

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
        """The logical line at the end of the text, if there is one."""
        line = join(self._parts) if self._parts else None
        self._parts.clear()
        return line


class Piece(NamedTuple):
    """A unit of a line: an option with its value, or (``option`` "") a word."""

    start: int
    end: int
    option: str
    value: str


def pieces(text: str, start: int = 0) -> list[Piece]:
    """The words of a line from an offset on. Index options include their values; other options are left out."""
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
