"""The matrix as JSON, with the keys that docs/json.md promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock import __version__
from torchlock.report.matrix_rows import cited, entry_row, filter_row
from torchlock.report.safe_json import dump_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.matrix.selection import Selection
    from torchlock.matrix.table import Table
    from torchlock.matrix.values import Entry


def json_of(entries: Sequence[Entry], selection: Selection, table: Table) -> str:
    """One object: the filters, the entries, and the sources that they name, by identifier."""
    sources = {source: table.source(source) for source in cited(entries)}
    return dump_json(
        {
            "torchlock": __version__,
            "data": table.date,
            **({} if table.update is None else {"data_update": table.update.row()}),
            "filters": filter_row(selection),
            "cells": [entry_row(entry) for entry in entries],
            "sources": {
                key: {"address": source.address, "kind": source.kind, "date": source.date}
                for key, source in sources.items()
            },
        }
    )
