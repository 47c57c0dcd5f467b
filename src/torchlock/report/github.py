"""The report of an audit as GitHub workflow commands, which show it next to the lines of a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.redaction import learn, masked, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.finding import FileReport, Report

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def github(report: Report) -> str:
    """One command per finding; an unreadable file is an error, too."""
    return "".join(f"{line}\n" for file in report.files for line in _file(file))


def _file(file: FileReport) -> Iterator[str]:
    learn(file.text)
    if file.error is not None:
        yield f"::error file={_property(file.path)},title=unreadable::{_data(file.error)}"
    for finding in file.findings:
        where = f"file={_property(finding.path or file.path)}"
        if finding.place.line:
            where += f",line={finding.place.line}"
        if finding.place.column:
            where += f",col={finding.place.column}"
        remedy = finding.remedy
        message = finding.message + (f"\n{remedy.summary}" if remedy else "")
        message += f"\n{remedy.commands[0].line}" if remedy and remedy.commands else ""
        yield f"::{_COMMANDS[finding.severity]} {where},title={_property(finding.rule)}::{_data(message)}"


def _data(text: str) -> str:
    """A message, escaped as in GitHub's toolkit."""
    text = "\n".join(one_line(part) for part in masked(text).split("\n"))
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
