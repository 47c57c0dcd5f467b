"""TOML, parsed when a TOML file is really read; errors with file and line."""

from __future__ import annotations

import re
import sys
from typing import Any

from torchlock.errors import InputError
from torchlock.read.text import decode


def parse_toml(raw: bytes, path: str) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        InputError: it is none, with the line where parsing stopped.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    text = decode(raw, path)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        where = re.search(r"at line (\d+)", str(error))
        message = re.sub(r" \(at .*\)$", "", str(error)) or "nested too deeply"
        raise InputError(f"not valid TOML: {message}", path=path, line=int(where[1]) if where else None) from error


def line_of(text: str, value: str, *, after: int = 0) -> int | None:
    """The line (from 1) of the first string literal with this value at or after a line; None if none is found.

    TOML parsers give no positions; requirements are single-line strings that are written as they are.
    """
    lines = text.splitlines()
    quoted = (f'"{value}"', f"'{value}'", '"' + value.replace('"', '\\"') + '"')
    for number, line in enumerate(lines[after:], after + 1):
        if any(literal in line for literal in quoted):
            return number
    return None


def header_line(text: str, header: str) -> int:
    """The line (from 1) of a table's header or of a dotted key's first use, else 0."""
    pattern = re.compile(rf"^\s*\[{re.escape(header)}\]|^\s*{re.escape(header)}\s*[.=]", re.M)
    match = pattern.search(text)
    return text[: match.start()].count("\n") + 1 if match else 0
