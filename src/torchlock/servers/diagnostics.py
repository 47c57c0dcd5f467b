"""The findings of an audit as diagnostics and code actions of the Language Server Protocol (3.17).

Positions count from 0; columns are characters (code points): the server changes them into the units of the editor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from torchlock.knowledge.stories import help_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.api.values import Change, Finding

SOURCE = "torchlock"
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
# That a file has nothing to judge is no news in an editor.
_SILENT = frozenset({"TL905", "TL906"})


def shown(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that an editor shows."""
    return [finding for finding in findings if finding.rule not in _SILENT]


def diagnostic(finding: Finding, lines: Sequence[str]) -> types.Diagnostic:
    """A finding where it stands: from its column to the end of the line; the first line if it has no line."""
    remedy = f"\nFix: {finding.remedy.summary}" if finding.remedy else ""
    because = f"\nbecause {finding.because}" if finding.because else ""
    return types.Diagnostic(
        range=_place(finding, lines),
        message=f"{finding.message}{because}{remedy}",
        severity=_SEVERITIES[finding.severity],
        code=finding.rule,
        code_description=types.CodeDescription(href=help_uri(finding.rule)),
        source=SOURCE,
    )


def edits(finding: Finding, lines: Sequence[str]) -> list[types.TextEdit]:
    """The changes of lines that fix a finding.

    Empty if there are none, if one may not be written as it is shown, or if the text is another one by now.
    """
    changes = finding.remedy.changes if finding.remedy else ()
    if any(not _fits(change, lines) for change in changes):
        return []
    return [_edit(change, lines) for change in changes]


def fixes(
    uri: str, findings: Sequence[Finding], lines: Sequence[str], wanted: types.Range
) -> Iterator[types.CodeAction]:
    """A quick fix for each finding that has one and stands in a range of lines."""
    for finding in findings:
        there = _place(finding, lines)
        if there.end.line < wanted.start.line or there.start.line > wanted.end.line:
            continue
        if changes := edits(finding, lines):
            yield types.CodeAction(
                title=f"{SOURCE}: {finding.remedy.summary if finding.remedy else finding.rule}",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[diagnostic(finding, lines)],
                edit=types.WorkspaceEdit(changes={uri: changes}),
            )


def whole(lines: Sequence[str]) -> types.Range:
    """The range of a whole text; ``lines`` have their ends."""
    last = lines[-1] if lines else ""
    is_ended = last.endswith(("\n", "\r"))
    end = types.Position(len(lines), 0) if is_ended else types.Position(max(len(lines) - 1, 0), len(last))
    return types.Range(types.Position(0, 0), end)


def _place(finding: Finding, lines: Sequence[str]) -> types.Range:
    number = min((finding.line or 1) - 1, max(len(lines) - 1, 0))
    text = lines[number].rstrip() if lines else ""
    start = min((finding.column or 1) - 1, len(text))
    return types.Range(types.Position(number, start), types.Position(number, len(text)))


def _fits(change: Change, lines: Sequence[str]) -> bool:
    if change.masked or change.line > len(lines):
        return False
    return change.old is None or change.old == _bare(lines[change.line - 1])


def _edit(change: Change, lines: Sequence[str]) -> types.TextEdit:
    """The edit of one line; a new line stands after the line that its change names."""
    number, text = change.line - 1, lines[change.line - 1]
    bare = _bare(text)
    end = types.Position(number, len(bare))
    if change.old is None:
        ending = text[len(bare) :] or "\n"
        return types.TextEdit(types.Range(end, end), f"{ending}{change.new}")
    return types.TextEdit(types.Range(types.Position(number, 0), end), change.new)


def _bare(line: str) -> str:
    return line.rstrip("\r\n")
