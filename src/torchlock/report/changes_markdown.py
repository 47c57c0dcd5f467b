"""The comparison of two locks as Markdown, for a comment on a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.redaction import masked, one_line
from torchlock.report.changes_text import consequence_lines, values_of, why_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.finding import Finding
    from torchlock.lock.changes import PinChange
    from torchlock.report.lock_diff import LockDiff

# A longer table is folded, after its first rows.
_SHOWN = 25
# What Markdown or HTML would read, and what would notify a person or link an issue.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>()|~#&@!]")


def markdown(found: LockDiff) -> str:
    """The comparison: a table of changes, consequences, findings that are new or fixed."""
    count = len(found.changes)
    what = "no package differs" if not count else "1 package differs" if count == 1 else f"{count} packages differ"
    parts = [f"**{_code(found.old)} → {_code(found.new)}: {what}**", *changes_table(found.changes)]
    if found.consequences:
        lines = [f"- {_escaped(line)}" for line in consequence_lines(found.consequences)]
        parts += ["**Consequences**", "\n".join(lines)]
    if found.begun:
        parts += ["**New errors and warnings**", "\n".join(_finding(finding) for finding in found.begun)]
    if found.fixed:
        parts += ["**Fixed**", "\n".join(_finding(finding, fix=False) for finding in found.fixed)]
    return "\n\n".join(parts) + "\n"


def changes_table(changes: Sequence[PinChange], allowed: Mapping[str, str] | None = None) -> Iterator[str]:
    """The table of changes, in one or two parts; empty without changes.

    ``allowed`` is that of ``changes_text.table``.
    """
    rows = [
        [_code(each.name), each.kind, _escaped(values_of(each)), _escaped(why_of(each, allowed or {}))]
        for each in changes
    ]
    if not rows:
        return
    heads = ["package", "change", "versions", "why"]
    if not any(row[3] for row in rows):
        heads, rows = heads[:3], [row[:3] for row in rows]
    top = [_row(heads), _row(["---"] * len(heads))]
    shown = rows if len(rows) <= _SHOWN else rows[:_SHOWN]
    yield "\n".join([*top, *map(_row, shown)])
    if rest := rows[len(shown) :]:
        inner = "\n".join([*top, *map(_row, rest)])
        yield f"<details><summary>{len(rest)} more</summary>\n\n{inner}\n\n</details>"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _finding(finding: Finding, *, fix: bool = True) -> str:
    line = f"- **{finding.severity}** {finding.rule}: {_escaped(finding.message)}"
    if fix and finding.remedy is not None:
        line += f" Fix: {_escaped(finding.remedy.summary)}"
    return line


def _code(text: str) -> str:
    """A text as code. What cannot be in a code span is escaped instead."""
    clean = one_line(masked(text))
    return _escaped(clean) if "`" in clean or "|" in clean else f"`{clean}`"


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, without a mention of a person."""
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", one_line(masked(text)))
