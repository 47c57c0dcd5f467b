"""Edits of a document's text, and the changed lines that result."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

from torchlock.finding import LONGEST_LINE, Change
from torchlock.location import Span
from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.location import Edit
    from torchlock.manifests.document import Document

_END = pattern(r"\r\n|\r|\n")


@lru_cache(maxsize=2)
def line_starts(text: str) -> list[int]:
    """The offset of each line of a text. Cached, because a document is judged many times."""
    return [0, *(match.end() for match in _END.finditer(text))]


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Make all edits in a text; of two edits that overlap only the first."""
    end, parts = len(text), []
    for edit in sorted(set(edits), reverse=True):
        if edit.span.end <= end:
            parts += [text[edit.span.end : end], edit.new]
            end = edit.span.start
    return text[:end] + "".join(reversed(parts))


def changes_of(document: Document, edits: Iterable[Edit]) -> tuple[Change, ...]:
    """The lines that edits change, old and new, without line ends. Very long lines are shortened."""
    changes: list[Change] = []
    for start, end, mine in _stretches(document.text, sorted(set(edits))):
        line = bisect_right(line_starts(document.text), start)
        if end - start > LONGEST_LINE * len(mine):
            continue
        moved = [edit._replace(span=Span(edit.span.start - start, edit.span.end - start)) for edit in mine]
        before = _END.split(document.text[start:end])
        after = _END.split(apply(document.text[start:end], moved))
        for offset in range(max(len(before), len(after))):
            old = before[offset] if offset < len(before) else None
            new = after[offset] if offset < len(after) else ""
            if old != new:
                changes.append(Change(document.path, line + min(offset, len(before) - 1), old, new))
    return tuple(changes)


def _stretches(text: str, edits: Sequence[Edit]) -> list[tuple[int, int, list[Edit]]]:
    """The ranges of whole lines that edits change, each with its edits."""
    found: list[tuple[int, int, list[Edit]]] = []
    starts = line_starts(text)
    for edit in edits:
        start = starts[bisect_right(starts, edit.span.start) - 1]
        match = _END.search(text, edit.span.end)
        end = match.start() if match else len(text)
        if found and start <= found[-1][1]:
            last = found.pop()
            found.append((last[0], max(end, last[1]), [*last[2], edit]))
        else:
            found.append((start, end, [edit]))
    return found


def encoded(document: Document, text: str) -> bytes:
    """Encode a new text in the encoding of the document."""
    return document.bom + text.encode(document.encoding)
