"""Inline script metadata (PEP 723): the ``# /// script`` block of a Python file, with ``[tool.uv]`` in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from torchlock.errors import InputError
from torchlock.manifests.lock_readers.pyproject import requires_python
from torchlock.manifests.lock_readers.settle import with_sources
from torchlock.manifests.lock_readers.table import Table
from torchlock.manifests.lock_readers.uv import read_uv
from torchlock.manifests.syntax.toml_values import parse_toml
from torchlock.manifests.text import read_text
from torchlock.terms import Inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENING = re.compile(r"# /// (?P<type>[a-zA-Z0-9-]+)")
_CLOSING = "# ///"


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
    builder = Table(table, content, path, first)
    inputs = Inputs()
    sources = read_uv(builder, inputs, ())
    for written in builder.requirements("dependencies"):
        name = canonicalize_name(written.requirement.name) if written.requirement else ""
        inputs.requirements.append(with_sources(written, sources.get(name, ()), ""))
    if "requires-python" in table:
        line = builder.line("requires-python")
        inputs.requires_python = requires_python(table["requires-python"], path, line)
    return inputs


def _metadata(text: str, path: str) -> tuple[int, str]:
    """The line that opens the block, and the TOML in it."""
    lines = text.split("\n")
    blocks = [(first, end) for kind, first, end in _blocks(lines) if kind == "script"]
    if len(blocks) > 1:
        (first, _), (second, _) = blocks[:2]
        raise InputError(f"has two script metadata blocks, the first in line {first}", path=path, line=second)
    if not blocks:
        raise InputError("has no script metadata block (PEP 723)", path=path, hint=_hint(text, path))
    first, end = blocks[0]
    return first, "".join(f"{line[2:] if line.startswith('# ') else line[1:]}\n" for line in lines[first:end])


def _blocks(lines: list[str]) -> Iterator[tuple[str, int, int]]:
    """The blocks of all types: type, number of the opening line, and that of the last line of the content.

    As in the reference expression of the specification, a block ends with the last ``# ///`` of its comment.
    """
    at = 0
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at])
        end = at + 1
        while opening and end < len(lines) and (lines[end] == "#" or lines[end].startswith("# ")):
            end += 1
        closing = next((place for place in range(end - 1, at + 1, -1) if lines[place] == _CLOSING), None)
        if opening and closing is not None:
            yield opening["type"], at + 1, closing
            end = closing + 1
        at = end


def _hint(text: str, path: str) -> str:
    opening = re.search(r"(?m)^# /// script\s*$", text)
    if opening:
        return "every line of the block begins with # and a space, and the last one is # ///"
    if path.endswith("setup.py"):
        return "setup.py is not run; give its requirements on the command line or in a file of their own"
    return "the block begins with the line # /// script and ends with # ///"
