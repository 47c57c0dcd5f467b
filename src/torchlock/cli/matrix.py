"""``torchlock matrix``: which releases of the companions load with which torch, and how that is known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from torchlock.cli.exit_codes import FOUND, OK
from torchlock.jobs.matrix import selection_of
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.streams import Console
    from torchlock.matrix.selection import Selection
    from torchlock.matrix.table import Table
    from torchlock.matrix.values import Entry


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        InputError: a requirement, a target or the output file is invalid.
    """
    from torchlock.cli.output import guard_report, write_result
    from torchlock.matrix.table import Table

    guard_report(arguments.output, ())
    selection = selection_of(arguments)
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
