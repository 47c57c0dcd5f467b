"""Places in a text: a line and column, a span of characters, an edit of that span."""

from __future__ import annotations

from torchlock.records import NamedTuple


class Place(NamedTuple):
    """A place in a file: line and column from 1; column 0 if only the line is known, line 0 for the whole file."""

    line: int = 0
    column: int = 0


NOWHERE = Place()


class Span(NamedTuple):
    """A part of ``Document.text``, as offsets in characters: ``text[start:end]``."""

    start: int
    end: int


class Edit(NamedTuple):
    """Replace ``Document.text[span.start:span.end]`` by ``new``."""

    span: Span
    new: str
