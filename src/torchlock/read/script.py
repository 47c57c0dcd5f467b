"""Inline script metadata (PEP 723): the ``# /// script`` block of a Python file, with ``[tool.uv]`` in it."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from torchlock.errors import InputError
from torchlock.read.pyproject import requires_python
from torchlock.read.settle import with_sources
from torchlock.read.table import Table
from torchlock.read.text import read_text
from torchlock.read.toml import parse_toml
from torchlock.read.uv import read_uv
from torchlock.words import Inputs

# The reference expression of the specification.
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def read_script(path: str) -> Inputs:
    """Read the metadata of a script.

    Raises:
        InputError: there is none or more than one, or it is not valid.
    """
    text = re.sub(r"\r\n?", "\n", read_text(path))
    first, content = _metadata(text, path)
    try:
        table = parse_toml(content.encode(), path)
    except InputError as error:
        error.line = first if error.line is None else first + error.line
        raise
    sheet = Table(table, content, path, first)
    inputs = Inputs()
    sources = read_uv(sheet, inputs, ())
    for written in sheet.requirements("dependencies"):
        name = canonicalize_name(written.requirement.name) if written.requirement else ""
        inputs.requirements.append(with_sources(written, sources.get(name, ()), ""))
    if "requires-python" in table:
        line = sheet.line("requires-python")
        inputs.requires_python = requires_python(table["requires-python"], path, line)
    return inputs


def _metadata(text: str, path: str) -> tuple[int, str]:
    """The line that opens the block, and the TOML in it."""
    blocks = [match for match in _BLOCK.finditer(text) if match["type"] == "script"]
    lines = [text.count("\n", 0, block.start()) + 1 for block in blocks]
    if len(blocks) > 1:
        raise InputError(f"has two script metadata blocks, the first in line {lines[0]}", path=path, line=lines[1])
    if not blocks:
        raise InputError("has no script metadata block (PEP 723)", path=path, hint=_hint(text, path))
    content = "".join(
        line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(keepends=True)
    )
    return lines[0], content


def _hint(text: str, path: str) -> str:
    opening = re.search(r"(?m)^# /// script\s*$", text)
    if opening:
        return "every line of the block begins with # and a space, and the last one is # ///"
    if path.endswith("setup.py"):
        return "setup.py is not run; give its requirements on the command line or in a file of their own"
    return "the block begins with the line # /// script and ends with # ///"
