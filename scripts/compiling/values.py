"""Readers of single values of a table. An error grows the path of its key on the way up."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = ("declared", "measured", "reported")
SYSTEMS = ("linux", "macos", "windows")


class TableError(Exception):
    """A table is not of the form. ``key`` is the path inside the file, grown on the way up."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.key = key
        self.file = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)

    def under(self, step: str) -> TableError:
        """The same error, seen from one step further up."""
        self.key = f"{step}.{self.key}" if self.key and not self.key.startswith("[") else f"{step}{self.key}"
        return self


def refuse_unknown(table: dict[str, Any], keys: set[str]) -> None:
    for key in table:
        if key not in keys:
            raise TableError(f"unknown key; known are {', '.join(sorted(keys))}", key)


def text_of(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise TableError("must be a text, without space around it", key)
    return value


def texts_of(table: dict[str, Any], key: str) -> list[str]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise TableError("must be a list of texts, not empty", key)
    return value


def date_of(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise TableError("must be a date, like 2026-11-23", key)
    return value.isoformat()


def evidence_kind_of(table: dict[str, Any]) -> str:
    value = text_of(table, "kind")
    if value not in KINDS:
        raise TableError(f"must be one of {', '.join(KINDS)}", "kind")
    return value


def system_of(table: dict[str, Any]) -> str:
    value = text_of(table, "platform")
    if value not in SYSTEMS:
        raise TableError(f"must be one of {', '.join(SYSTEMS)}", "platform")
    return value


def because_of(table: dict[str, Any]) -> str:
    value = text_of(table, "because")
    if value.endswith(".") or "\n" in value:
        raise TableError('must be a clause that completes "…, because …", without a final full stop', "because")
    return value


def true_of(table: dict[str, Any], key: str) -> bool:
    if table[key] is not True:
        raise TableError("must be true, or left out", key)
    return True


def requirement_row(text: str, *, braces: bool = False) -> list[Any]:
    """``[name, specifier, marker, [extras]]``, trailing empties left out.

    With ``braces``, {cuda} and {cuda_major} may stand where a version would.
    """
    sample = text.replace("{cuda}", "13.0").replace("{cuda_major}", "13") if braces else text
    try:
        requirement = Requirement(sample)
    except InvalidRequirement as error:
        raise TableError(f"{text!r} is not a requirement: {error}") from error
    if requirement.url:
        raise TableError(f"{text!r} names an address")
    specifier = str(requirement.specifier)
    if sample != text:
        specifier = text.partition(";")[0].removeprefix(requirement.name).strip()
        if "==" + specifier.partition("==")[2] != specifier:
            raise TableError(f"{text!r}: braces may only follow ==")
    row: list[Any] = [
        canonicalize_name(requirement.name),
        specifier,
        "" if requirement.marker is None else str(requirement.marker),
        sorted(canonicalize_name(extra) for extra in requirement.extras),
    ]
    while row and not row[-1]:
        row.pop()
    return row


def requirement_rows(table: dict[str, Any], key: str, *, braces: bool = False) -> list[list[Any]]:
    rows = []
    for number, text in enumerate(texts_of(table, key)):
        try:
            rows.append(requirement_row(text, braces=braces))
        except TableError as error:
            raise error.under(f"{key}[{number}]") from None
    return rows


def tables_of(table: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TableError("must be an array of tables", key)
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """Parse one table file; an error names it.

    Raises:
        TableError: it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        failure = TableError(f"not valid TOML: {error}")
        failure.file = path.name
        raise failure from error


def choice_of(table: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
    value = text_of(table, key)
    if value not in known:
        raise TableError(f"must be one of {', '.join(known)}", key)
    return value


def specifier_of(table: dict[str, Any], key: str) -> str:
    value = text_of(table, key)
    try:
        return str(requirement_row(f"name {value}")[1])
    except TableError as error:
        raise error.under(key) from None
