"""Edits of a document's text, and the lines that they come to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.finding import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.document import Document, Edit


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; of two that overlap only the first."""
    end = len(text)
    for edit in sorted(set(edits), reverse=True):
        if edit.span.end <= end:
            text = text[: edit.span.start] + edit.new + text[edit.span.end :]
            end = edit.span.start
    return text


def changes_of(document: Document, edits: Iterable[Edit]) -> tuple[Change, ...]:
    """What edits come to, line by line, line ends left out."""
    from difflib import SequenceMatcher

    edits = tuple(edits)
    if not edits:
        return ()
    before, after = _lines(document.text), _lines(apply(document.text, edits))
    changes = []
    for tag, start, end, first, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        old, new = before[start:end], after[first:last]
        for offset in range(max(len(old), len(new))):
            line = min(start + offset, max(end - 1, start)) + 1
            was = old[offset] if offset < len(old) else None
            changes.append(Change(document.path, line, was, new[offset] if offset < len(new) else ""))
    return tuple(changes)


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def encoded(document: Document, text: str) -> bytes:
    """The bytes of a file with this text, in the encoding that it was read in."""
    return document.mark + text.encode(document.encoding)
