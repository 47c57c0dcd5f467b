"""setup.py, read as text: the dependencies that its call of setup() passes."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.self_references import OwnExtras
from torchlock.manifests.syntax.markers import both, valid
from torchlock.manifests.syntax.python_literals import UNPARSED, parsed, span_of
from torchlock.manifests.syntax.setup_script import Argument, Items, Lines, Table, Text, Value, setup_arguments
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry


def read(text: str, path: str) -> Document:
    """Read ``install_requires``, ``extras_require``, ``python_requires`` and ``dependency_links``.

    Values that the text does not contain get a note (TL901), and so does a file that is not Python 3.
    """
    builder = DocumentBuilder(text, path, "setup.py")
    try:
        arguments = setup_arguments(parsed(text))
    except UNPARSED as error:
        line = getattr(error, "lineno", None) or 1
        builder.issue(
            "TL901", "note", "this is not Python 3, so its requirements are not judged", builder.offset(line)
        )
    else:
        _Setup(builder, arguments).read()
    return builder.document


class _Setup:
    def __init__(self, builder: DocumentBuilder, arguments: dict[str, Argument]) -> None:
        self._builder = builder
        self._arguments = arguments

    def read(self) -> None:
        builder = self._builder
        builder.document.project = bool(self._arguments)
        if not self._arguments:
            hint = "setup.py is not run; give its requirements on the command line or in a requirements file"
            builder.refuse("has no call of setup() that can be read", None, hint=hint)
        for text in self._texts("python_requires"):
            builder.python_requires("python_requires", text.value, self._start(text), self._span(text))
        extras = self._extras()
        own = OwnExtras("".join(text.value for text in self._texts("name")), extras, builder.document.extras)
        builder.add(own.unfold(self._required("install_requires"), ""))
        for name, entries in extras.items():
            builder.add(own.unfold(entries, f"extra:{name}") if name else own.unfold(entries, ""))
        own.report_to(builder.document)
        for text in self._texts("dependency_links"):
            builder.index("find-links", text.value, self._start(text))

    def _texts(self, key: str) -> Iterator[Text]:
        argument = self._arguments.get(key)
        value = argument.value if argument else None
        for item in value.items if isinstance(value, Items) else [value]:
            if isinstance(item, Text):
                yield item

    def _required(self, key: str) -> list[Entry]:
        argument = self._arguments.get(key)
        if argument is None:
            return []
        return self._entries(argument.value, key, argument.node)

    def _extras(self) -> dict[str, list[Entry]]:
        """The entries of every extra; a name may contain a marker (``gpu:python_version < '3'``)."""
        argument = self._arguments.get("extras_require")
        found: dict[str, list[Entry]] = {}
        table = argument.value if argument else None
        if argument is None or not isinstance(table, Table):
            if argument is not None:
                self._unknown("extras_require", argument.node)
            return found
        for key, value in table.items.items():
            name, _, marker = key.partition(":")
            at = self._builder.offset(argument.node.lineno, argument.node.col_offset)
            with self._builder.within(self._builder.declare_extra(name, at) if name else "") as scope:
                entries = self._entries(value, "extras_require", argument.node)
            for entry in entries:
                entry.scope = scope
                entry.marker = both(entry.marker, marker) if valid(marker) else entry.marker
            found.setdefault(normalise(name), []).extend(entries)
        if not table.complete:
            self._unknown("extras_require", argument.node)
        return found

    def _entries(self, value: Value, key: str, node: ast.expr) -> list[Entry]:
        items = value if isinstance(value, Items) else Items([value] if isinstance(value, Text | Lines) else [])
        if not items.complete or not isinstance(value, Items | Text | Lines):
            self._unknown(key, node)
        found: list[Entry] = []
        for item in items.items:
            if isinstance(item, Lines):
                found += self._builder.include(item.name, self._builder.offset(node.lineno, node.col_offset))
            else:
                found += self._requirements(item, node)
        return found

    def _requirements(self, text: Text, node: ast.expr) -> Iterator[Entry]:
        """The requirements of a string: one, or one per line."""
        span, start = self._span(text), self._start(text)
        if start is None:
            start = self._builder.offset(node.lineno, node.col_offset)
        for match in re.finditer(r"[^\r\n]+", text.value):
            line = match[0].strip()
            if not line or line.startswith("#"):
                continue
            shift = match.start() + len(match[0]) - len(match[0].lstrip())
            exact = Span(span.start + shift, span.start + shift + len(line)) if span else None
            entry = self._builder.requirement(line, exact.start if exact else start, exact)
            if entry is not None:
                yield entry

    def _start(self, text: Text) -> int | None:
        return self._builder.offset(text.node.lineno, text.node.col_offset) if text.node else None

    def _span(self, text: Text) -> Span | None:
        return None if text.node is None else span_of(self._builder, text.node)

    def _unknown(self, key: str, node: ast.expr) -> None:
        message = f"{key} is computed when setup.py runs: only the values in its text are judged"
        at = self._builder.offset(node.lineno, node.col_offset)
        self._builder.issue("TL901", "note", message, at, because="setup.py is read as text and never run")
