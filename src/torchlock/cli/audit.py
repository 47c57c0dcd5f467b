"""``torchlock audit``: read files, judge them, report the findings, fix them."""

from __future__ import annotations

import os

from torchlock.audit import broken
from torchlock.cli.crash import add_crash_report
from torchlock.cli.exit_codes import BUG, FOUND
from torchlock.cli.output import guard_report, write_result
from torchlock.cli.reports import Forms, exit_code, rendered
from torchlock.errors import InputError
from torchlock.jobs.audit import audited, files_of, report_of
from torchlock.jobs.file_settings import FileSettings
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.reports import Paint
    from torchlock.cli.streams import Console
    from torchlock.finding import FileReport, Report


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: wrong use, or a file that cannot be written.
    """
    _refuse_misuse(arguments)
    settings = FileSettings(arguments, console)
    files, unread = files_of(arguments, console)
    guard_report(arguments.output, [*files, *unread])
    if arguments.fix or arguments.diff:
        from torchlock.cli.audit_fix import fix

        return fix(arguments, settings, files, console)
    report = audited(files, unread, settings, console, processes=os.cpu_count() or 1)
    add_crash_report(report.files)
    code = exit_code(report, settings.strict)
    for file in report.files:
        if file.error is not None:
            console.say("error", f"{file.path}: {file.error}")
    try:
        output = _rendered(report, code, settings, arguments, console)
    except Exception:
        told = [_or_bug_in_writing(file, settings, arguments, console) for file in report.files]
        if not any(file.broken for file in told):
            raise
        add_crash_report(told)
        report, code = report_of(told, settings), BUG
        output = _rendered(report, code, settings, arguments, console)
    write_result(output, arguments.output, console)
    if arguments.output not in (None, "-"):
        from torchlock.report.audit_text import summary

        said = f"{summary(report)}; the report is in {arguments.output}"
        console.say("error" if code == FOUND else "note", said)
    return code


def _or_bug_in_writing(
    file: FileReport, settings: FileSettings, arguments: argparse.Namespace, console: Console
) -> FileReport:
    """The report on a file; if it cannot be written because of a bug, the report on that bug."""
    try:
        _rendered(report_of([file], settings), BUG, settings, arguments, console)
    except Exception as error:
        return broken(file.path, error, "while it wrote this report, so what was found here is left out")
    return file


def _refuse_misuse(arguments: argparse.Namespace) -> None:
    if arguments.fix and arguments.diff:
        raise InputError("--fix and --diff exclude each other", hint="--diff shows what --fix would change")
    if arguments.fix and "-" in arguments.files:
        raise InputError("--fix cannot change standard input", hint="use --diff to see the fix")
    if (arguments.fix or arguments.diff) and (arguments.format != "text" or arguments.output):
        name = "--fix" if arguments.fix else "--diff"
        raise InputError(f"{name} writes no report", hint=f"run the audit again, without {name}, for a report")


def _rendered(
    report: Report, code: int, settings: FileSettings, arguments: argparse.Namespace, console: Console
) -> str:
    def as_json() -> str:
        from torchlock.report.audit_json import audit_json

        return audit_json(report)

    def as_text(paint: Paint) -> str:
        from torchlock.report.audit_text import text

        # Standard error has said it already; a report in a file is read alone.
        return text(report, paint, verbose=arguments.verbose, unreadable=arguments.output is not None)

    def as_markdown() -> str:
        from torchlock.report.audit_text import summary
        from torchlock.report.markdown import markdown

        return markdown(report, f"torchlock audit: {summary(report, verbose=True)}")

    return rendered(report, code, arguments, console, settings.strict, Forms(as_json, as_text, as_markdown))
