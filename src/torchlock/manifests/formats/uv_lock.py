"""uv.lock, every revision of version 1."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.knowledge.indexes import is_public
from torchlock.location import Place
from torchlock.manifests.document import Document
from torchlock.manifests.syntax.lock_markers import platforms, with_scopes
from torchlock.manifests.syntax.markers import both, either, simplified
from torchlock.manifests.syntax.toml_blocks import cut, strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.toml_blocks import Block

_PYTHON = re.compile(r'^requires-python *= *"([^"\n]*)"', re.MULTILINE)
_SOURCE = re.compile(r"^source *= *\{ *(\w+) *= *\"([^\"\n]*)\"", re.MULTILINE)
# [package.metadata] lists requirements, not installed packages.
_METADATA = re.compile(r"^\[package\.(?:metadata|dev-dependencies\]|optional-dependencies\])", re.MULTILINE)
# An array, on one line or on several indented lines.
_LIST = re.compile(r"^([\w.\"-]+) = \[([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_DEPENDENCIES = re.compile(r"^dependencies = \[([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_EDGE = re.compile(
    r'\{ name = "(?P<name>[^"\n]+)"'
    r'(?:, version = "(?P<version>[^"\n]+)")?'
    r"(?:, source = \{ \w+ = \"(?P<source>[^\"\n]+)\"[^{}\n]*\})?"
    r"(?:, extra = \[[^\[\]\n]*\])?"
    r'(?:, marker = "(?P<marker>(?:[^"\\\n]|\\.)*)")?'
)


class _Edge(NamedTuple):
    name: str
    version: str
    source: str
    marker: str


class _Node:
    """A package in the dependency graph of the lock."""

    def __init__(self, block: Block) -> None:
        self.block = block
        source = _SOURCE.search(block.text)
        self.kind, self.source = (source[1], source[2]) if source else ("", "")
        self.edges: list[_Edge] = []
        self.asked: dict[str, list[_Edge]] = {}
        """Scope → what the package asks for in it, for a member of the project."""
        tables = _METADATA.search(block.text)
        own = _DEPENDENCIES.search(block.text, 0, tables.start() if tables else len(block.text))
        self.edges += _edges(own[1]) if own else ()
        for where, part in _tables(block.text):
            for key, inner in _LIST.findall(part):
                self._take(where, key.strip('"'), _edges(inner))

    @property
    def is_member(self) -> bool:
        """Whether this is the project itself, or a member of its workspace."""
        return self.kind in ("virtual", "editable") and not self.source.startswith("..")

    def _take(self, where: str, key: str, edges: list[_Edge]) -> None:
        if self.is_member:
            scope = "extra" if where == "optional-dependencies" else "group"
            self.asked.setdefault(f"{scope}:{key}", []).extend(edges)
        elif where == "optional-dependencies":
            # The requested extras are not distinguished: they are locked, so somebody requested them.
            self.edges += edges


def read(text: str, path: str, *, whole: bool = False) -> Document:
    """Read a lock that uv wrote, as a text with its line ends.

    The scope of a package is the first extra or group of the project that leads to it. Its marker combines the
    forks of the lock with the markers of the ways to the package. ``whole``: with the files of all packages.
    """
    document = Document(path, "uv.lock", text, locked=True)
    lock = cut(text, path, whole=whole)
    document.issues += lock.issues
    head = lock.table("")
    python = _PYTHON.search(text)
    if python:
        document.python = python[1]
        document.python_place = Place(text.count("\n", 0, python.start()) + 1)
    supported = strings(head.get("supported-markers")) or strings(head.get("required-markers"))
    document.platforms = platforms(supported)
    graph = _Graph([_Node(block) for block in lock.packages])
    for node in graph.nodes:
        document.entries += _entries(node, graph, path)
    return document


class _Graph:
    """Which package is reached from which, and under which markers."""

    def __init__(self, nodes: list[_Node]) -> None:
        self.nodes = nodes
        self._named: dict[str, list[_Node]] = {}
        for node in nodes:
            self._named.setdefault(node.block.name, []).append(node)
        self._reached: dict[str, dict[int, list[str]]] = {}
        members = [node for node in nodes if node.is_member]
        self._walk("", [edge for node in members for edge in node.edges])
        for node in members:
            for scope, edges in node.asked.items():
                self._walk(scope, [*(edge for node in members for edge in node.edges), *edges])
        if not members:
            self._reached = {}

    def placed(self, node: _Node) -> list[tuple[str, str]]:
        """The scopes that a package belongs to, each with the marker of the ways to it."""
        always = self._reached.get("", {}).get(id(node))
        if always is not None:
            return [("", either(*always))]
        found = [(scope, either(*ways[id(node)])) for scope, ways in self._reached.items() if id(node) in ways]
        return found or [("", "")]

    def _walk(self, scope: str, edges: list[_Edge]) -> None:
        """Record the packages that these edges lead to, if only this scope is requested."""
        decide = with_scopes([scope])
        reached = self._reached.setdefault(scope, {})
        queue = deque(edges)
        while queue:
            edge = queue.popleft()
            marker = simplified(edge.marker, decide) if "extra" in edge.marker else edge.marker
            if marker is None:
                continue
            for node in self._ends(edge):
                ways = reached.get(id(node))
                if ways is None:
                    reached[id(node)] = [marker]
                    queue.extend(node.edges)
                elif marker not in ways:
                    ways.append(marker)

    def _ends(self, edge: _Edge) -> Iterator[_Node]:
        for node in self._named.get(edge.name, ()):
            if (not edge.version or edge.version == node.block.version) and (
                not edge.source or edge.source == node.source
            ):
                yield node


def _tables(text: str) -> Iterator[tuple[str, str]]:
    """The tables of optional and dev dependencies, by name."""
    headers = list(_METADATA.finditer(text))
    for header, after in zip(headers, [*headers[1:], None], strict=False):
        if "metadata" not in header[0]:
            name = header[0].removeprefix("[package.").rstrip("]")
            yield name, text[header.end() : after.start() if after else len(text)]


def _edges(text: str) -> list[_Edge]:
    return [
        _Edge(name, version, source, marker.replace('\\"', '"'))
        for name, version, source, marker in _EDGE.findall(text)
    ]


def _entries(node: _Node, graph: _Graph, path: str) -> Iterator[Entry]:
    block = node.block
    if node.is_member:
        return
    more: dict[str, Any] = {**block.files, **_source(node)} if block.of_interest else {}
    forked = block.table.get("resolution-markers") if "resolution-markers" in block.text else None
    forks = [simplified(marker, with_scopes([])) if "extra" in marker else marker for marker in strings(forked)]
    fork = either(*(marker for marker in forks if marker is not None))
    for scope, marker in graph.placed(node):
        yield block.entry(path, scope=scope, marker=both(fork, marker), **more)


def _source(node: _Node) -> dict[str, str]:
    if node.kind == "registry":
        return {} if is_public(node.source) else {"index": node.source}
    if not node.kind:
        return {}
    return {"url": f"git+{node.source}" if node.kind == "git" else node.source}
