"""``torchlock audit --fix`` and ``--diff``: apply or show the fixes of files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.audit import broken
from torchlock.cli.crash import add_crash_report
from torchlock.cli.exit_codes import BUG, OK, UNUSABLE
from torchlock.cli.reports import exit_code
from torchlock.errors import InputError, TorchlockError
from torchlock.finding import FileReport
from torchlock.jobs.audit import report_of, unusable_settings
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.audit import Auditor
    from torchlock.cli.streams import Console
    from torchlock.jobs.file_settings import FileSettings


def fix(arguments: argparse.Namespace, settings: FileSettings, files: Sequence[str], console: Console) -> int:
    """Show or apply the fixes; the exit code describes the findings that remain.

    A file that cannot be read or written is an error (exit code 2); the others are still fixed.
    """
    from torchlock.report.ledger import current

    current().of = len(files) if arguments.fix else 0
    left, there, failed, changed = [], [], False, 0
    for path in files:
        name = arguments.stdin_name if path == "-" else path
        try:
            settled = settings.of(path)
        except InputError as error:
            left.append(unusable_settings(path, error))
            there.append(left[-1])
            continue
        auditor = settings.auditor(settled)
        try:
            before = now = _read(path)
        except InputError as error:
            left.append(FileReport(path, "", error=error.message))
            there.append(left[-1])
            continue
        try:
            now = _fixed(auditor, path, before, settled.arguments, console)
        except InputError as error:
            console.say("error", str(error))
            failed = True
        except TorchlockError:
            raise
        except Exception as error:
            left.append(broken(path, error))
            there.append(left[-1])
            continue
        changed += now != before
        left.append(auditor.report(name, now))
        if left[-1].guessed and path != "-" and left[-1].status != "ok":
            console.say("note", f"{path}: not changed, because its format was only guessed from its content")
        there.append(auditor.report(name, before) if arguments.diff and now != before else left[-1])
    done = f"{changed} changed; " if arguments.fix else f"{changed} would change, then "
    done = done if changed else "no change; "
    return _concluded(left, there, settings, console, done, failed=failed)


def _concluded(
    left: list[FileReport],
    there: list[FileReport],
    settings: FileSettings,
    console: Console,
    done: str,
    *,
    failed: bool,
) -> int:
    """Report what is left, with what was ``done`` in the summary; the exit code for what was there."""
    add_crash_report({id(file): file for file in (*left, *there)}.values())
    report = report_of(left, settings)
    code = exit_code(report_of(there, settings), settings.strict)
    from torchlock.report.audit_text import summary, text

    if exit_code(report, settings.strict) != OK:
        console.line(text(report, console.paint, verbose=False, done=done).rstrip("\n"))
    else:
        console.say("note", summary(report, done=done))
    _tell_of_warnings([file for file in left if not settings.strict(file.path)], console)
    return UNUSABLE if failed and code != BUG else code


def _tell_of_warnings(left: Sequence[FileReport], console: Console) -> None:
    """Say that warnings have fixes which are not made without --strict."""
    findings = [each for file in left for each in file.findings if each.severity == "warning"]
    count = sum(1 for each in findings if each.remedy is not None and each.remedy.edits)
    if count:
        console.say("note", f"--strict also fixes {counted(count, 'warning')}")


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
        console.say("note", summary_line(path, f"{counted(_changed_lines(before, after), 'line')} changed"))
    if print_diff(path, before, after) and arguments.diff:
        console.say("note", f"{path}: this diff masks secrets, so patch cannot apply it; --fix can")
    return after


def _changed_lines(before: bytes, after: bytes) -> int:
    """The number of lines that a fix replaced, added or removed."""
    from difflib import SequenceMatcher

    old, new = before.splitlines(), after.splitlines()
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")


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
