"""Texts in Markdown that show what is meant: nothing is read as a link, a mention or HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.redaction import masked, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

# What Markdown or HTML would read, and what would notify a person or link an issue.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>()|~#&@!]")


def row(cells: Sequence[str]) -> str:
    """A line of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the cells are Markdown already."""
    return "\n".join([row(heads), row(["---"] * len(heads)), *map(row, rows)])


def code(text: str) -> str:
    """A text as code. What cannot be in a code span is escaped instead."""
    clean = one_line(masked(text))
    return escaped(clean) if "`" in clean or "|" in clean else f"`{clean}`"


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, without a mention of a person."""
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", one_line(masked(text)))
