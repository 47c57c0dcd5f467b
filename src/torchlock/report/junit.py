"""The report of an audit or a check as JUnit XML, which most CI systems show as tests."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from torchlock.redaction import learn, masked, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torchlock.finding import FileReport, Finding, Report

# What XML 1.0 does not allow, also not as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report, command: str, is_strict: Callable[[str], bool]) -> str:
    """One test case for each finding that counts for the exit code, and one for each file without such a finding.

    The other findings of a file are the output of its last test case. ``command`` is ``audit`` or ``check``;
    ``is_strict``: whether a warning of the file at a path counts as an error.
    """
    cases = [case for file in report.files for case in _cases(file, strict=is_strict(file.path))]
    failures, errors = (sum(f"<{kind} " in case for case in cases) for kind in ("failure", "error"))
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    name = f'name="torchlock {command}"'
    body = "".join(f"    {case}\n" for case in cases)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<testsuites {name} {counts}>\n  <testsuite {name} {counts}>\n{body}  </testsuite>\n</testsuites>\n"
    )


def _cases(file: FileReport, *, strict: bool) -> Iterator[str]:
    learn(file.text)
    counted = {"error", "warning"} if strict else {"error"}
    bad = [finding for finding in file.findings if finding.severity in counted and file.broken is None]
    said = [f"{each.severity} {each.rule} {each.message}" for each in file.findings if each not in bad]
    rest = f"<system-out>{_lines(said)}</system-out>" if said else ""
    if file.status == "unreadable":
        text = _text(file.error if file.error is not None else str(file.broken))
        yield _case(file.path, "can be read", 0, f'<error type="unreadable" message="{text}"/>{rest}')
    elif not bad:
        yield _case(file.path, "no error found", 0, rest)
    for number, finding in enumerate(bad, 1):
        name = f"{finding.rule} {number}" if len(bad) > 1 else finding.rule
        inner = f'<failure type="{finding.rule}" message="{_text(finding.message)}">{_details(finding)}</failure>'
        is_last = number == len(bad) and file.status != "unreadable"
        yield _case(finding.path or file.path, name, finding.place.line, inner + (rest if is_last else ""))


def _case(path: str, name: str, line: int, inner: str) -> str:
    where = f' line="{line}"' if line else ""
    shown = _text(path)
    head = f'<testcase classname="{shown}" name="{_text(name)}" file="{shown}"{where}'
    return f"{head}>{inner}</testcase>" if inner else f"{head}/>"


def _details(finding: Finding) -> str:
    lines = [f"{finding.severity} {finding.rule} {finding.message}"]
    lines += [f"because {finding.because}"] if finding.because else []
    if finding.remedy is not None:
        lines += [f"Fix: {finding.remedy.summary}", *(command.line for command in finding.remedy.commands)]
    return _lines(lines)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(map(_text, lines))


def _text(text: str) -> str:
    """One line of text or an attribute, without secrets."""
    return escape(_FORBIDDEN.sub("\ufffd", one_line(masked(text))))
