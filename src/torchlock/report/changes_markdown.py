"""The comparison of two locks as Markdown, for a comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.report.changes_text import consequence_lines, values_of, why_of
from torchlock.report.markdown_text import code, escaped, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.finding import Finding
    from torchlock.lock.changes import PinChange
    from torchlock.report.lock_diff import LockDiff

# A longer table is folded, after its first rows.
_SHOWN = 25


def markdown(found: LockDiff) -> str:
    """The comparison: a table of changes, consequences, findings that are new or fixed."""
    count = len(found.changes)
    what = "no package differs" if not count else "1 package differs" if count == 1 else f"{count} packages differ"
    parts = [f"**{code(found.old)} → {code(found.new)}: {what}**", *changes_table(found.changes)]
    if found.consequences:
        lines = [f"- {escaped(line)}" for line in consequence_lines(found.consequences)]
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
        [code(each.name), each.kind, escaped(values_of(each)), escaped(why_of(each, allowed or {}))]
        for each in changes
    ]
    if not rows:
        return
    heads = ["package", "change", "versions", "why"]
    if not any(row[3] for row in rows):
        heads, rows = heads[:3], [row[:3] for row in rows]
    yield table(heads, rows[:_SHOWN])
    if rest := rows[_SHOWN:]:
        yield f"<details><summary>{len(rest)} more</summary>\n\n{table(heads, rest)}\n\n</details>"


def _finding(finding: Finding, *, fix: bool = True) -> str:
    line = f"- **{finding.severity}** {finding.rule}: {escaped(finding.message)}"
    if fix and finding.remedy is not None:
        line += f" Fix: {escaped(finding.remedy.summary)}"
    return line
