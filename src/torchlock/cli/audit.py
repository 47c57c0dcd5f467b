"""``torchlock audit``: read files, judge them, report the findings, fix them."""

from __future__ import annotations

import os

from torchlock.audit import broken
from torchlock.cli.audit_reports import add_crash_report, report_of, unusable_settings
from torchlock.cli.exit_codes import BUG, FOUND
from torchlock.cli.file_settings import FileSettings
from torchlock.cli.output import guard_report, write_result
from torchlock.cli.reports import Forms, exit_code, rendered
from torchlock.cli.safe_path import can_share, safe_path
from torchlock.errors import InputError
from torchlock.finding import FileReport, Finding
from torchlock.knowledge.registry import rule
from torchlock.runtime.files import is_folder
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from torchlock.audit import Auditor
    from torchlock.cli.file_settings import Settled
    from torchlock.cli.reports import Paint
    from torchlock.cli.streams import Console
    from torchlock.finding import Report

# With this many files, a second process saves time (measured: its start takes 20 ms, a file 2 to 5 ms).
_MANY = 100


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: wrong use, or a file that cannot be written.
    """
    _refuse_misuse(arguments)
    settings = FileSettings(arguments, console)
    files, unread = _files(arguments, console)
    guard_report(arguments.output, [*files, *unread])
    if arguments.fix or arguments.diff:
        from torchlock.cli.audit_fix import fix

        return fix(arguments, settings, files, console)
    passed = [_unread(path) for path in unread if not _is_ignored("TL906", path, settings)]
    judged = _judged(files, settings, arguments, console)
    add_crash_report(judged)
    report = report_of([*judged, *passed], settings)
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


def _is_ignored(rule: str, path: str, settings: FileSettings) -> bool:
    try:
        return rule in settings.of(path).options.ignore
    except InputError:
        return False


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


def _files(arguments: argparse.Namespace, console: Console) -> tuple[list[str], list[str]]:
    """The named files and the files in the named folders; and the files in these folders without a reader."""
    from torchlock.manifests import search

    found: list[str] = []
    unread: list[str] = []
    for name in arguments.files or ["."]:
        if name != "-" and is_folder(name):
            held, foreign = search(name, arguments.recursive, docs=arguments.docs)
            unread += map(_without_dot, foreign)
            if not held and not foreign and not arguments.files:
                raise InputError(
                    "there is nothing to audit in this folder",
                    hint="name a file, or -R to look into its folders",
                )
            if not held and not foreign:
                console.say("note", f"{name} contains no file that can be audited")
            found += [_without_dot(path) for path in held]
        else:
            found.append(name)
    return list(dict.fromkeys(found)), list(dict.fromkeys(unread))


@rule("TL906", on="unread")
def _unread(path: str) -> FileReport:
    """The report on a file that names packages in a format without a reader."""
    from torchlock.manifests.detection import unread_by_name

    message = f"no reader for this kind of file: {unread_by_name(path)}, which names packages"
    return FileReport(path, "unread", [Finding("TL906", "note", message)])


def _without_dot(path: str) -> str:
    return path[2:] if path.startswith(("./", ".\\")) and len(path) > 2 else path


def _judged(
    files: Sequence[str], settings: FileSettings, arguments: argparse.Namespace, console: Console
) -> list[FileReport]:
    """One report per file, in order; many files are distributed to one process per core."""
    usable: dict[str, Settled] = {}
    reports: dict[str, FileReport] = {}
    for path in files:
        try:
            usable[path] = settings.of(path)
        except InputError as error:
            reports[path] = unusable_settings(path, error)
    cores = os.cpu_count() or 1
    shared = len(usable) >= _MANY and cores >= 2 and "-" not in files and can_share()
    found = _judged_by_workers(usable, settings, cores, console) if shared else None
    if found is None:
        found = []
        for number, (path, settled) in enumerate(usable.items(), 1):
            if len(files) > 1:
                console.progress(f"audit {number} of {len(files)}: {path}")
            found.append(_report_on(settings.auditor(settled), path, arguments.stdin_name))
    console.clear()
    reports.update(zip(usable, found, strict=True))
    return [reports[path] for path in files]


def _judged_by_workers(
    files: Mapping[str, Settled], settings: FileSettings, count: int, console: Console
) -> list[FileReport] | None:
    """The reports of worker processes; None if no process can be started (a limit, a long TMPDIR)."""
    from torchlock.cli.workers import judged

    def tell(number: int, path: str) -> None:
        console.progress(f"audit {number} of {len(files)}: {path}")

    jobs = [(path, settled.number) for path, settled in files.items()]
    try:
        with safe_path():
            return judged(jobs, settings.options, count, tell)
    except OSError:
        return None


def _report_on(auditor: Auditor, path: str, name: str) -> FileReport:
    if path != "-":
        return auditor.report(path)
    from torchlock.manifests import kind_of
    from torchlock.manifests.text import read_bytes

    raw = read_bytes("-")
    report = auditor.report(name, raw=raw, kind=kind_of(name, raw[:4096].decode("utf-8", "replace")))
    report.path = "-"
    return report


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
