"""``build_failures.toml``: why a package does not compile, by what its build prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from compiling.conda import evidence_of
from compiling.values import TableError, read_toml, refuse_unknown, tables_of, text_of, texts_of, true_of

_TEXTS = ("line", "says", "fix")
_WORDS = (*_TEXTS, "command", "in_place")
_LISTS = ("first", "options", "apt", "brew")
_KEYS = {*_TEXTS, *_LISTS, "command", "in_place", "older", "kind", "sources", "checked"}


def read_build_failures(path: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """The rows in their order, validated.

    Raises:
        TableError: the table is not of the form.
    """
    try:
        table = read_toml(path)
        refuse_unknown(table, {"failure"})
        return {"failures": [_row(row, sources) for row in tables_of(table, "failure")]}
    except TableError as error:
        error.file = error.file or path.name
        raise


def _row(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, _KEYS)
    found: dict[str, Any] = {key: text_of(row, key) for key in _WORDS if key in (*_TEXTS, *row)}
    found |= {key: texts_of(row, key) for key in _LISTS if key in row}
    if "older" in row:
        found["older"] = true_of(row, "older")
    try:
        re.compile(found["line"])
    except re.error as error:
        raise TableError(f"not a pattern: {error}", "line") from error
    if not found["fix"].endswith("."):
        raise TableError("must end with a full stop", "fix")
    return {**found, **evidence_of(row, sources)}
