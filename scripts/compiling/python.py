"""``python.toml``: what later releases of Python no longer have, or refuse, and what earlier ones do not have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from compiling.values import (
    TableError,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    tables_of,
    text_of,
    texts_of,
)


def read_python(path: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """The table, validated: the release and the sources of each name, the refused code, and the backports.

    Raises:
        TableError: the table is not of the form.
    """
    try:
        table = read_toml(path)
        refuse_unknown(table, {"removed", "refused", "added", "newer", "backports", "looked_at"})
        removed, added = _names(table, "removed", sources), _names(table, "added", sources)
        newer = [_newer(row, sources) for row in tables_of(table, "newer")]
        refused = [_refused(row, sources) for row in tables_of(table, "refused")]
        backports = {name: text_of(table["backports"], name) for name in table.get("backports", {})}
        if strange := [name for name in backports if name not in removed]:
            raise TableError(f"{strange[0]!r} is not a removed module", "backports")
        looked_at = texts_of(table, "looked_at") if "looked_at" in table else []
        found = {"removed": removed, "refused": refused, "added": added, "newer": newer}
        return {**found, "backports": backports, "looked_at": looked_at}
    except TableError as error:
        error.file = error.file or path.name
        raise


def _names(table: dict[str, Any], key: str, sources: dict[str, Any]) -> dict[str, list[Any]]:
    """The release and the sources of each name in the rows of a key."""
    found: dict[str, list[Any]] = {}
    for row in tables_of(table, key):
        refuse_unknown(row, {"release", "names", "kind", "sources"})
        for name in texts_of(row, "names"):
            found[name] = [_release(row), _sources(row, sources)]
    return found


def _newer(row: dict[str, Any], sources: dict[str, Any]) -> list[Any]:
    refuse_unknown(row, {"release", "error", "code", "text", "kind", "sources"})
    code = row["code"] and str(row["code"])
    return [_release(row), str(row["error"]), code, text_of(row, "text"), _sources(row, sources)]


def _refused(row: dict[str, Any], sources: dict[str, Any]) -> list[Any]:
    refuse_unknown(row, {"release", "error", "text", "kind", "sources"})
    return [_release(row), text_of(row, "error"), text_of(row, "text"), _sources(row, sources)]


def _release(row: dict[str, Any]) -> str:
    release = text_of(row, "release")
    if not re.fullmatch(r"3\.\d{1,2}", release):
        raise TableError("must be like '3.13'", "release")
    return release


def _sources(row: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    evidence_kind_of(row)
    named = texts_of(row, "sources")
    if unknown := [name for name in named if name not in sources]:
        raise TableError(f"unknown source {unknown[0]!r}", "sources")
    return named
