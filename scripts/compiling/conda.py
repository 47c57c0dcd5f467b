"""``conda.toml``: what conda's channels have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compiling.values import (
    TableError,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    specifier_of,
    tables_of,
    text_of,
    texts_of,
)
from torchlock.target import PLATFORMS

_EVIDENCE = {"kind", "sources", "checked"}


def read_conda(path: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """The table, validated.

    Raises:
        TableError: the table is not of the form.
    """
    try:
        table = read_toml(path)
        refuse_unknown(table, {"feedstock", "last", "selector", "string_abi", "together"})
        return {
            "feedstock": [_feedstock(row, sources) for row in tables_of(table, "feedstock")],
            "last": [_last(row, sources) for row in tables_of(table, "last")],
            "selector": [_selector(row, sources) for row in tables_of(table, "selector")],
            "string_abi": [_string_abi(row, sources) for row in tables_of(table, "string_abi")],
            "together": [_together(row, sources) for row in tables_of(table, "together")],
        }
    except TableError as error:
        error.file = error.file or path.name
        raise


def _last(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, {"channel", "releases"} | _EVIDENCE)
    if not isinstance(row.get("releases"), dict):
        raise TableError("must be a table: package and release", "releases")
    return {"channel": text_of(row, "channel"), "releases": dict(row["releases"]), **evidence_of(row, sources)}


def _feedstock(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, {"channel", "package", "builds"} | _EVIDENCE)
    builds: dict[str, dict[str, Any]] = {}
    for build in tables_of(row, "builds"):
        refuse_unknown(build, {"release", *PLATFORMS})
        release = text_of(build, "release")
        builds[release] = {
            name: texts_of(build, name) if build[name] else [] for name in PLATFORMS if name in build
        }
    named = {"channel": text_of(row, "channel"), "package": text_of(row, "package")}
    return {**named, "builds": [[release, builds[release]] for release in builds], **evidence_of(row, sources)}


def _selector(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, {"torch", "cuda"} | _EVIDENCE)
    return {"torch": specifier_of(row, "torch"), "cuda": texts_of(row, "cuda"), **evidence_of(row, sources)}


def _together(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, {"channel", "torch"} | _EVIDENCE)
    return {"channel": text_of(row, "channel"), "torch": specifier_of(row, "torch"), **evidence_of(row, sources)}


def _string_abi(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, {"channel", "below"} | _EVIDENCE)
    return {"channel": text_of(row, "channel"), "below": text_of(row, "below"), **evidence_of(row, sources)}


def evidence_of(row: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """The kind, the sources and the date of a row.

    Raises:
        TableError: one is missing, or a source is unknown.
    """
    named = texts_of(row, "sources")
    unknown = next((name for name in named if name not in sources), None)
    if unknown is not None:
        raise TableError(f"unknown source {unknown!r}", "sources")
    return {"kind": evidence_kind_of(row), "sources": named, "checked": date_of(row, "checked")}
