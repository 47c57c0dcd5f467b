"""The report of an audit or a check as Markdown: for the summary of a job, or a comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge import stories
from torchlock.redaction import learn, masked, one_line
from torchlock.report.markdown_text import code, escaped, table
from torchlock.report.own_outputs import MARKDOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.finding import Command, FileReport, Finding, Report

# A comment of GitHub has at most 65,536 characters, and a row about 400.
_MOST = 100
_HEADS = ("severity", "place", "rule", "finding", "fix")


class _Row(NamedTuple):
    severity: str
    cells: tuple[str, ...]


def markdown(report: Report, headline: str, commands: Sequence[Command] = ()) -> str:
    """The headline, the commands that fix an environment, a table of errors and warnings, and the notes folded."""
    rows = [row for file in report.files for row in _rows(file)]
    parts = [MARKDOWN, f"**{escaped(headline)}**"]
    if commands:
        parts.append(_block(commands[0].line))
    shown = [row.cells for row in rows if row.severity != "note"]
    if shown:
        parts += _limited(shown)
    notes = [row.cells for row in rows if row.severity == "note"]
    if notes:
        inner = "\n\n".join(_limited(notes))
        title = "1 note" if len(notes) == 1 else f"{len(notes)} notes"
        parts.append(f"<details><summary>{title}</summary>\n\n{inner}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def _limited(rows: Sequence[tuple[str, ...]]) -> list[str]:
    more = [f"and {len(rows) - _MOST} more"] if len(rows) > _MOST else []
    return [table(_HEADS, rows[:_MOST]), *more]


def _block(command: str) -> str:
    """A command to copy. Three grave accents of the command itself would end the block."""
    clean = one_line(masked(command))
    return escaped(clean) if "```" in clean else f"```sh\n{clean}\n```"


def _rows(file: FileReport) -> Iterator[_Row]:
    learn(file.text)
    if file.error is not None:
        yield _Row("error", ("**error**", code(file.path), "unreadable", escaped(file.error), ""))
    for finding in file.findings:
        yield _Row(finding.severity, _cells(file, finding))


def _cells(file: FileReport, finding: Finding) -> tuple[str, ...]:
    place = finding.path or file.path
    if finding.place.line:
        place += f":{finding.place.line}"
    text = escaped(finding.message) + (f", because {escaped(finding.because)}" if finding.because else "")
    fix = "" if finding.remedy is None else escaped(finding.remedy.summary)
    severity = f"**{finding.severity}**" if finding.severity == "error" else finding.severity
    return (severity, code(place), f"[{finding.rule}]({stories.help_uri(finding.rule)})", text, fix)
