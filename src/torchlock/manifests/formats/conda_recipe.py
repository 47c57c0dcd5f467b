"""Recipes of conda packages: meta.yaml of conda-build (Jinja, selectors) and recipe.yaml of rattler-build.

The ``run`` requirements of an output are installed together, and its tests with them; ``host`` is a separate
environment. A requirement is left out if the text does not state the values or the condition of its template.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge.stack import CONDA_NAMES, FAMILY
from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.conda_builds import label_of
from torchlock.manifests.document import Entry
from torchlock.manifests.embedded_code import EmbeddedBuilder, MappedText
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.conda_match_spec import parse as parse_spec
from torchlock.manifests.syntax.markers import both, negated
from torchlock.manifests.syntax.recipe_selectors import marker_of
from torchlock.manifests.syntax.yaml import parse
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document
    from torchlock.manifests.syntax.yaml import Node

_SET = pattern(r"\{%-?\s*set\s+(?P<name>\w+)\s*=\s*(?P<quote>[\"']?)(?P<value>[\w.+-]+)(?P=quote)\s*-?%\}")
_CONTEXT = pattern(r"^context:[ \t]*\r?\n(?P<body>(?:[ \t]+[^\n]*\n|[ \t]*\r?\n)*)", re.MULTILINE)
_CONTEXT_VALUE = pattern(
    r"^[ \t]+(?P<name>\w+):[ \t]*(?P<quote>[\"']?)(?P<value>[\w.+-]+)(?P=quote)[ \t]*(?:#.*)?\r?$", re.MULTILINE
)
_FIELD = pattern(r"\$?\{\{(?P<inside>(?:(?!\}\}|\{\{)[^\r\n])*)\}\}")
_TAG = pattern(r"\{%-?\s*(?P<word>\w+)(?!\w)(?:(?!%\}|\{%)[^\r\n])*%\}|\{#(?:(?!#\}|\{#)[^\r\n])*#\}")
_NAME = pattern(r"\s*(\w+)\s*(?:\|\s*(?:lower|string|trim)\s*)?")
_SELECTOR = pattern(r"[ \t]#[^\r\n#\[\]]*\[(?P<condition>[^\[\]\r\n]+)\]")
# What stands for a value that only the build tool knows.
_UNKNOWN = "__unknown__"
# The sections of requirements, each with the scope of what is installed for it.
_SECTIONS = {"run": "", "host": "alone:host", "run_constrained": "", "run_constraints": ""}
_DEEPEST = 10


class _Item(NamedTuple):
    """A requirement of a list, and the marker of the conditions around it; None for an unknown condition."""

    node: Node
    marker: str | None


def read(text: str, path: str) -> Document:
    """Read the requirements of all outputs."""
    host = DocumentBuilder(text, path, "conda-recipe")
    _Recipe(host).read()
    return host.document


class _Recipe:
    def __init__(self, host: DocumentBuilder) -> None:
        self._host = host
        self._text = _filled(host.text)
        self._builder = EmbeddedBuilder(host, self._text.text, self._text.pieces)
        self._skipped = ""

    def read(self) -> None:
        root, wrong = parse(self._text.text)
        for start, message in wrong[:1]:
            self._builder.issue("TL901", "note", f"the recipe cannot be read from here on: {message}", start)
        self._skipped = self._skip(root)
        parts = {"package": self._output(root)}
        outputs = root.get("outputs")
        for number, output in enumerate(outputs.items if outputs else ()):
            package = output.get("package")
            named = output.get("name") or (package.get("name") if package else None)
            parts[(named.text if named else "") or f"output-{number + 1}"] = self._output(output)
        self._host.add(scoped_parts(parts))

    def _skip(self, root: Node) -> str:
        """The marker of what is built: ``skip: true  # [win]``, ``skip: [win]``."""
        build = root.get("build")
        skip = build.get("skip") if build else None
        if skip is None:
            return ""
        conditions = [item.text or "" for item in skip.items] or [skip.text or ""]
        if (skip.text or "").lower() == "true":
            selector = self._selector(skip)
            conditions = [selector] if selector else []
        markers = [marker for condition in conditions if (marker := marker_of(condition))]
        return both(*filter(None, map(negated, markers)))

    def _output(self, output: Node) -> list[Entry]:
        found = [entry for section, scope in _SECTIONS.items() for entry in self._section(output, section, scope)]
        tests = output.get("test")
        for item in self._items(tests.get("requires") if tests else None, "", _DEEPEST):
            found += self._entry(item, "group:test", constraint=False)
        return found

    def _section(self, output: Node, section: str, scope: str) -> Iterator[Entry]:
        """The requirements of one section; a list without sections is for host and run."""
        requirements = output.get("requirements")
        if requirements is None:
            return
        listed = requirements if requirements.items and section == "run" else requirements.get(section)
        for item in self._items(listed, "", _DEEPEST):
            yield from self._entry(item, scope, constraint=section.startswith("run_"))

    def _items(self, node: Node | None, marker: str | None, depth: int) -> Iterator[_Item]:
        """The texts of a list, with the conditions of ``if``, ``then`` and ``else``."""
        if node is None or not depth:
            return
        for item in node.items or ([node] if node.text else []):
            condition = item.get("if") if item.mapping else None
            if condition is not None:
                held = marker_of(condition.text or "")
                opposite = negated(held) if held else None
                for key, one in (("then", held), ("else", opposite)):
                    inside = None if one is None or marker is None else both(marker, one)
                    yield from self._items(item.get(key), inside, depth - 1)
            elif item.items:
                yield from self._items(item, marker, depth - 1)
            elif item.text:
                selector = self._selector(item)
                own = marker_of(selector) if selector else ""
                yield _Item(item, None if own is None or marker is None else both(marker, own))

    def _selector(self, node: Node) -> str:
        """The condition in the comment behind a value."""
        end = self._text.text.find("\n", node.start)
        match = _SELECTOR.search(self._text.text, node.start, end if end >= 0 else len(self._text.text))
        return match["condition"] if match else ""

    def _entry(self, item: _Item, scope: str, *, constraint: bool) -> Iterator[Entry]:
        text, at = (item.node.text or "").strip(), item.node.start
        spec = parse_spec(text)
        if spec is not None and _UNKNOWN in (text.replace(spec.build, "") if spec.build else text):
            spec = None
        name = re.split(r"[\s=<>!~]", text, maxsplit=1)[0]
        unknown = item.marker is None or spec is None or spec.specifier is None
        if unknown and CONDA_NAMES.get(name, name) in FAMILY:
            shown = text.replace(_UNKNOWN, "…")
            message = f"{shown} is not judged: only the build tool knows its versions or its condition"
            self._builder.issue("TL902", "note", message, at)
        if spec is None or spec.specifier is None or item.marker is None:
            return
        if spec.name == "python":
            self._builder.python(spec.specifier, at)
            return
        exact = Span(at + spec.start, at + spec.end) if item.node.exact else None
        entry = Entry(
            spec.index_name,
            spec.specifier,
            self._builder.place(at),
            text,
            self._host.path,
            marker=both(item.marker, self._skipped),
            version=exact,
            style="conda",
            channel="conda",
            index=spec.channel or None,
            build=label_of(spec.build),
            scope=scope,
            constraint=constraint,
        )
        yield self._builder.entry(entry)


def _filled(text: str) -> MappedText:
    """The text with the values that it states instead of templates, and without what only a template decides."""
    values = {match["name"]: match["value"] for match in _SET.finditer(text)}
    context = _CONTEXT.search(text)
    if context:
        values |= {match["name"]: match["value"] for match in _CONTEXT_VALUE.finditer(context["body"])}
    twice = [match["name"] for match in _SET.finditer(text)]
    values = {name: value for name, value in values.items() if twice.count(name) < 2}
    found, depth, at = MappedText(), 0, 0
    for line in text.splitlines(keepends=True):
        tags = [match["word"] for match in _TAG.finditer(line)]
        depth += sum(word in ("if", "for") for word in tags)
        bare = _TAG.sub("", line)
        alone = _FIELD.sub("", bare).strip(" \t\r\n,")
        if tags or depth or not alone or alone.startswith("#"):
            found.add(line if not tags and not depth and not bare.strip() else "\n", at)
        else:
            _fill_line(line, at, values, found)
        depth -= sum(word in ("endif", "endfor") for word in tags)
        at += len(line)
    return found


def _fill_line(line: str, start: int, values: dict[str, str], into: MappedText) -> None:
    at = 0
    for match in _FIELD.finditer(line):
        into.add(line[at : match.start()], start + at)
        name = _NAME.fullmatch(match["inside"])
        into.add(values.get(name[1], _UNKNOWN) if name else _UNKNOWN, start + match.start())
        at = match.end()
    into.add(line[at:], start + at)
