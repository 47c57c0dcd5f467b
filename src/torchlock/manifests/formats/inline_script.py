"""Inline script metadata (PEP 723): the ``# /// script`` block of a Python file, with uv's tables in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.location import Edit, Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder, MappedText
from torchlock.manifests.formats import pyproject_uv
from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document

_OPENING = pattern(r"(?:^|(?<=\r))# /// script(?P<spaces>[ \t]*)(?:\r\n|\n|\r|\Z)", re.MULTILINE)
_LINE = pattern(r"#(?P<space> |(?=[\r\n]|\Z))(?P<text>[^\r\n]*)(?:\r\n|\n|\r|\Z)")


class _Block(EmbeddedBuilder, TomlBuilder):
    """The TOML of a block, with the positions of the script."""

    def __init__(self, host: DocumentBuilder, woven: MappedText) -> None:
        self._host, self._pieces, self._exact = host, woven.pieces, True
        TomlBuilder.__init__(self, woven.text, host.path, host.document.kind)

    def take_over(self, host: DocumentBuilder) -> None:
        """Add the results to the document of the script."""
        found, into = self.document, host.document
        into.entries += map(self.entry, found.entries)
        into.overrides += map(self.entry, found.overrides)
        into.indexes += found.indexes
        into.explicit += found.explicit
        into.sources |= found.sources
        into.environments += found.environments
        into.refusals += found.refusals
        into.notes += found.notes
        into.issues += [issue for issue in found.issues if issue not in into.issues]
        into.pre = into.pre or found.pre
        into.platforms = into.platforms or found.platforms
        if found.python and not into.python:
            into.python, into.python_place = found.python, found.python_place


def read(text: str, path: str) -> Document:
    """Read the metadata of a script, and nothing else of the script."""
    builder = DocumentBuilder(text, path, "script")
    read_block(builder)
    if not builder.document.project and not builder.document.issues:
        hint = (
            "the block begins with the line # /// script and ends with # ///; its lines begin with # and a space"
        )
        builder.refuse("has no script metadata block (PEP 723)", None, hint=hint)
    return builder.document


def read_block(builder: DocumentBuilder) -> None:
    """Read ``dependencies``, ``requires-python`` and ``[tool.uv]`` of the block of a script, if it has one."""
    blocks = list(_blocks(builder.text))
    if len(blocks) > 1:
        first = builder.place(blocks[0][0]).line
        message = f"this script has two script metadata blocks, the first in line {first}; it may have only one"
        builder.issue("TL501", "error", message, blocks[1][0])
    for start, woven in blocks[:1]:
        opening = _OPENING.match(builder.text, start)
        if opening is not None and opening["spaces"]:
            _report_spaces(builder, Span(*opening.span("spaces")))
        if woven is None:
            message = "this script metadata block is not closed by a line # ///, so tools refuse or ignore it"
            builder.issue("TL501", "error", message, start)
            continue
        builder.document.project = True
        block = _Block(builder, woven)
        _metadata(block)
        pyproject_uv.read(block)
        block.take_over(builder)


def _report_spaces(builder: DocumentBuilder, spaces: Span) -> None:
    message = "spaces follow # /// script, so tools do not see this script metadata block"
    edits = (Edit(spaces, ""),)
    error = builder.error(message, spaces.start)
    builder.issue("TL504", "warning", message, spaces.start, remedy="Remove the spaces", edits=edits, error=error)


def _metadata(block: _Block) -> None:
    """Read the keys of the specification."""
    tree = block.tree
    value, exact = tree.get("requires-python"), tree.content("requires-python")
    if isinstance(value, str):
        block.python_requires("requires-python", value, tree.offset("requires-python"), exact)
    elif value is not None:
        message = f"requires-python: {value!r} is not a version specifier"
        block.fault(message, tree.offset("requires-python"))
    block.shape("list", "dependencies")
    for number, item in enumerate(tree.array("dependencies")):
        if not isinstance(item, str):
            message = f"dependencies: {item!r} is not a requirement"
            block.fault(message, tree.offset("dependencies", number) or tree.offset("dependencies"))
    block.add(block.listed("dependencies"))


def _blocks(text: str) -> Iterator[tuple[int, MappedText | None]]:
    """The offset of each block, and its content; None if the block is not closed."""
    at = 0
    while opening := _OPENING.search(text, at):
        at = opening.end()
        woven, closed, length = MappedText(), -1, 0
        while line := _LINE.match(text, at):
            if line["text"] == "///" and line["space"]:
                closed = length
            content = text[line.start("text") : line.end()]
            woven.add(f"{content[:-1]}\n" if content.endswith("\r") else content, line.start("text"))
            length += line.end() - line.start("text")
            at = max(line.end(), at + 1)
        yield opening.start(), woven.head(closed) if closed >= 0 else None
