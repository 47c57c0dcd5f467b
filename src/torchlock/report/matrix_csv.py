"""The matrix as CSV: one line for each entry, with the keys of the JSON as columns."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from torchlock.report.matrix_rows import KEYS, entry_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.matrix.values import Entry


def csv_of(entries: Sequence[Entry]) -> str:
    """A header and the entries. Several values of one key are separated by spaces; true and false are words."""
    out = io.StringIO()
    writer = csv.DictWriter(out, KEYS, lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        writer.writerow({key: _text(value) for key, value in entry_row(entry).items()})
    return out.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(f"{each['file']}:{each['sha256']}" if isinstance(each, dict) else each for each in value)
    return "" if value is None else str(value)
