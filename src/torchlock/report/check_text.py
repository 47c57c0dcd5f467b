"""The report of a check as text: the problem and the fix first, then the findings with their evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.redaction import masked, one_line

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

    ``is_open``: a log shows a failure that the findings do not explain. A note that the first line then quotes is
    shown in any case. ``paint`` puts a style (``error``,
    ``warning``, ``note``, ``hint``, ``bold``) around a text.
    """
    file = report.files[0]
    quoted = [finding for finding in file.findings if is_open and finding.message in sentence]
    findings = [each for each in file.findings if verbose or each.severity != "note" or each in quoted]
    notes = len(file.findings) - len(findings)
    # The report does not say "ok" about parts that were not examined, nor where a log shows another failure.
    unknown = file.status == "ok" and (is_open or any(finding.rule == "TL907" for finding in file.findings))
    lines = [_first("note" if unknown else file.status, sentence, commands, paint), f"  in {_shown(file.path)}"]
    told: dict[str, None] = {}
    for finding in findings:
        lines += ["", *_finding(finding, paint, told, verbose=verbose)]
    if notes:
        lines += ["", f"{notes} note{'' if notes == 1 else 's'} (-v shows {'it' if notes == 1 else 'them'})"]
    return "\n".join(lines) + "\n"


def _first(status: str, sentence: str, commands: Sequence[Command], paint: Paint) -> str:
    head = f"{paint('hint', 'ok:')} " if status == "ok" else f"{paint(status, f'{status}:')} "
    fix = f". Fix: {paint('bold', _shown(commands[0].line))}" if commands else ""
    return f"{head}{_shown(sentence)}{fix}"


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
