"""The job ``check``: examine one environment, read the log, choose the root causes and their remedies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from torchlock.check import by_log, examine, fenced, healthy, is_examined, ranked, unexamined_text, verdict
from torchlock.check.system_packages import libraries_of
from torchlock.errors import InputError
from torchlock.finding import FileReport, Finding, Report
from torchlock.jobs.environment import context_of, current_folder
from torchlock.jobs.log_environment import context_with_log, folders_of, meant_alone, take_environment_of
from torchlock.jobs.rule_names import ignored_rules
from torchlock.records import NamedTuple
from torchlock.runtime import files

if TYPE_CHECKING:
    import argparse

    from torchlock.check import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.verdict import Verdict
    from torchlock.inspect.probe import Step
    from torchlock.jobs.listener import Listener

# What a report names instead of a folder.
_ALONE = "the log alone (nothing of this machine was looked at)"


class Checked(NamedTuple):
    """The result of a check: what was examined, what is wrong with it, and the log that was read."""

    context: CheckContext
    verdict: Verdict
    report: Report
    log: Log | None = None


class Opened(NamedTuple):
    """An environment with the log that is judged beside it.

    ``unread`` is the bug of the reader of logs; ``strange`` says why the log is of another environment, else "".
    """

    context: CheckContext
    log: Log | None = None
    unread: Exception | None = None
    strange: str = ""


def opened(arguments: argparse.Namespace, console: Listener) -> Opened:
    """The environment that is named, or that the log names; nothing is judged yet.

    Raises:
        TorchlockError: wrong use, or no such environment.
    """
    _refuse_misuse(arguments)
    if arguments.log is None:
        return Opened(context_of(arguments, console))
    log, unread = _log(arguments, console)
    if log is not None:
        take_environment_of(log, arguments, console)
    _refuse_root_alone(arguments)
    if log is None:
        return Opened(context_of(arguments, console), unread=unread)
    context, strange = context_with_log(log, arguments, console)
    return Opened(context, log, strange=strange)


def checked(arguments: argparse.Namespace, console: Listener) -> Checked:
    """Examine an environment, and say what is wrong with it.

    Raises:
        TorchlockError: wrong use, or no such environment.
    """
    ignore = ignored_rules(arguments.ignore)
    context, log, unread, strange = opened(arguments, console)
    found = examine(context)
    _refuse_unexamined(context, found)
    ignored = sorted({each.rule for each in found if each.rule in ignore and each.severity == "error"})
    found = [each for each in found if each.rule not in ignore]
    if arguments.probe:
        with fenced(context, found, "in the smoke test, so its result is left out"):
            found = _probed(context, found, arguments, console)
    console.clear()
    findings = ranked(found)
    remarks: list[str] = []
    with fenced(context, findings, "in the log, so the log is ignored"):
        if unread is not None:
            raise unread
        if log is not None:
            findings, remarks = _by_log(context, findings, log, strange, arguments, console)
    if any(finding.severity != "note" for finding in findings):
        _add_remedies(context, findings)
    fine = _fine(context, findings, remarks, ignored)
    result = verdict(findings, "; ".join([*remarks, fine]), is_open=bool(remarks) or not is_examined(context))
    report = _report(context, result)
    if arguments.format == "json" and report.target is not None:
        report.target["libraries"] = libraries_of(context)
    return Checked(context, result, report, log)


def _fine(context: CheckContext, findings: list[Finding], remarks: list[str], ignored: list[str]) -> str:
    """What the first line says if no finding is worse than a note; the remarks are said before it."""
    if context.broken:
        return "not everything was examined"
    if ignored:
        return f"nothing is wrong except the ignored rules ({', '.join(ignored)}){unexamined_text(context)}"
    own = [each for each in findings if each.message not in remarks]
    return healthy(context, own, is_open=bool(remarks))


def _log(arguments: argparse.Namespace, console: Listener) -> tuple[Log | None, Exception | None]:
    """A log, or the bug of its reader; of a very large file its two ends are read, which a note says.

    Raises:
        InputError: it cannot be read.
    """
    from torchlock.check.log import read_log

    text = getattr(arguments, "log_text", None)
    if text is None:
        text = _ends_of(arguments.log, console)
    try:
        return read_log(text), None
    except Exception as error:
        return None, error


def _ends_of(path: str, console: Listener) -> str:
    from torchlock.check.log import decoded
    from torchlock.manifests.text import read_ends

    head, skipped, lines, tail = read_ends(path)
    if skipped:
        size = f"{len(head) + skipped + len(tail):,} bytes"
        console.say("note", f"the log has {size}: its first and last {len(head) >> 20} MB are read")
    return decoded(head, lines, tail)


def _add_remedies(context: CheckContext, findings: list[Finding]) -> None:
    """Add a remedy to each root cause. A bug in this step leaves remedies out."""
    from torchlock.check.fix.remedies import add_remedies

    with fenced(context, findings, "while it looked for a remedy"):
        add_remedies(context, [finding for finding in findings if finding.rule != "TL908"])


def _refuse_misuse(arguments: argparse.Namespace) -> None:
    if arguments.log is None:
        _refuse_root_alone(arguments)
    if arguments.root is not None and not files.is_folder(arguments.root):
        raise InputError(
            f"--root: {arguments.root!r} is not a folder",
            hint="name the root folder of the machine that contains --path",
        )
    if arguments.probe and arguments.path is not None:
        raise InputError(
            "--probe runs an interpreter, and --path does not name one", hint="use --python instead of --path"
        )
    if not arguments.probe_seconds > 0:
        raise InputError(f"--probe-seconds: {arguments.probe_seconds:g} is not a time limit", hint="like 120")


def _refuse_root_alone(arguments: argparse.Namespace) -> None:
    if arguments.root is not None and arguments.path is None:
        raise InputError("--root needs --path", hint="name the folder of packages with --path")


def _refuse_unexamined(context: CheckContext, found: list[Finding]) -> None:
    """Refuse to call an environment healthy if its platform or Python is unknown.

    Raises:
        InputError: the platform or Python is unknown, and no error was found.
    """
    from torchlock.check.rules.import_path import why_not_judged

    if not any(each.severity == "error" for each in found) and (reason := why_not_judged(context)):
        sites = context.environment.sites
        raise InputError(
            f"--path: {sites[0].path if sites else context.environment.interpreter.prefix}: {reason}",
            hint="name the platform with --platform, like linux-x86_64; or its interpreter with --python",
        )


def _by_log(
    context: CheckContext,
    findings: list[Finding],
    log: Log,
    strange: str,
    arguments: argparse.Namespace,
    console: Listener,
) -> tuple[list[Finding], list[str]]:
    """The findings in the order that a log suggests; and remarks for the first line of the report.

    A log from another environment does not change them; ``strange`` says why it is from another one. What a log
    that is not explained means alone is added as notes.
    """
    from torchlock.check.log_order import remarks
    from torchlock.check.log_place import taken_as
    from torchlock.check.log_state import contradicted

    strange = strange or contradicted(context, log)
    if not strange:
        if not context.live and arguments.root is None:
            remark = taken_as(log, folders_of(context, arguments))
            if remark:
                console.say("note", remark)
        findings = by_log(context, log, findings)
    said = remarks(log, findings, strange)
    explained = [each.message for each in findings if each.message in said]
    is_open = bool(said) and not (log.is_handled and not strange)
    if is_open and not explained:
        alone = meant_alone(context, log, findings, arguments)
        findings, explained = [*findings, *alone], [each.message for each in alone]
    is_bad = any(each.severity != "note" for each in findings)
    for remark in dict.fromkeys([*said, *(explained if is_bad else [])]):
        console.say("note", remark)
    return findings, explained or (["this check does not explain the log"] if is_open else [])


def _probed(
    context: CheckContext, findings: list[Finding], arguments: argparse.Namespace, console: Listener
) -> list[Finding]:
    from torchlock.check.probe_results import compared
    from torchlock.inspect.interpreter import find_executable
    from torchlock.inspect.probe import probe

    console.progress("smoke test: import, resample, load and save")
    # As the user named it: it may be a script that sets variables and starts another interpreter.
    named = find_executable(arguments.python) if arguments.python else None
    executable = named or context.environment.interpreter.executable

    def progress(step: Step) -> None:
        console.progress(f"{step.name}: {step.state} {step.text}".rstrip())

    result = probe(executable, os.environ, current_folder(), arguments.probe_seconds, progress)
    return compared(context, findings, result)


def _report(context: CheckContext, result: Verdict) -> Report:
    interpreter, target = context.environment.interpreter, context.target
    sites = context.environment.sites
    path = interpreter.executable or interpreter.prefix or (sites[0].path if sites else _ALONE)
    if not context.live and sites:
        path = sites[0].path
    table: dict[str, Any] = {
        "python": interpreter.version or (str(target.python) if target else None),
        "platform": target.platform.spelled if target else None,
        "accelerator": context.label("torch"),
        "system": None,
        "libraries": dict(context.libraries),
    }
    files = [FileReport(path, "environment", result.findings)]
    return Report(files, context.matrix.date, table, context.matrix.update)
