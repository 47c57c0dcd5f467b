"""``rules/*.toml`` and ``sources.toml``: rules, their statements, and the sources of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from compiling.registry import REGISTRY_KEYS, STORY_KEYS, registry_row_of, story_of
from compiling.values import (
    TableError,
    because_of,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    requirement_row,
    requirement_rows,
    system_of,
    tables_of,
    text_of,
    texts_of,
    true_of,
)

_RULE_KEYS = {
    "id",
    "title",
    "because",
    "kind",
    "sources",
    "checked",
    "effect",
    "refuse",
    "statement",
    "statements_of",
    *STORY_KEYS,
    "shown",
    *REGISTRY_KEYS,
}
_GROUNDS = {"because", "kind", "sources", "checked"}
_STATEMENT_KEYS = _GROUNDS | {
    "when",
    "wheel",
    "build",
    "needs",
    "forbids",
    "wants",
    "never",
    "without",
    "bundles",
    "optional",
    "refused",
    "instead",
    "effect",
    "unless",
}
_SAYS = ("needs", "forbids", "wants", "never", "bundles", "refused", "instead")
_UNPARTNERED_KEYS = {"torch", "package", "because"}
_SOURCE_KEYS = {"address", "kind", "date", "note", "platform"}


def effect_of(table: dict[str, Any]) -> str:
    """What a violation makes fail: the import, or only some calls."""
    value = text_of(table, "effect")
    if value not in ("import", "use"):
        raise TableError("must be import or use", "effect")
    return value


def _refused(table: dict[str, Any]) -> str:
    value = text_of(table, "refused")
    try:
        Requirement(value)
    except InvalidRequirement:
        return value
    raise TableError(f"{value!r} is a requirement that installers read", "refused")


def _statement(table: dict[str, Any], rule: str) -> tuple[str, dict[str, Any]]:
    """One statement, and the name that it speaks of."""
    refuse_unknown(table, _STATEMENT_KEYS)
    try:
        when = requirement_row(text_of(table, "when"))
    except TableError as error:
        raise error if error.key else error.under("when") from None
    if not any(key in table for key in _SAYS):
        raise TableError(f"says nothing: one of {', '.join(_SAYS)} must be there")
    row: dict[str, Any] = {"rule": rule, "when": when}
    if "wheel" in table:
        row["wheel"] = text_of(table, "wheel")
    if "build" in table:
        row["build"] = text_of(table, "build")
        if row["build"] not in ("cuda", "cpu") and not re.fullmatch(r"cu\d{2,3}", row["build"]):
            raise TableError("must be cuda, cpu or one build of CUDA like cu130", "build")
    if "needs" in table:
        row["needs"] = requirement_rows(table, "needs", braces=True)
        if "{cuda" in str(row["needs"]) and row.get("build") != "cuda":
            raise TableError('braces stand for a CUDA version: build = "cuda" must be there', "needs")
    for key in ("forbids", "wants"):
        if key in table:
            row[key] = requirement_rows(table, key)
    for key in ("never", "optional"):
        if key in table:
            row[key] = true_of(table, key)
    if "without" in table:
        row["without"] = text_of(table, "without")
        if not row.get("never"):
            raise TableError("only goes with never", "without")
    if "optional" in table and not all(need[0].startswith("host-") for need in row.get("needs", [["?"]])):
        raise TableError("only goes with needs on host-… names", "optional")
    if "refused" in table:
        row["refused"] = _refused(table)
    if "effect" in table:
        row["effect"] = effect_of(table)
    if "instead" in table:
        row["instead"] = text_of(table, "instead")
    for key in ("bundles", "unless"):
        if key in table:
            row[key] = texts_of(table, key)
    if "because" in table:
        row["because"] = because_of(table)
    if "kind" in table:
        row["kind"] = evidence_kind_of(table)
    if "sources" in table:
        row["sources"] = texts_of(table, "sources")
    if "checked" in table:
        row["checked"] = date_of(table, "checked")
    return when[0], row


# Statements that another table holds, by the name of that table.
Elsewhere = Mapping[str, list[dict[str, Any]]]


def _rule(
    table: dict[str, Any], elsewhere: Elsewhere
) -> tuple[str, dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    refuse_unknown(table, _RULE_KEYS)
    identifier = text_of(table, "id")
    if not re.fullmatch(r"TL\d{3}", identifier):
        raise TableError(f"{identifier!r} is not of the form TL101", "id")
    rule: dict[str, Any] = {
        "title": text_of(table, "title"),
        "because": because_of(table),
        "kind": evidence_kind_of(table),
        "sources": texts_of(table, "sources"),
        "checked": date_of(table, "checked"),
    }
    rule["story"], rule["registry"] = story_of(table), registry_row_of(table, identifier)
    if "effect" in table:
        rule["effect"] = effect_of(table)
    if "refuse" in table:
        rule["refuse"] = true_of(table, "refuse")
    statements = []
    items = tables_of(table, "statement")
    if "statements_of" in table:
        if text_of(table, "statements_of") not in elsewhere:
            raise TableError(f"must be one of {', '.join(elsewhere)}", "statements_of")
        items = [*items, *elsewhere[table["statements_of"]]]
    for number, item in enumerate(items):
        try:
            statements.append(_statement(item, identifier))
        except TableError as error:
            raise error.under(f"statement[{number}]") from None
    return identifier, rule, statements


def read_sources(path: Path) -> dict[str, dict[str, str]]:
    """``sources.toml``: identifier → address, kind, date, note, and the only operating system that it is about."""
    sources: dict[str, dict[str, str]] = {}
    for identifier, table in read_toml(path).items():
        try:
            if not isinstance(table, dict):
                raise TableError("must be a table")
            refuse_unknown(table, _SOURCE_KEYS)
            sources[identifier] = {
                "address": text_of(table, "address"),
                "kind": evidence_kind_of(table),
                "date": date_of(table, "date"),
            }
            if "note" in table:
                sources[identifier]["note"] = text_of(table, "note")
            if "platform" in table:
                sources[identifier]["platform"] = system_of(table)
        except TableError as error:
            error.under(identifier).file = path.name
            raise
    return sources


def read_rules(
    folder: Path, sources: dict[str, dict[str, str]], elsewhere: Elsewhere
) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """All rule files: the rules by identifier, and their statements by the name they speak of.

    ``elsewhere`` holds the statements that a rule takes from another table (``statements_of``).

    Raises:
        TableError: a file is not of the form, an identifier appears twice, a source is not known.
    """
    rules: dict[str, dict[str, Any]] = {}
    statements: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.toml")):
        table = read_toml(path)
        try:
            refuse_unknown(table, {"rule", "unpartnered"})
            for number, item in enumerate(tables_of(table, "rule")):
                try:
                    identifier, rule, said = _rule(item, elsewhere)
                    if identifier in rules:
                        raise TableError(f"{identifier} is there twice", "id")
                    for cited in [rule, *(row for _, row in said)]:
                        for source in cited.get("sources", ()):
                            if source not in sources:
                                raise TableError(f"{source!r} is not in sources.toml", "sources")
                except TableError as error:
                    raise error.under(f"rule[{number}]") from None
                rules[identifier] = rule
                for name, row in said:
                    statements.setdefault(name, []).append(row)
            for number, item in enumerate(tables_of(table, "unpartnered")):
                try:
                    refuse_unknown(item, _UNPARTNERED_KEYS)
                    text_of(item, "torch"), text_of(item, "package"), because_of(item)
                except TableError as error:
                    raise error.under(f"unpartnered[{number}]") from None
        except TableError as error:
            error.file = path.name
            raise
    for rows in statements.values():
        rows.sort(key=lambda row: row["rule"])  # stable: within a rule, the order of the table
    return rules, statements
