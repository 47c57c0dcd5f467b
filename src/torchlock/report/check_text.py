"""The report of a check as text: the verdict and its command first, then the findings with their evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.redaction import masked, one_line
from torchlock.report.summary import counted, in_lines, summary_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchlock.finding import Command, Finding, Report

    Paint = Callable[[str, str], str]

# The number of consequences of one cause that are shown without -v.
_SHOWN = 4


def text(
    report: Report,
    sentence: str,
    commands: Sequence[Command],
    paint: Paint,
    *,
    verbose: bool = False,
    is_open: bool = False,
) -> str:
    """The whole report; notes and all consequences are shown only if ``verbose``.

    ``is_open``: a log shows a failure that the findings do not explain, or nothing was examined. A note that the
    first line then quotes is shown in any case. ``paint`` puts a style (``error``, ``warning``, ``note``,
    ``hint``, ``bold``) around a text.
    """
    file = report.files[0]
    quoted = [finding for finding in file.findings if is_open and finding.message in sentence]
    findings = [each for each in file.findings if verbose or each.severity != "note" or each in quoted]
    notes = len(file.findings) - len(findings)
    lines = [*head(report, sentence, commands, paint, is_open=is_open), f"  in {_shown(file.path)}"]
    told: dict[str, None] = {}
    for finding in findings:
        lines += ["", *_finding(finding, paint, told, verbose=verbose)]
    return "\n".join([*lines, "", summary(report, hidden=notes > 0)]) + "\n"


def head(
    report: Report, sentence: str, commands: Sequence[Command], paint: Paint, *, is_open: bool = False
) -> list[str]:
    """The verdict, in lines of less than 100 characters; then the command, alone in its line, ready to copy."""
    file = report.files[0]
    # The report does not say "ok" about what was not examined, nor where a log shows another failure.
    unknown = file.status == "ok" and (is_open or any(finding.rule == "TL907" for finding in file.findings))
    status = "note" if unknown else file.status
    label = f"{status}: "
    first, *others = in_lines(_shown(sentence), len(label))
    lines = [f"{paint('hint' if status == 'ok' else status, label[:-1])} {first}"]
    lines += [f"{' ' * len(label)}{each}" for each in others]
    if commands:
        lines += [paint("hint", "Fix:"), f"  {paint('bold', _shown(commands[0].line))}"]
    return lines


def summary(report: Report, *, hidden: bool = False) -> str:
    """``1 environment: 1 error; 2 notes (-v shows them)``. ``hidden``: some notes are not shown."""
    severities = [finding.severity for file in report.files for finding in file.findings]
    counts = {each: severities.count(each) for each in ("error", "warning", "note")}
    bad = ", ".join(counted(counts[each], each) for each in ("error", "warning") if counts[each])
    notes = counted(counts["note"], "note") if counts["note"] else ""
    shows = f"-v shows {'it' if counts['note'] == 1 else 'them'}" if hidden else ""
    return summary_line(counted(len(report.files), "environment"), bad or "no error", notes, hint=shows)


def _finding(finding: Finding, paint: Paint, told: dict[str, None], *, verbose: bool) -> Iterator[str]:
    yield f"{paint(finding.severity, finding.severity)} {finding.rule} {_shown(finding.message)}"
    if finding.path:
        yield f"  at {_shown(finding.path)}"
    if finding.expected_error:
        yield f"  Python says: {_shown(finding.expected_error)}"
    if finding.because:
        yield f"  because {_shown(finding.because)}"
    effects = finding.consequences if verbose else finding.consequences[:_SHOWN]
    for effect in effects:
        yield f"  so {effect.rule} {_shown(effect.message)}"
        if effect.expected_error:
            yield f"     Python says: {_shown(effect.expected_error)}"
    if len(finding.consequences) > len(effects):
        yield f"  and {len(finding.consequences) - len(effects)} more like it (-v shows them)"
    if finding.remedy is not None:
        yield f"  {paint('hint', 'Fix:')} {_shown(finding.remedy.summary)}"
        for command in finding.remedy.commands:
            yield f"    {command.tool}: {_shown(command.line)}"
    for source in finding.sources:
        if source.address not in told:
            told[source.address] = None
            yield f"  source: {_shown(source.address)}"


def _shown(words: str) -> str:
    """The text without secrets and control characters."""
    return one_line(masked(words.replace("\n", " ")))
