"""Encoded pictures and sounds in the lines of notebooks and pages: megabytes in which no secret has a name."""

from __future__ import annotations

from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A line end in it is escaped.
_DATA = pattern(r"(?:;base64,|\"(?:image|audio|video)/[\w.+-]{1,60}\":[ \t]{0,4}\[?\")([A-Za-z0-9+/=\\]+)")
# Shorter data is searched like any other text.
_LEAST = 1_000


def around_data(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of ``text[start:end]`` that are no such data, in order."""
    if end - start > _LEAST:
        for match in _DATA.finditer(text, start, end):
            if match.end() - match.start(1) >= _LEAST:
                yield start, match.start(1)
                start = match.end()
    yield start, end
