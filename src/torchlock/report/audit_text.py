"""The report of an audit as text: findings by file, each with its line, remedy and sources."""

from __future__ import annotations

import re

from torchlock.redaction import Line, learn, lines_of, masked, one_line
from torchlock.report.summary import counted, summary_line
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchlock.finding import FileReport, Finding, Report
    from torchlock.location import Place

# A longer line is cut; the part around the error is shown.
_WIDTH = 100
_WORD = re.compile(r"\S+")
# Formats with install commands, in which quotes and spaces separate words.
_COMMANDS = {"dockerfile", "shell", "batch", "powershell", "make", "notebook", "workflow"}
_REQUIREMENT = re.compile(r"[^;#]*[^\s;#,]")


def text(
    report: Report,
    paint: Callable[[str, str], str],
    *,
    verbose: bool = False,
    done: str = "",
    unreadable: bool = True,
) -> str:
    """The whole report, with a summary as its last line; notes are shown only if ``verbose``.

    ``paint`` puts a style (``error``, ``warning``, ``note``, ``hint``, ``bold``) around a text. ``done`` is what
    was done with the files, for the summary: "2 changed; ". ``unreadable``: say also why files are unreadable,
    unless that was said elsewhere.
    """
    files = [file for file in report.files if unreadable or file.error is None]
    parts = [_file(file, paint, verbose=verbose) for file in files]
    return "\n".join([*(part for part in parts if part), summary(report, verbose=verbose, done=done)]) + "\n"


# Findings about things that were not judged.
_UNJUDGED = frozenset({"TL901", "TL902", "TL903"})


def summary(report: Report, *, verbose: bool = False, done: str = "") -> str:
    """``3 files: 2 errors, 1 warning; 2 things could not be judged; 1 note (-v shows them)``."""
    found = [finding for file in report.files for finding in file.findings]
    files = counted(len(report.files), "file")
    severities = [finding.severity for finding in found if finding.rule != "TL908"]
    bad = [counted(severities.count(each), each) for each in ("error", "warning") if severities.count(each)]
    unreadable = sum(file.error is not None for file in report.files)
    if unreadable:
        bad.append(f"{unreadable} unreadable")
    broken = sum(file.broken is not None for file in report.files)
    if broken:
        bad.append(f"{broken} not judged because torchlock failed")
    notes = [finding for finding in found if finding.severity == "note"]
    unjudged = sum(finding.rule in _UNJUDGED for finding in notes)
    empty = sum(file_has(file, "TL905") and not file.names_stack for file in report.files)
    unread = sum(file_has(file, "TL906") for file in report.files)
    if empty + unread < len(report.files):
        parts = [", ".join(bad) if bad else "nothing is wrong" + (" in what could be judged" if unjudged else "")]
        parts += [f"no requirement found in {empty}"] if empty else []
    else:
        parts = [f"{'no requirement found, so ' if empty else ''}nothing was judged"]
    parts += [f"{unread} not read"] if unread else []
    if unjudged:
        parts.append(f"{counted(unjudged, 'thing')} could not be" + (" judged" if bad else ""))
    if len(notes) > unjudged:
        parts.append(counted(len(notes) - unjudged, "note"))
    hint = "-v shows them" if notes and not verbose else ""
    return summary_line(files, f"{done}{parts[0]}", *parts[1:], hint=hint)


def file_has(file: FileReport, rule: str) -> bool:
    """Whether a file has a finding of a rule."""
    return any(finding.rule == rule for finding in file.findings)


def _file(file: FileReport, paint: Callable[[str, str], str], *, verbose: bool) -> str:
    learn(file.text)
    name = _shown(file.path)
    if file.error is not None:
        return f"{paint('bold', name)}\n  {paint('error', 'unreadable')} {_shown(file.error)}\n"
    findings = [finding for finding in file.findings if verbose or finding.severity != "note"]
    if not findings:
        return ""
    lines = lines_of(file.text)
    told: dict[str, None] = {}
    parts = [line for finding in findings for line in (*_finding(file, finding, lines, paint, told), "")]
    return "\n".join([paint("bold", name), *parts])


def _finding(
    file: FileReport,
    finding: Finding,
    lines: Sequence[Line],
    paint: Callable[[str, str], str],
    told: dict[str, None],
) -> Iterator[str]:
    """One finding; reasons, changes and sources of an earlier finding of the file are not repeated."""
    place = ":".join(str(number) for number in (file.path, *finding.place) if number)
    severity = paint(finding.severity, finding.severity)
    yield f"  {_shown(place)}: {severity} {finding.rule} {_shown(finding.message)}"
    if file.text and 0 < finding.place.line <= len(lines):
        words = _WORD if file.kind in _COMMANDS else _REQUIREMENT
        yield from _quoted(lines[finding.place.line - 1], finding.place, words, paint)
    if finding.because and finding.because not in told:
        yield f"    because {_shown(finding.because)}"
        told[finding.because] = None
    if finding.remedy is not None:
        yield f"    {paint('hint', 'Fix:')} {_shown(finding.remedy.summary)}"
        for change in finding.remedy.changes:
            if str(change) not in told:
                if change.old is not None:
                    yield f"      {change.line:>4} - {_cut(change.old)}"
                yield f"      {change.line:>4} + {_cut(change.new)}"
                told[str(change)] = None
    new = [source.address for source in finding.sources if source.address not in told]
    for address in dict.fromkeys(new):
        yield f"    source: {_shown(address)}"
        told[address] = None


def _quoted(line: Line, place: Place, words: re.Pattern[str], paint: Callable[[str, str], str]) -> Iterator[str]:
    """The line, and a mark under the string, word or requirement at the column."""
    start = max(place.column - 1, 0)
    left = max(0, start - _WIDTH // 2) if len(line.text) > _WIDTH else 0
    head, tail = line.cut(left, start).replace("\t", " "), line.cut(start, left + _WIDTH)
    head = _shown(head.lstrip() if not left else f"…{head}")
    tail = _shown(tail.replace("\t", " ").rstrip())
    yield f"    {place.line:>4} | {head}{tail}"
    if place.column:
        quote = line.text[start - 1 : start]
        word = tail.partition(quote)[0] if quote in ('"', "'") else (words.match(tail) or [""])[0]
        yield f"         | {' ' * len(head)}{paint('error', '^' * max(len(word), 1))}"


def _cut(line: str) -> str:
    shown = _shown(line.strip())
    return shown if len(shown) <= _WIDTH + 20 else f"{shown[: _WIDTH + 20]}…"


def _shown(words: str) -> str:
    """The text without secrets and control characters."""
    return one_line(masked(words.replace("\n", " ")))
