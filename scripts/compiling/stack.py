"""``stack.toml``: the members of the stack."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from compiling.values import (
    TableError,
    choice_of,
    read_toml,
    refuse_unknown,
    specifier_of,
    tables_of,
    text_of,
    texts_of,
    true_of,
)

_MEMBER_KEYS = {
    "name",
    "role",
    "conda",
    "effect",
    "vital",
    "rule",
    "labels",
    "earlier",
    "bare",
    "cuda_check",
    "goes_on",
    "opens",
}


def _opened(item: Any) -> list[str]:
    """One library that an import opens: folder, pattern, role."""
    if not isinstance(item, list) or len(item) != 3 or not all(isinstance(cell, str) for cell in item):
        raise TableError("must be a list of three texts: folder, pattern, role")
    try:
        re.compile(item[1])
    except re.error as error:
        raise TableError(f"{item[1]!r} is not a pattern: {error}") from error
    if item[2] not in ("import", "optional", "choice"):
        raise TableError("the role must be import, optional or choice")
    return item


def _member(table: dict[str, Any]) -> dict[str, Any]:
    """One member of the stack."""
    refuse_unknown(table, _MEMBER_KEYS)
    name = text_of(table, "name")
    if canonicalize_name(name) != name:
        raise TableError(f"{name!r} is not a normalised name", "name")
    member: dict[str, Any] = {
        "name": name,
        "role": choice_of(table, "role", ("core", "companion", "support")),
        "effect": choice_of(table, "effect", ("import", "use")),
    }
    member |= {key: texts_of(table, key) for key in ("conda", "cuda_check") if key in table}
    if "vital" in table:
        member["vital"] = true_of(table, "vital")
    if "labels" in table:
        if table["labels"] is not False:
            raise TableError("must be false, or left out", "labels")
        member["labels"] = False
    if "rule" in table:
        member["rule"] = text_of(table, "rule")
    member |= {key: specifier_of(table, key) for key in ("earlier", "goes_on") if key in table}
    if "bare" in table:
        refuse_unknown(table["bare"], {"all", "linux", "macos", "windows"})
        member["bare"] = {system: specifier_of(table["bare"], system) for system in table["bare"]}
    for number, item in enumerate(table.get("opens", ())):
        try:
            member.setdefault("opens", []).append(_opened(item))
        except TableError as error:
            raise error.under(f"opens[{number}]") from None
    return member


def read_members(path: Path, rules: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """``stack.toml``: the members of the stack, in the order of writing.

    Raises:
        TableError: it is not of the form, a name appears twice, or a rule is not known.
    """
    members: list[dict[str, Any]] = []
    table = read_toml(path)
    try:
        refuse_unknown(table, {"member", "extension", "backend"})
        for number, item in enumerate(tables_of(table, "member")):
            try:
                member = _member(item)
                if any(member["name"] == other["name"] for other in members):
                    raise TableError(f"{member['name']} is there twice", "name")
                if member.get("rule", "") and member["rule"] not in rules:
                    raise TableError(f"{member['rule']} is not a rule", "rule")
            except TableError as error:
                raise error.under(f"member[{number}]") from None
            members.append(member)
    except TableError as error:
        error.file = path.name
        raise
    return members


def read_extensions(path: Path) -> list[dict[str, Any]]:
    """``stack.toml``: the projects outside the stack that compile modules against torch.

    Raises:
        TableError: it is not of the form, or the names are not in order.
    """
    table = read_toml(path)
    try:
        found = [_extension(item) for item in tables_of(table, "extension")] if "extension" in table else []
        names = [each["name"] for each in found]
        if names != sorted(set(names)):
            raise TableError("the names must be in order, each once", "extension")
    except TableError as error:
        error.file = path.name
        raise
    return found


def _extension(table: dict[str, Any]) -> dict[str, Any]:
    """One project that compiles modules against torch."""
    refuse_unknown(table, {"name", "source", "undeclared"})
    name = text_of(table, "name")
    if canonicalize_name(name) != name:
        raise TableError(f"{name!r} is not a normalised name", "name")
    return {"name": name} | {key: true_of(table, key) for key in ("source", "undeclared") if key in table}


def read_backends(path: Path) -> list[dict[str, Any]]:
    """``stack.toml``: the packages that let torch use accelerators which the builds of PyTorch do not serve.

    Raises:
        TableError: it is not of the form, or the names are not in order.
    """
    table = read_toml(path)
    try:
        found = [_backend(item) for item in tables_of(table, "backend")] if "backend" in table else []
        names = [each["name"] for each in found]
        if names != sorted(set(names)):
            raise TableError("the names must be in order, each once", "backend")
    except TableError as error:
        error.file = path.name
        raise
    return found


def _backend(table: dict[str, Any]) -> dict[str, Any]:
    """One package for other accelerators."""
    refuse_unknown(table, {"name", "accelerators", "own", "sources"})
    name = text_of(table, "name")
    if canonicalize_name(name) != name:
        raise TableError(f"{name!r} is not a normalised name", "name")
    row: dict[str, Any] = {
        "name": name,
        "accelerators": text_of(table, "accelerators"),
        "sources": texts_of(table, "sources"),
    }
    return row | ({"own": true_of(table, "own")} if "own" in table else {})
