"""``systems/*.toml``: distribution releases and their libraries."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from compiling.values import (
    SYSTEMS,
    TableError,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    tables_of,
    text_of,
    texts_of,
)

_SYSTEM_KEYS = {
    "id",
    "title",
    "platforms",
    "libc",
    "python",
    "install",
    "kind",
    "sources",
    "checked",
    "note",
    "library",
}
_LIBRARY_KEYS = {"version", "packages", "note"}


def _library(table: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(table, _LIBRARY_KEYS)
    library: dict[str, Any] = {}
    if "version" in table:
        library["version"] = text_of(table, "version")
        if not re.fullmatch(r"\d+(\.\d+)*", library["version"]):
            raise TableError(f"{library['version']!r} is not the version of a release", "version")
    if "packages" in table:
        library["packages"] = texts_of(table, "packages")
    if "note" in table:
        library["note"] = text_of(table, "note")
    if not library:
        raise TableError("says nothing")
    return library


def _system(table: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    refuse_unknown(table, _SYSTEM_KEYS)
    identifier = text_of(table, "id")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", identifier):
        raise TableError(f"{identifier!r} is not of the form debian-12", "id")
    system: dict[str, Any] = {"title": text_of(table, "title"), "platforms": texts_of(table, "platforms")}
    for platform in system["platforms"]:
        if platform not in SYSTEMS:
            raise TableError("must be linux, macos or windows", "platforms")
    if "libc" in table:
        system["libc"] = text_of(table, "libc")
        if not re.fullmatch(r"(glibc|musl) \d+(\.\d+)+", system["libc"]):
            raise TableError("must be like 'glibc 2.36'", "libc")
    for key in ("python", "install", "note"):
        if key in table:
            system[key] = text_of(table, key)
    if "install" in system and "{packages}" not in system["install"]:
        raise TableError("must contain {packages}", "install")
    system["kind"] = evidence_kind_of(table)
    system["sources"] = texts_of(table, "sources")
    system["checked"] = date_of(table, "checked")
    libraries = table.get("library", {})
    if not isinstance(libraries, dict):
        raise TableError("must be a table", "library")
    system["library"] = {}
    for name, item in libraries.items():
        try:
            system["library"][name] = _library(item)
        except TableError as error:
            raise error.under(f"library.{name}") from None
    return identifier, system


def read_systems(folder: Path, sources: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """All system files: the systems by identifier.

    Raises:
        TableError: a file is not of the form, an identifier appears twice, a source is not known.
    """
    systems: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.toml")):
        table = read_toml(path)
        try:
            refuse_unknown(table, {"system"})
            for number, item in enumerate(tables_of(table, "system")):
                try:
                    identifier, system = _system(item)
                    if identifier in systems:
                        raise TableError(f"{identifier} is there twice", "id")
                    for source in system["sources"]:
                        if source not in sources:
                            raise TableError(f"{source!r} is not in sources.toml", "sources")
                except TableError as error:
                    raise error.under(f"system[{number}]") from None
                systems[identifier] = system
        except TableError as error:
            error.file = path.name
            raise
    return systems
