"""Values as TOML text: what a writer of lock files needs, in one line each."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Literal(str):
    """A TOML value that is written without quotes, like a date."""


def string(text: str) -> str:
    """A basic string of TOML: the escapes of JSON, and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """A key, in quotes if it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else string(name)


def value(item: Any) -> str:
    """A value in one line: tables and arrays are written inline. Dates and numbers are those of a parser."""
    if isinstance(item, dict):
        return inline(item)
    if isinstance(item, (list, tuple)):
        return f"[{', '.join(map(value, item))}]"
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, str):
        return str(item) if isinstance(item, Literal) else string(item)
    return item.isoformat() if hasattr(item, "isoformat") else str(item)


def inline(table: Mapping[str, Any]) -> str:
    """An inline table."""
    return (
        "{ " + ", ".join(f"{key(name)} = {value(item)}" for name, item in table.items()) + " }" if table else "{}"
    )


def pairs(table: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a table; an array of tables has a line for each, and other tables are inline."""
    for name, item in table.items():
        if isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            yield f"{key(name)} = ["
            yield from (f"    {value(each)}," for each in item)
            yield "]"
        else:
            yield f"{key(name)} = {value(item)}"
