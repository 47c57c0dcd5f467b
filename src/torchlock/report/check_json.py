"""The report of a check as JSON: as for an audit, with a path instead of a line (docs/json.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.report.audit_json import finding_row
from torchlock.report.safe_json import dump_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.finding import Command, Finding, Report


def check_json(report: Report, sentence: str, commands: Sequence[Command]) -> str:
    """The report as one JSON object; keys keep their order, and unknown values are null."""
    file = report.files[0]
    table = {
        "torchlock": __version__,
        "data": report.date,
        **({} if report.update is None else {"data_update": report.update.row()}),
        "target": report.target,
        "summary": sentence,
        "command": commands[0].line if commands else None,
        "files": [
            {
                "path": file.path,
                "kind": file.kind,
                "status": file.status,
                "findings": [_finding(finding) for finding in file.findings],
            }
        ],
    }
    return dump_json(table)


def _finding(finding: Finding) -> dict[str, Any]:
    row = finding_row(finding)
    remedy = finding.remedy
    if remedy is not None:
        row["remedy"]["commands"] = [{"tool": command.tool, "line": command.line} for command in remedy.commands]
    shown = {
        "rule": row.pop("rule"),
        "severity": row.pop("severity"),
        "message": row.pop("message"),
        "path": finding.path or None,
        "says": finding.expected_error or None,
    }
    del row["line"], row["column"]
    return {**shown, **row, "consequences": [_finding(effect) for effect in finding.consequences]}
