"""poetry.lock, lock versions 1.x and 2.x."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torchlock.knowledge.indexes import is_public
from torchlock.location import Place
from torchlock.manifests.document import Document
from torchlock.manifests.syntax.lock_markers import by_scope
from torchlock.manifests.syntax.markers import either
from torchlock.manifests.syntax.poetry_constraints import specifier_of
from torchlock.manifests.syntax.toml_blocks import Lock, cut, strings
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.toml_blocks import Block

_PYTHON = re.compile(r'^python-versions *= *"([^"\n]*)"', re.MULTILINE)
_GROUPS = re.compile(r"^groups *= *\[([^\]\n]*)\]", re.MULTILINE)
_CATEGORY = re.compile(r'^category *= *"([^"\n]*)"', re.MULTILINE)


def read(text: str, path: str, *, whole: bool = False) -> Document:
    """Read a lock that poetry wrote, as a text with its line ends; ``whole``: with the files of all packages."""
    document = Document(path, "poetry.lock", text, locked=True)
    lock = cut(text, path, whole=whole)
    document.issues += lock.issues
    python = _PYTHON.search(lock.sections.get("metadata", ""))
    if python:
        document.python = specifier_of(python[1]) or ""
        where = text.find(python[0], max(text.find("[metadata]"), 0))
        document.python_place = Place(text.count("\n", 0, where) + 1) if where >= 0 else Place()
    extras = lock.table("extras").get("extras", {})
    reader = _Reader(lock, path, extras if isinstance(extras, dict) else {})
    for block in lock.packages:
        document.entries += reader.entries(block)
    return document


class _Reader:
    def __init__(self, lock: Lock, path: str, extras: dict[str, Any]) -> None:
        self._path = path
        self._extras = {extra: {_name(item) for item in strings(items)} for extra, items in extras.items()}
        self._lock = lock

    def entries(self, block: Block) -> Iterator[Entry]:
        """One entry for each scope that the package belongs to."""
        if not block.of_interest:
            for group in _groups(block.text):
                yield block.entry(self._path, scope=group)
            return
        files = block.files if "files = [" in block.text else self._lock.old_files.get(block.name, {})
        more: dict[str, Any] = {**files, **_source(block.get("source", dict))}
        for scope, marker in self._placed(block):
            yield block.entry(self._path, scope=scope, marker=marker, **more)

    def _placed(self, block: Block) -> Iterator[tuple[str, str]]:
        """The scopes with their markers: by group, and within a group by the extras that the marker names."""
        markers = block.table.get("markers", "")
        found: dict[str, list[str]] = {}
        for group in _names(block.text) or ["main"]:
            marker = markers.get(group, "") if isinstance(markers, dict) else markers
            for scope, left in by_scope(marker if isinstance(marker, str) else ""):
                found.setdefault(scope if group == "main" else f"group:{group}", []).append(left)
        if list(found) == [""] and block.table.get("optional") is True and self._extras:
            yield from ((f"extra:{extra}", either(*found[""])) for extra in self._pulled_in_by(block.name))
            return
        for scope in [""] if "" in found else found:
            yield scope, either(*found[scope])

    def _pulled_in_by(self, name: str) -> list[str]:
        """The extras that list an optional package; all extras if only other packages need it."""
        return [extra for extra, names in self._extras.items() if _name(name) in names] or list(self._extras)


def _names(text: str) -> list[str]:
    """The groups of a package as written; none if the lock does not state any."""
    groups, category = _GROUPS.search(text), _CATEGORY.search(text)
    return re.findall(r'"([^"]*)"', groups[1]) if groups else [category[1]] if category else []


def _groups(text: str) -> list[str]:
    """The scopes of the groups of a package: only "" if the main group has it, or if no group is stated."""
    names = _names(text)
    return [""] if "main" in names or not names else [f"group:{name}" for name in names]


def _source(source: dict[str, Any]) -> dict[str, str]:
    kind, url = source.get("type"), source.get("url")
    if not isinstance(url, str):
        return {}
    if kind == "git":
        reference = source.get("resolved_reference")
        return {"url": f"git+{url}@{reference}" if reference else f"git+{url}"}
    if kind in ("url", "file", "directory"):
        return {"url": url}
    return {} if is_public(url) else {"index": url}


def _name(requirement: str) -> str:
    """The normalised name at the start of a requirement."""
    return normalise(re.split(r"[\s\[(<>=!~;]", requirement.strip(), maxsplit=1)[0])
