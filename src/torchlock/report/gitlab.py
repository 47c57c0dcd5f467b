"""The report of an audit or a check for GitLab's Code Quality: beside the lines of a merge request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.redaction import learn
from torchlock.report.fingerprints import digest, fingerprint, numbered
from torchlock.report.safe_json import dump_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.finding import FileReport, Report

_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def gitlab(report: Report) -> str:
    """A list with a record for each finding; an unreadable file is one, too.

    A fingerprint stays the same while the problem stays. GitLab shows one of two equal ones: the second gets a
    number.
    """
    rows = [row for file in report.files for row in _rows(file)]
    for row, unique in zip(rows, numbered(row["fingerprint"] for row in rows), strict=True):
        row["fingerprint"] = unique
    return dump_json(rows)


def _rows(file: FileReport) -> Iterator[dict[str, Any]]:
    learn(file.text)
    if file.error is not None:
        yield _row(
            f"the file cannot be read: {file.error}", "unreadable", "critical", file.path, 0, digest(file.path)
        )
    for finding in file.findings:
        remedy = finding.remedy
        text = finding.message + (f". {remedy.summary}" if remedy else "")
        text += f" {remedy.commands[0].line}" if remedy and remedy.commands else ""
        path = finding.path or file.path
        print_ = fingerprint(finding, path)
        yield _row(text, finding.rule, _SEVERITIES[finding.severity], path, finding.place.line, print_)


def _row(text: str, check: str, severity: str, path: str, line: int, print_: str) -> dict[str, Any]:
    return {
        "description": text,
        "check_name": check,
        "fingerprint": print_,
        "severity": severity,
        "location": {"path": path.replace("\\", "/").removeprefix("./"), "lines": {"begin": line or 1}},
    }
