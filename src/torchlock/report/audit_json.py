"""The report of an audit as JSON, as documented in docs/json.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.redaction import learn, masked
from torchlock.report.safe_json import dump_json

if TYPE_CHECKING:
    from torchlock.finding import Change, FileReport, Finding, Remedy, Report


def audit_json(report: Report) -> str:
    """The report as one JSON object; keys keep their order, and unknown values are null."""
    table = {
        "torchlock": __version__,
        "data": report.date,
        **({} if report.update is None else {"data_update": report.update.row()}),
        "target": report.target,
        "files": [_file(file) for file in report.files],
    }
    return dump_json(table)


def _file(file: FileReport) -> dict[str, Any]:
    learn(file.text)
    row: dict[str, Any] = {"path": file.path, "kind": file.kind, "status": file.status}
    error = file.error if file.broken is None else file.findings[0].message
    if error is not None:
        row["error"] = error
    if file.config:
        row["config"] = file.config
    if file.target is not None:
        row["target"] = file.target
    row["findings"] = [finding_row(finding) for finding in file.findings]
    return row


def finding_row(finding: Finding) -> dict[str, Any]:
    """One finding as a dictionary."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
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
    return {"summary": remedy.summary, "changes": [_change(change) for change in remedy.changes]}


def _change(change: Change) -> dict[str, Any]:
    """A line before and after the change; ``masked`` marks a line that must not be written as shown."""
    row = {"line": change.line, "old": change.old, "new": change.new}
    hidden = any(text is not None and masked(text) != text for text in (change.old, change.new))
    return {**row, "masked": True} if hidden else row
