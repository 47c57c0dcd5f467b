"""Edits of a document's text, and the lines that they come to."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING

from torchlock.finding import LONGEST_LINE, Change
from torchlock.location import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.location import Edit
    from torchlock.manifests.document import Document

_END = re.compile(r"\r\n|\r|\n")


@lru_cache(maxsize=2)
def line_starts(text: str) -> list[int]:
    """The offset of each line of a text. Remembered for the text that is being judged."""
    return [0, *(match.end() for match in _END.finditer(text))]


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; of two that overlap only the first."""
    end, parts = len(text), []
    for edit in sorted(set(edits), reverse=True):
        if edit.span.end <= end:
            parts += [text[edit.span.end : end], edit.new]
            end = edit.span.start
    return text[:end] + "".join(reversed(parts))


def changes_of(document: Document, edits: Iterable[Edit]) -> tuple[Change, ...]:
    """What edits come to, line by line, line ends left out; very long lines are not repeated."""
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
    """The whole lines that edits touch, each stretch with its edits."""
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
    """The bytes of a file with this text, in the encoding that it was read in."""
    return document.bom + text.encode(document.encoding)
