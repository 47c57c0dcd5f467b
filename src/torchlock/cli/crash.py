"""Write a bug report: a file with the tracebacks, for the user to send."""

from __future__ import annotations

import sys

from torchlock.finding import Remedy
from torchlock.redaction import masked, shortened
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.finding import FileReport, Finding
    from torchlock.runtime.fence import Breakage

# The number of different bugs in one report.
_MOST = 5
# The number of characters of the command line, which may name ten thousand files.
_ARGUMENTS = 4_000


def write_crash_report(breakages: Iterable[Breakage]) -> str | None:
    """Write each bug once to a file that only its owner can read; return its path.

    Never raises: returns None if no file can be written (a full disk, no temporary folder, no memory).
    """
    try:
        return _written(_text(breakages))
    except Exception:
        return None


def what_to_send(path: str | None) -> str:
    """What to do with a report, as a sentence without a full stop; ``path`` may be None."""
    if path is None:
        return "please report this bug; the file with its traceback could not be written"
    return f"please report this bug, and send {path} (read it first: it contains your arguments)"


def remedy_for(breakages: Iterable[Breakage]) -> Remedy:
    """Write down what broke; what to do with that file, as the remedy of a finding."""
    text = what_to_send(write_crash_report(breakages))
    return Remedy(f"{text[:1].upper()}{text[1:]}.")


def add_crash_report(files: Iterable[FileReport]) -> None:
    """Write one bug report for all bugs; the findings of each affected file name it."""
    broken = [file for file in files if file.broken]
    if broken:
        remedy = remedy_for(file.broken for file in broken if file.broken)
        for finding in (finding for file in broken for finding in file.findings):
            finding.remedy = remedy


def add_bug_report(breakages: Iterable[Breakage], findings: Iterable[Finding]) -> None:
    """Write a bug report; those of some findings that are about a bug name it."""
    remedy = remedy_for(breakages)
    for finding in findings:
        if finding.rule == "TL908":
            finding.remedy = remedy


def _text(breakages: Iterable[Breakage]) -> str:
    import platform

    from torchlock import __version__

    distinct = list({(each.kind, each.place): each for each in breakages}.values())
    arguments = shortened(str([masked(word) for word in sys.argv[1:]]), _ARGUMENTS)
    parts = [
        f"torchlock {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {arguments}",
        *(f"\n{each}\n{masked(each.trace)}" for each in distinct[:_MOST]),
    ]
    if len(distinct) > _MOST:
        parts.append(f"\n{len(distinct) - _MOST} more bugs")

    return "\n".join(parts)


def _written(text: str) -> str:
    import os
    import tempfile
    from pathlib import Path

    descriptor, path = tempfile.mkstemp(prefix="torchlock-", suffix=".log", text=True)  # for its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except BaseException:
        Path(path).unlink()
        raise
    return path
