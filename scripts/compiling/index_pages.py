"""``index_pages.toml``: the projects beside torch on the pages of the PyTorch wheel index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from compiling.values import TableError, date_of, evidence_kind_of, read_toml, refuse_unknown, texts_of

_PARTS = {"allowed", "present"}
_KEYS = {"kind", "sources", "checked", "projects"}


def _part(table: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(table, _KEYS)
    named = texts_of(table, "sources")
    unknown = next((name for name in named if name not in sources), None)
    if unknown is not None:
        raise TableError(f"unknown source {unknown!r}", "sources")
    value = table.get("projects")
    projects = value.split() if isinstance(value, str) else []
    if not projects or any(canonicalize_name(name) != name for name in projects):
        raise TableError("must be normalised names, with space between them", "projects")
    if len(set(projects)) != len(projects):
        raise TableError("names a project twice", "projects")
    return {
        "kind": evidence_kind_of(table),
        "sources": named,
        "checked": date_of(table, "checked"),
        "projects": sorted(projects),
    }


def read_index_pages(path: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """The parts of the table by name: projects that may be on a page, and those that are on every page.

    Raises:
        TableError: the table is not of the form.
    """
    try:
        table = read_toml(path)
        refuse_unknown(table, _PARTS)
        parts = {}
        for name in sorted(_PARTS):
            if not isinstance(table.get(name), dict):
                raise TableError("must be a table", name)
            try:
                parts[name] = _part(table[name], sources)
            except TableError as error:
                raise error.under(name) from None
        absent = {*parts["present"]["projects"]} - {*parts["allowed"]["projects"]}
        if absent:
            raise TableError(f"is not allowed: {sorted(absent)}", "present.projects")
        return parts
    except TableError as error:
        error.file = error.file or path.name
        raise
