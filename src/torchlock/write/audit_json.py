"""An audit as JSON, in the form that the documentation promises (docs/json.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.words import without_credentials
from torchlock.write.plain_json import dumped

if TYPE_CHECKING:
    from torchlock.finding import FileReport, Finding, Remedy, Report


def audit_json(report: Report) -> str:
    """The report as one JSON object; keys keep their order, and what is not known is null."""
    table = {
        "torchlock": __version__,
        "data": report.date,
        "target": report.target,
        "files": [_file(file) for file in report.files],
    }
    return dumped(table)


def _file(file: FileReport) -> dict[str, Any]:
    row: dict[str, Any] = {"path": file.path, "kind": file.kind, "status": file.status}
    error = file.error if file.broken is None else file.findings[0].message
    if error is not None:
        row["error"] = without_credentials(error)
    row["findings"] = [finding_row(finding) for finding in file.findings]
    return row


def finding_row(finding: Finding) -> dict[str, Any]:
    """One finding as a table."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": without_credentials(finding.message),
        "line": finding.place.line or None,
        "column": finding.place.column or None,
        "packages": [{"name": name, "version": version} for name, version in finding.packages],
        "because": finding.because,
        "sources": [
            {"id": source.id, "address": source.address, "kind": source.kind, "date": source.date}
            for source in finding.sources
        ],
        "remedy": None if finding.remedy is None else _remedy(finding.remedy),
    }


def _remedy(remedy: Remedy) -> dict[str, Any]:
    changes = [{"line": change.line, "old": change.old, "new": change.new} for change in remedy.changes]
    return {"summary": remedy.summary, "changes": changes}
