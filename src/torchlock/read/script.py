"""Inline script metadata (PEP 723)."""

from __future__ import annotations

import re
from typing import Any

from torchlock.errors import InputError
from torchlock.read.requirement import parse_requirement
from torchlock.read.toml import line_of, parse_toml
from torchlock.words import Inputs, Origin

# The reference expression of the specification.
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def has_block(text: str) -> bool:
    """Whether a script declares its requirements inline."""
    return any(match["type"] == "script" for match in _BLOCK.finditer(text.replace("\r\n", "\n")))


def read_script(text: str, path: str) -> Inputs:
    """Read the ``script`` block of a Python file.

    Raises:
        InputError: there is none or more than one, or it is no valid metadata.
    """
    text = text.replace("\r\n", "\n")
    blocks = [match for match in _BLOCK.finditer(text) if match["type"] == "script"]
    if len(blocks) != 1:
        count = "no" if not blocks else "more than one"
        raise InputError(
            f"has {count} script metadata block (PEP 723)", path=path, hint="it begins with a line # /// script"
        )
    content = "".join(
        line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(keepends=True)
    )
    first = text[: blocks[0].start("content")].count("\n")
    try:
        table = parse_toml(content.encode(), path)
    except InputError as error:
        error.line = (error.line or 0) + first
        raise
    return _inputs(table, text, path, first)


def _inputs(table: dict[str, Any], text: str, path: str, first: int) -> Inputs:
    from torchlock.read.pyproject import requires_python

    inputs = Inputs()
    dependencies = table.get("dependencies", [])
    if not isinstance(dependencies, list):
        raise InputError("dependencies is no list", path=path, line=first + 1)
    for item in dependencies:
        line = line_of(text, str(item), after=first)
        if not isinstance(item, str):
            raise InputError(f"dependencies: {item!r} is no string", path=path, line=first + 1)
        inputs.requirements.append(parse_requirement(item, Origin(path, line, item)))
    if "requires-python" in table:
        inputs.requires_python = requires_python(table["requires-python"], text, path)
    return inputs
