"""``torchlock diff``: what changed between two locks, of any tool, and what it means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from torchlock.cli.exit_codes import FOUND, OK
from torchlock.errors import InputError
from torchlock.jobs.audit_options import audit_options
from torchlock.lock.changes import changes_between
from torchlock.lock.consequences import consequences_of
from torchlock.report.lock_diff import LockDiff, findings_between

if TYPE_CHECKING:
    import argparse

    from torchlock.audit import Options
    from torchlock.cli.streams import Console
    from torchlock.manifests.pin_sets import PinSet


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: a file cannot be read as a lock, or wrong use.
    """
    if arguments.new is None:
        raise InputError(
            "nothing to compare: name two locks", hint="like: torchlock diff old.txt requirements.txt"
        )
    if arguments.old == arguments.new == "-":
        raise InputError("standard input is one of the two locks, and not both", hint="name a file for the other")
    options = audit_options(arguments, console)
    found = _compared(arguments, options)
    sys.stdout.write(_rendered(found, arguments, console))
    return FOUND if arguments.exit_code and found.changes else OK


def _compared(arguments: argparse.Namespace, options: Options) -> LockDiff:
    from torchlock.audit import Auditor
    from torchlock.knowledge.releases import Catalogue
    from torchlock.knowledge.rules import Matrix
    from torchlock.lock.diff_reasons import moves_between
    from torchlock.manifests.reader import read_content

    paths = arguments.old_name or arguments.old, arguments.new_name or arguments.new
    contents = [read_content(path) for path in (arguments.old, arguments.new)]
    old, new = (_lock(path, content) for path, content in zip(paths, contents, strict=True))
    auditor = Auditor(options)
    reports = [
        auditor.report(path, content, pins.document.kind if pins.document is not None else None)
        for path, content, pins in zip(paths, contents, (old, new), strict=True)
    ]
    begun, fixed = findings_between(*reports)
    platforms = [str(platform) for platform in options.platforms or ()]
    pythons = [python.minor for python in options.pythons or ()]
    matrix = Matrix()
    return LockDiff(
        *paths,
        changes_between(old, new, moves_between(old, new, matrix, Catalogue())),
        tuple(consequences_of(old, new, platforms or _platforms(new), pythons)),
        begun,
        fixed,
        matrix.date,
        matrix.update,
    )


def _lock(path: str, content: bytes) -> PinSet:
    """The pins of a file.

    Raises:
        InputError: it cannot be read, or pins nothing.
    """
    from torchlock.manifests.pin_sets import pin_set_of_content

    found = pin_set_of_content(path, content)
    if not any(pin.version[:1].isdigit() or pin.url for pin in found.pins):
        hint = "torchlock lock -r FILE makes a lock of a list of requirements"
        raise InputError("is not a lock: it pins no version", path=path, hint=hint)
    return found


def _platforms(pins: PinSet) -> tuple[str, ...]:
    """The platforms that a lock declares; empty for all."""
    return () if pins.document is None or pins.document.assumed else pins.document.platforms


def _rendered(found: LockDiff, arguments: argparse.Namespace, console: Console) -> str:
    if arguments.format == "json":
        from torchlock.report.changes_json import diff_json

        return diff_json(found)
    if arguments.format == "markdown":
        from torchlock.report.changes_markdown import markdown

        return markdown(found)
    from torchlock.report.changes_text import text

    paint = console.painted if console.on(sys.stdout) else lambda _, said: said
    return text(found, paint, verbose=arguments.verbose)
