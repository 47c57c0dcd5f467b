"""``libraries.toml``: what the libraries are that a log may show to be missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from compiling.conda import evidence_of
from compiling.values import TableError, read_toml, refuse_unknown, tables_of, text_of, texts_of, true_of

_KEYS = {"name", "what", "because", "look", "users", "shown", "anywhere", "packages", "kind", "sources", "checked"}
# The package managers whose names of packages are known.
_MANAGERS = {"apt", "conda"}


def read_libraries(path: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """The rows in their order, validated.

    Raises:
        TableError: the table is not of the form.
    """
    try:
        table = read_toml(path)
        refuse_unknown(table, {"library"})
        return {"libraries": [_row(row, sources) for row in tables_of(table, "library")]}
    except TableError as error:
        error.file = error.file or path.name
        raise


def _row(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, _KEYS)
    texts = {key: text_of(row, key) for key in ("name", "what", "because", "look")}
    try:
        re.compile(texts["name"])
    except re.error as error:
        raise TableError(f"not a pattern: {error}", "name") from error
    users: dict[str, Any] = {"users": texts_of(row, "users")} if "users" in row else {}
    if "shown" in row:
        users["shown"] = true_of(row, "shown")
        if "users" not in row:
            raise TableError("needs users", "shown")
    anywhere = {"anywhere": true_of(row, "anywhere")} if "anywhere" in row else {}
    packages = {"packages": _packages(row)} if "packages" in row else {}
    return {**texts, **users, **anywhere, **packages, **evidence_of(row, sources)}


def _packages(row: dict[str, Any]) -> dict[str, list[str]]:
    """Package manager → the packages of it that contain the library."""
    table = row["packages"]
    if not isinstance(table, dict) or not table or not set(table) <= _MANAGERS:
        raise TableError(f"must be a table of {', '.join(sorted(_MANAGERS))}", "packages")
    return {manager: texts_of(table, manager) for manager in table}
