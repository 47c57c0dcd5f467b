"""``torchlock check``: examine one environment, and say why it does not load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.crash import add_bug_report
from torchlock.cli.exit_codes import BUG, OK
from torchlock.cli.output import guard_export, guard_report, write_result
from torchlock.cli.reports import Forms, exit_code, rendered
from torchlock.errors import InputError
from torchlock.jobs.check import checked, opened
from torchlock.jobs.rule_names import ignored_rules

if TYPE_CHECKING:
    import argparse

    from torchlock.check import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.verdict import Verdict
    from torchlock.cli.reports import Paint
    from torchlock.cli.streams import Console
    from torchlock.finding import Report


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: wrong use, no such environment, or a file that cannot be written.
    """
    _refuse_misuse(arguments)
    if arguments.export:
        ignored_rules(arguments.ignore)
        guard_export(arguments.output)
        return _export(opened(arguments, console).context, arguments, console)
    for output in (arguments.output, arguments.report):
        guard_report(output, [] if arguments.log is None else [arguments.log])
    context, result, report, log = checked(arguments, console)
    if context.broken:
        add_bug_report(context.broken, report.files[0].findings)
    code = BUG if context.broken else exit_code(report, lambda _: bool(arguments.strict))
    if arguments.report is not None:
        _write_support_report(context, report, result, log, arguments.report, console)
    if arguments.report != "-":
        write_result(_rendered(report, result, code, arguments, console), arguments.output, console)
    if arguments.output not in (None, "-"):
        _tell_verdict(report, result, arguments, console)
    return code


def _tell_verdict(report: Report, result: Verdict, arguments: argparse.Namespace, console: Console) -> None:
    """Say the verdict of a report that is in a file on the terminal, too."""
    from torchlock.report.check_text import head, summary

    if not arguments.quiet or report.files[0].status != "ok":
        for line in head(report, result.sentence, result.commands, console.paint, is_open=result.is_open):
            console.line(line)
    console.say("note", f"{summary(report)}; the report is in {arguments.output}")


def _write_support_report(
    context: CheckContext, report: Report, result: Verdict, log: Log | None, path: str, console: Console
) -> None:
    from torchlock.redaction import lines_of
    from torchlock.report.support_report import support_report

    first = log.first if log else None
    lines = lines_of(log.text.rstrip()) if log else []
    text = support_report(context, report, result, lines, first.line if first else 0)
    write_result(text, path, console, whole=True)


def _refuse_misuse(arguments: argparse.Namespace) -> None:
    if arguments.report == "-" and arguments.output is None and arguments.format != "text":
        raise InputError(
            "--report - and --format both write to standard output",
            hint="name a file for one of them, with --report or -o",
        )
    asked = (
        arguments.probe
        or arguments.log
        or arguments.accelerator
        or arguments.report is not None
        or arguments.format != "text"
    )
    if arguments.export and asked:
        raise InputError(
            "--export writes the installed packages, not a report",
            hint="run the check again, without --export, for a report",
        )


def _rendered(report: Report, result: Verdict, code: int, arguments: argparse.Namespace, console: Console) -> str:
    def as_json() -> str:
        from torchlock.report.check_json import check_json

        return check_json(report, result.sentence, result.commands)

    def as_text(paint: Paint) -> str:
        from torchlock.report.check_text import text

        told = {"verbose": arguments.verbose, "is_open": result.is_open}
        return text(report, result.sentence, result.commands, paint, **told)

    def as_markdown() -> str:
        from torchlock.report.markdown import markdown

        return markdown(report, f"torchlock check: {result.sentence}", result.commands)

    return rendered(
        report, code, arguments, console, lambda _: bool(arguments.strict), Forms(as_json, as_text, as_markdown)
    )


def _export(context: CheckContext, arguments: argparse.Namespace, console: Console) -> int:
    from torchlock.check.export import export

    write_result(export(context), arguments.output, console, whole=True)
    return OK
