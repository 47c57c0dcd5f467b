"""``torchlock audit``: read files, judge them, report the findings, fix them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.audit import Auditor, Options, broken
from torchlock.cli.exit_codes import BUG, OK, UNUSABLE
from torchlock.cli.output import guard_report, write_result
from torchlock.cli.reports import exit_code, ignored_rules, rendered
from torchlock.cli.safe_path import can_share, safe_path
from torchlock.errors import InputError, TorchlockError
from torchlock.finding import FileReport, Finding, Report
from torchlock.knowledge.registry import rule
from torchlock.runtime.files import is_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from torchlock.cli.reports import Paint
    from torchlock.cli.streams import Console
    from torchlock.knowledge.gpus import Gpu
    from torchlock.target import Platform

# With this many files, a second process saves time (measured: its start takes 20 ms, a file 2 to 5 ms).
_MANY = 100


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: wrong use, or a file that cannot be written.
    """
    _refuse_misuse(arguments)
    options = audit_options(arguments, console)
    files, unread = _files(arguments, console)
    guard_report(arguments.output, [*files, *unread])
    if arguments.fix or arguments.diff:
        return _fix(arguments, options, files, console)
    passed = [_unread(path) for path in unread if "TL906" not in options.ignore]
    judged = _judged(files, options, arguments, console)
    _add_crash_report(judged)
    report = _report([*judged, *passed], options, arguments)
    code = exit_code(report, strict=arguments.strict)
    for file in report.files:
        if file.error is not None:
            console.say("error", f"{file.path}: {file.error}")
    try:
        output = _rendered(report, code, arguments, console)
    except Exception:
        told = [_or_bug_in_writing(file, options, arguments, console) for file in report.files]
        if not any(file.broken for file in told):
            raise
        _add_crash_report(told)
        report, code = _report(told, options, arguments), BUG
        output = _rendered(report, code, arguments, console)
    write_result(output, arguments.output, console)
    return code


def _or_bug_in_writing(
    file: FileReport, options: Options, arguments: argparse.Namespace, console: Console
) -> FileReport:
    """The report on a file; if it cannot be written because of a bug, the report on that bug."""
    try:
        _rendered(_report([file], options, arguments), BUG, arguments, console)
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


def audit_options(arguments: argparse.Namespace, console: Console) -> Options:
    """The targets and rules of the command line."""
    from torchlock.cli.target import accelerator_of, platform_of, python_of
    from torchlock.target import PYTHONS

    platforms: tuple[Platform, ...] | None = None
    libraries: dict[str, str | None] = {}
    if arguments.platform is not None or arguments.system != "none" or arguments.system_lib:
        platform, libraries, _ = platform_of(
            arguments.platform or _platform_of(arguments), arguments.system, arguments.system_lib
        )
        platforms = (platform,)
        floors = any(text.startswith(("glibc=", "musl=", "macos=")) for text in arguments.system_lib)
        if arguments.platform is None and arguments.system == "none" and not floors:
            platforms = None
    asked_for = platforms[0] if platforms else None
    pythons = None if arguments.python is None else (python_of(arguments.python, asked_for),)
    if pythons and pythons[0].minor not in PYTHONS:
        hint = f"the data cover Python 3.{PYTHONS[0]} to 3.{PYTHONS[-1]}"
        raise InputError(f"--python: no data for Python {pythons[0]}", hint=hint)
    build = accelerator_of(arguments.accelerator, asked_for)
    gpus: tuple[Gpu, ...] = ()
    wanted: tuple[str, ...] = ()
    if arguments.gpu is not None or build != "pypi":
        from torchlock.cli.audit_builds import builds_for_files
        from torchlock.cli.build_machine import HOST, machine_for_files

        gpu = HOST if build == "auto" and arguments.gpu is None else arguments.gpu
        machine = machine_for_files(gpu, libraries.get("cuda-driver") or "")
        wanted = builds_for_files(build, asked_for, machine)
        if build == "auto":
            console.say("note", f"--accelerator auto means {', '.join(wanted)} ({machine})")
        gpus = machine.gpus or ()
        libraries = {**libraries, **machine.libraries}
    ignored = ignored_rules(arguments.ignore)
    return Options(
        pythons,
        platforms,
        ignored,
        libraries,
        gpus,
        wanted,
        wanted_by_machine=build == "auto",
        docs=arguments.docs,
    )


def _platform_of(arguments: argparse.Namespace) -> str:
    """A platform of the system that the command line names, if it names no platform."""
    from torchlock.knowledge import systems
    from torchlock.target import PLATFORMS

    if arguments.system not in ("none", "host"):
        runs_on = systems.load(arguments.system).platforms
    else:
        runs_on = ("macos",) if any(text.startswith("macos=") for text in arguments.system_lib) else ()
    return next((name for name in PLATFORMS if name.partition("-")[0] in runs_on), PLATFORMS[0])


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
    files: Sequence[str], options: Options, arguments: argparse.Namespace, console: Console
) -> list[FileReport]:
    """One report per file, in order; many files are distributed to one process per core."""
    cores = os.cpu_count() or 1
    shared = len(files) >= _MANY and cores >= 2 and "-" not in files and can_share()
    reports = _judged_by_workers(files, options, cores, console) if shared else None
    if reports is None:
        auditor, reports = Auditor(options), []
        for number, path in enumerate(files, 1):
            if len(files) > 1:
                console.progress(f"audit {number} of {len(files)}: {path}")
            reports.append(_report_on(auditor, path, arguments.stdin_name))
    console.clear()
    return reports


def _judged_by_workers(
    files: Sequence[str], options: Options, count: int, console: Console
) -> list[FileReport] | None:
    """The reports of worker processes; None if no process can be started (a limit, a long TMPDIR)."""
    from torchlock.cli.workers import judged

    def tell(number: int, path: str) -> None:
        console.progress(f"audit {number} of {len(files)}: {path}")

    try:
        with safe_path():
            return judged(files, options, count, tell)
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


def _report(files: list[FileReport], options: Options, arguments: argparse.Namespace) -> Report:
    from torchlock.knowledge.rules import Matrix

    target = {
        "python": None if options.pythons is None else [str(python) for python in options.pythons],
        "platform": None if options.platforms is None else [platform.spelled for platform in options.platforms],
        "accelerator": arguments.accelerator,
        "gpu": ",".join(gpu.arch for gpu in options.gpus) or arguments.gpu,
        "system": arguments.system,
        "libraries": dict(options.libraries),
    }
    matrix = Matrix()
    return Report(files, matrix.date, target, matrix.update)


def _add_crash_report(files: Iterable[FileReport]) -> None:
    """Write one bug report for all bugs; the findings of each affected file name it."""
    broken = [file for file in files if file.broken]
    if broken:
        from torchlock.cli import crash

        remedy = crash.remedy_for(file.broken for file in broken if file.broken)
        for finding in (finding for file in broken for finding in file.findings):
            finding.remedy = remedy


def _rendered(report: Report, code: int, arguments: argparse.Namespace, console: Console) -> str:
    def as_json() -> str:
        from torchlock.report.audit_json import audit_json

        return audit_json(report)

    def as_text(paint: Paint) -> str:
        from torchlock.report.audit_text import text

        return text(report, paint, verbose=arguments.verbose)

    return rendered(report, code, arguments, console, as_json=as_json, as_text=as_text)


def _fix(arguments: argparse.Namespace, options: Options, files: Sequence[str], console: Console) -> int:
    """Show or apply the fixes; the exit code describes the findings that remain.

    A file that cannot be read or written is an error (exit code 2); the others are still fixed.
    """
    from torchlock.report.ledger import current

    current().of = len(files) if arguments.fix else 0
    auditor = Auditor(options)
    left, there, failed = [], [], False
    for path in files:
        name = arguments.stdin_name if path == "-" else path
        try:
            before = now = _read(path)
        except InputError as error:
            left.append(FileReport(path, "", error=error.message))
            there.append(left[-1])
            continue
        try:
            now = _fixed(auditor, path, before, arguments, console)
        except InputError as error:
            console.say("error", str(error))
            failed = True
        except TorchlockError:
            raise
        except Exception as error:
            left.append(broken(path, error))
            there.append(left[-1])
            continue
        left.append(auditor.report(name, now))
        if left[-1].guessed and path != "-" and left[-1].status != "ok":
            console.say("note", f"{path}: not changed, because its format was only guessed from its content")
        there.append(auditor.report(name, before) if arguments.diff and now != before else left[-1])
    _add_crash_report({id(file): file for file in (*left, *there)}.values())
    report = _report(left, options, arguments)
    code = exit_code(_report(there, options, arguments), strict=arguments.strict)
    if exit_code(report, strict=arguments.strict) != OK:
        from torchlock.report.audit_text import text

        console.line(text(report, console.paint, verbose=False).rstrip("\n"))
    if not arguments.strict:
        _tell_of_warnings(left, console)
    return UNUSABLE if failed and code != BUG else code


def _tell_of_warnings(left: Sequence[FileReport], console: Console) -> None:
    """Say that warnings have fixes which are not made without --strict."""
    findings = [each for file in left for each in file.findings if each.severity == "warning"]
    count = sum(1 for each in findings if each.remedy is not None and each.remedy.edits)
    if count:
        console.say("note", f"--strict also fixes {count} warning{'' if count == 1 else 's'}")


def _fixed(auditor: Auditor, path: str, before: bytes, arguments: argparse.Namespace, console: Console) -> bytes:
    """Fix one file and show the changes; return the new content.

    Raises:
        InputError: it cannot be read or written.
    """
    severities = ("error", "warning") if arguments.strict else ("error",)
    after = auditor.fixed(arguments.stdin_name if path == "-" else path, severities, before)
    if after is None:
        return before
    if arguments.fix:
        from torchlock.report.atomic import write_bytes

        remark = write_bytes(path, after, expected=before).remark
        if remark:
            console.say("note", remark)
    if print_diff(path, before, after) and arguments.diff:
        console.say("note", f"{path}: this diff masks secrets, so patch cannot apply it; --fix can")
    return after


def _read(path: str) -> bytes:
    from torchlock.manifests.text import read_bytes

    if path != "-" and Path(path).exists() and not Path(path).is_file():
        raise InputError("is not a regular file", path=path)
    return read_bytes(path)


def print_diff(path: str, before: bytes, after: bytes) -> bool:
    """Print the difference for ``patch``; return whether secrets in it are masked, so that patch cannot use it."""

    from difflib import unified_diff

    from torchlock.manifests.decoding import decode
    from torchlock.redaction import lines_of, masked, one_line

    old, new = (lines_of(decode(content, path).text.rstrip("\r\n")) for content in (before, after))
    names = f"a/{path}", f"b/{path}"
    lines = list(unified_diff([line.text for line in old], [line.text for line in new], *names, lineterm=""))
    hidden = False
    if any(line.secrets for line in (*old, *new)):
        shown = unified_diff([line.masked for line in old], [line.masked for line in new], *names, lineterm="")
        hidden = lines != (lines := list(shown))
    for line in lines:
        sys.stdout.write(one_line(masked(line).replace("\t", "    ")) + "\n")
    return hidden
