"""``modules.toml``: the project that has each module, names that not every release has, and projects mixed up."""

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
from torchlock.standards.names import normalise

_RELEASE = re.compile(r"\d+(\.\d+){1,2}")


def read_modules(path: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """``projects``: module → project; ``changed``: name →
    ``[project, since, until, instead, gap, sources]``;
    ``mistaken``: rows ``[module, names, wanted, wrong, text, sources]``; ``shared``: module →
    ``[projects, sources]``; ``built``: module → ``[text, fix, command, sources]``; ``hosts``: rows
    ``[program, modules, classes, folder, update, sources]``.

    Raises:
        TableError: the file is not of the form.
    """
    try:
        table = read_toml(path)
        refuse_unknown(table, {"modules", "changed", "mistaken", "shared", "built", "host"})
        found: dict[str, Any] = {
            "projects": _projects(table["modules"]),
            "changed": {},
            "mistaken": [],
            "shared": {},
            "built": {},
            "hosts": [_host(row, sources) for row in tables_of(table, "host")],
        }
        for row in tables_of(table, "changed"):
            refuse_unknown(row, {"project", "since", "until", "gap", "kind", "sources", "names", "instead"})
            facts = [
                text_of(row, "project"),
                _release(row, "since"),
                _release(row, "until"),
                row.get("instead", ""),
                _gap(row),
            ]
            for name in texts_of(row, "names"):
                _once(found["changed"], name, [*facts, _sources(row, sources)])
        for row in tables_of(table, "mistaken"):
            refuse_unknown(row, {"module", "names", "wanted", "wrong", "text", "kind", "sources"})
            texts = [text_of(row, key) for key in ("module", "names", "wanted", "wrong", "text")]
            found["mistaken"].append([*texts, _sources(row, sources)])
        for row in tables_of(table, "shared"):
            refuse_unknown(row, {"module", "projects", "kind", "sources"})
            _once(found["shared"], text_of(row, "module"), [texts_of(row, "projects"), _sources(row, sources)])
        for row in tables_of(table, "built"):
            refuse_unknown(row, {"modules", "text", "fix", "command", "kind", "sources"})
            for name in texts_of(row, "modules"):
                facts = [*(text_of(row, key) for key in ("text", "fix", "command")), _sources(row, sources)]
                _once(found["built"], name, facts)
    except TableError as error:
        error.file = error.file or path.name
        raise
    return found


def _host(row: dict[str, Any], sources: dict[str, Any]) -> list[Any]:
    refuse_unknown(row, {"program", "modules", "classes", "folder", "update", "kind", "sources"})
    lists = [row[key] for key in ("modules", "classes")]
    texts = [text_of(row, key) for key in ("program", "folder", "update")]
    return [texts[0], *lists, *texts[1:], _sources(row, sources)]


def _projects(table: dict[str, Any]) -> dict[str, str]:
    refuse_unknown(table, {"same", "other"})
    found: dict[str, str] = {}
    for module in texts_of(table, "same"):
        _once(found, module, normalise(module))
    for module in table["other"]:
        _once(found, module, normalise(text_of(table["other"], module)))
    return found


def _once(rows: dict[str, Any], name: str, value: object) -> None:
    if name in rows:
        raise TableError(f"{name!r} stands twice", "names")
    rows[name] = value


def _release(row: dict[str, Any], key: str) -> str:
    if key not in row:
        return ""
    if not _RELEASE.fullmatch(text_of(row, key)):
        raise TableError("must be a release like 2.4", key)
    return text_of(row, key)


def _gap(row: dict[str, Any]) -> list[str]:
    """The first release between others that lacks it, and the first one after that with it; empty if none does."""
    found = texts_of(row, "gap") if "gap" in row else []
    if found and (len(found) != 2 or not all(map(_RELEASE.fullmatch, found))):
        raise TableError("must be two releases like 2.4", "gap")
    return found


def _sources(row: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    evidence_kind_of(row)
    named = texts_of(row, "sources")
    if unknown := [name for name in named if name not in sources]:
        raise TableError(f"unknown source {unknown[0]!r}", "sources")
    return named
