"""``torchlock matrix``: which releases of the companions load with which torch, and how that is known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from torchlock.cli.exit_codes import FOUND, OK
from torchlock.errors import InputError
from torchlock.matrix.selection import COMPANIONS, EVERY, PUBLIC, Selection
from torchlock.report.summary import counted, summary_line
from torchlock.spelling import meant

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.streams import Console
    from torchlock.knowledge.gpus import Gpu
    from torchlock.matrix.table import Table
    from torchlock.matrix.values import Entry


_GPU_HINT = "use a product name, like 'RTX 4090', or an architecture, like sm_89; lock and audit know --gpu host"


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        InputError: a requirement, a target or the output file is invalid.
    """
    from torchlock.cli.output import guard_report, write_result
    from torchlock.matrix.table import Table

    guard_report(arguments.output, ())
    selection = _selection(arguments)
    table = Table()
    if arguments.format == "html":
        from torchlock.report.matrix_html import page

        write_result(page(table, selection), arguments.output, console, whole=True)
        _tell_of_file(arguments, f"the matrix, data of {table.date}", console)
        return OK
    entries = list(table.entries(selection))
    for said in table.left_out(selection):
        console.say("note", said)
    write_result(_rendered(entries, selection, table, arguments, console), arguments.output, console)
    _tell_of_file(arguments, f"{counted(len(entries), 'cell')}, data of {table.date}", console)
    return OK if entries else FOUND


def _tell_of_file(arguments: argparse.Namespace, what: str, console: Console) -> None:
    if arguments.output not in (None, "-"):
        console.say("note", summary_line(arguments.output, what))


def _rendered(
    entries: Sequence[Entry], selection: Selection, table: Table, arguments: argparse.Namespace, console: Console
) -> str:
    """The entries in the format that the command line names."""
    if arguments.format == "json":
        from torchlock.report.matrix_json import json_of

        return json_of(entries, selection, table)
    if arguments.format == "csv":
        from torchlock.report.matrix_csv import csv_of

        return csv_of(entries)
    from torchlock.report.matrix_text import text

    colored = arguments.output in (None, "-") and console.on(sys.stdout)
    paint = console.painted if colored else lambda _, said: said
    return text(entries, selection, table, paint, verbose=arguments.verbose)


def _selection(arguments: argparse.Namespace) -> Selection:
    """The filters that the command line states."""
    platforms = _platforms(arguments.platform)
    return Selection(
        ranges=_ranges(arguments.requirements),
        platforms=platforms,
        python=_python(arguments.python),
        build=_build(arguments.accelerator, platforms),
        kinds=tuple(dict.fromkeys(arguments.kind)),
        verdicts=tuple(dict.fromkeys(arguments.verdict)),
        gpu=_gpu(arguments.gpu),
        driver=_driver(arguments.driver),
    )


def _ranges(texts: Sequence[str]) -> dict[str, str]:
    """The packages that are named, each with its specifier set; ranges of one package are combined."""
    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.standards.names import normalise
    from torchlock.terms import Origin

    found: dict[str, str] = {}
    for text in texts:
        requirement = parse_requirement(text, Origin(None, None, text)).requirement
        name = normalise(requirement.name) if requirement is not None else ""
        if requirement is None or name not in ("torch", *COMPANIONS):
            known = ", ".join(("torch", *COMPANIONS))
            near = meant(name, ("torch", *COMPANIONS))
            raise InputError(f"the matrix does not cover {text!r}{near}", hint=f"it covers {known}")
        if requirement.extras:
            extras = ",".join(sorted(requirement.extras))
            raise InputError(f"{text!r}: the matrix knows no extras", hint=f"leave [{extras}] out")
        if requirement.marker or "+" in str(requirement.specifier):
            hint = "state the target with --python and --platform, and the build with --accelerator"
            raise InputError(f"{text!r}: a marker or a build label is not a range of releases", hint=hint)
        found[name] = ",".join(filter(None, (found.get(name), str(requirement.specifier))))
    return found


def _platforms(name: str) -> tuple[str, ...]:
    from torchlock.target import PLATFORMS, Platform

    if name == "all":
        return PLATFORMS
    return (str(Platform.of_host()) if name == "host" else name,)


def _python(text: str | None) -> int | None:
    if text is None:
        return None
    from torchlock.target import PYTHONS, PythonVersion

    version = PythonVersion.parse(text)
    if version.minor not in PYTHONS or version.free_threaded:
        what = "a free-threaded Python" if version.free_threaded else f"Python {version}"
        raise InputError(
            f"--python {text}: the matrix does not cover {what}",
            hint=f"it covers Python 3.{PYTHONS[0]} to 3.{PYTHONS[-1]}; torchlock lock resolves for others",
        )
    return version.minor


def _build(name: str, platforms: Sequence[str]) -> str:
    from torchlock.cli.target import accelerator_of
    from torchlock.target import Platform

    if name in (EVERY, PUBLIC):
        return name
    if name == "auto":
        raise InputError(
            "--accelerator auto: the matrix does not examine this machine", hint="name a build, or all"
        )
    return accelerator_of(name, Platform.parse(platforms[0]) if len(platforms) == 1 else None)


def _gpu(name: str | None) -> Gpu | None:
    if name is None:
        return None
    from torchlock.knowledge.gpus import parse_gpu

    if name.strip().lower() == "host" or "," in name:
        raise InputError(f"--gpu {name}: the matrix needs the name of one GPU", hint=_GPU_HINT)
    return parse_gpu(name)


def _driver(text: str | None) -> str:
    from torchlock.knowledge.drivers import driver_numbers

    if text is not None and driver_numbers(text) is None:
        raise InputError(f"--driver: {text!r} is not the version of a driver", hint="use a version like 550.54.14")
    return text or ""
