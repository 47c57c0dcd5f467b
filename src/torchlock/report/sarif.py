"""An audit as SARIF 2.1.0 (OASIS), for code scanning: rules with their help, results with their fixes."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from torchlock import __version__
from torchlock.finding import LONGEST_LINE
from torchlock.knowledge import registry, stories
from torchlock.redaction import Line, learn, lines_of, masked
from torchlock.report.fingerprints import fingerprint
from torchlock.report.safe_json import dump_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.finding import Evidence, FileReport, Finding, Report
    from torchlock.knowledge.stories import Story

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "PROJECTROOT"


def sarif(report: Report, *, exit_code: int = 0) -> str:
    """One run with a rule for each identifier that occurs, and a result for each finding."""
    rules = _rules(report)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [result for file in report.files for result in _results(file, index)]
    unreadable = [
        {
            "level": "error",
            "message": {"text": file.error or str(file.broken)},
            "locations": [_location(file.path)],
        }
        for file in report.files
        if file.status == "unreadable"
    ]
    invocation: dict[str, Any] = {"executionSuccessful": not unreadable, "exitCode": exit_code}
    if unreadable:
        invocation["toolExecutionNotifications"] = unreadable
    run = {
        "tool": {"driver": {"name": "torchlock", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "where torchlock was run"}}},
        "invocations": [invocation],
        "results": results,
    }
    return dump_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rules(report: Report) -> list[dict[str, Any]]:
    """The rules that occur: their stories and pages, with the grounds and sources of their findings."""
    found: dict[str, list[Finding]] = {}
    for file in report.files:
        for finding in file.findings:
            found.setdefault(finding.rule, []).append(finding)
    rules = []
    for rule, findings in sorted(found.items()):
        story = stories.story(rule)
        sources = {source.address: source for finding in findings for source in finding.sources}
        because = next((finding.because for finding in findings if finding.because), story.why)
        rules.append(
            {
                "id": rule,
                "shortDescription": {"text": story.title},
                "fullDescription": {"text": f"{story.what} {story.why}"},
                "help": {
                    "text": _help(because, story, [*sources.values()]),
                    "markdown": _markdown(because, story, [*sources.values()]),
                },
                "helpUri": stories.help_uri(rule),
                "defaultConfiguration": {"level": registry.get(rule).severity},
            }
        )
    return rules


def _help(because: str, story: Story, sources: list[Evidence]) -> str:
    return "\n".join(
        [because, f"Fix: {story.fix}", *(f"Source ({source.kind}): {source.address}" for source in sources)]
    )


def _markdown(because: str, story: Story, sources: list[Evidence]) -> str:
    links = [
        f"- {source.kind}: <{source.address}>" if "://" in source.address else f"- {source.kind}: {source.address}"
        for source in sources
    ]
    return "\n".join([because, "", f"Fix: {story.fix}", "", *links]).rstrip()


def _results(file: FileReport, index: dict[str, int]) -> Iterator[dict[str, Any]]:
    learn(file.text)
    lines = lines_of(file.text) if file.findings and file.text else []
    yield from (_result(file, finding, index, lines) for finding in file.findings)


def _result(file: FileReport, finding: Finding, index: dict[str, int], lines: list[Line]) -> dict[str, Any]:
    remedy = finding.remedy
    message = finding.message + (f". {remedy.summary}" if remedy else "")
    message += f" {remedy.commands[0].line}" if remedy and remedy.commands else ""
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": finding.severity,
        "message": {"text": message},
        "locations": [_location(finding.path or file.path, finding.place.line, finding.place.column, lines)],
        "partialFingerprints": {"torchlock/v2": fingerprint(finding, finding.path or file.path)},
    }
    related = [place for place in finding.related if place.line]
    if related:
        result["relatedLocations"] = [_location(file.path, place.line, place.column, lines) for place in related]
    edits = finding.remedy.edits if finding.remedy is not None else ()
    # Applying a fix with masked text would write stars into the file.
    if finding.remedy is not None and edits and not any(masked(edit.new) != edit.new for edit in edits):
        replacements = [
            {
                "deletedRegion": _region(file.text, edit.span.start, edit.span.end),
                "insertedContent": {"text": edit.new},
            }
            for edit in edits
        ]
        change = {"artifactLocation": _artifact(file.path), "replacements": replacements}
        result["fixes"] = [{"description": {"text": finding.remedy.summary}, "artifactChanges": [change]}]
    return result


def _location(path: str, line: int = 0, column: int = 0, lines: list[Line] | None = None) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(path)}
    if line:
        region: dict[str, Any] = {"startLine": line}
        if column:
            region["startColumn"] = column
        if lines and line <= len(lines):
            if len(lines[line - 1].text) <= LONGEST_LINE:
                region["snippet"] = {"text": lines[line - 1].masked}
            if column:
                region["endColumn"] = max(len(lines[line - 1].text.rstrip()) + 1, column)
        place["region"] = region
    return {"physicalLocation": place}


def _artifact(path: str) -> dict[str, Any]:
    """A relative URL with special characters escaped; an absolute path stays absolute."""
    address = quote(masked(path).replace("\\", "/"), safe="/._-~", errors="surrogateescape")
    if address.startswith("/"):
        return {"uri": f"file://{address}"}
    return {"uri": address.removeprefix("./"), "uriBaseId": _ROOT}


def _region(text: str, start: int, end: int) -> dict[str, int]:
    """A span of text as lines and columns, from 1; the end is after the last character."""
    first, last = _place(text, start), _place(text, end)
    return {"startLine": first[0], "startColumn": first[1], "endLine": last[0], "endColumn": last[1]}


def _place(text: str, offset: int) -> tuple[int, int]:
    starts = _starts(text)
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


@lru_cache(maxsize=2)
def _starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
