"""A document as audit judges it: overrides, sources and routes are applied, nameless addresses left out."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from torchlock.manifests.syntax.markers import both, negated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.manifests.document import Document, Entry
    from torchlock.terms import Source


def refine(document: Document) -> None:
    """Change the entries of a document to what is installed in the end."""
    document.entries = [entry for entry in document.entries if entry.name]
    if document.overrides:
        _override(document)
    if document.sources:
        document.entries = [
            sourced
            for entry in document.entries
            for sourced in _sourced(entry, document.sources.get(entry.name, ()))
        ]
    for pattern, address in document.routes.items():
        for entry in document.entries:
            if entry.index is None and fnmatchcase(entry.name, pattern):
                entry.index = address


def _override(document: Document) -> None:
    """Put the overrides in the place of entries of the same name, in all their scopes.

    Where nothing asks for the package, the override says what it is if something else brings it.
    """
    names = {entry.name for entry in document.overrides}
    replaced: dict[str, dict[str, None]] = {}
    kept = []
    for entry in document.entries:
        if entry.name not in names or entry.scope == "group:build-system":
            kept.append(entry)
        elif not entry.constraint:
            replaced.setdefault(entry.name, {})[entry.scope] = None
    for entry in document.overrides:
        if entry.name in replaced:
            kept += [replace(entry, scope=scope) for scope in replaced[entry.name]]
        else:
            kept.append(replace(entry, constraint=True))
    document.entries = kept


def _sourced(entry: Entry, sources: Sequence[Source]) -> Iterator[Entry]:
    """An entry for each of its sources, and one for where none of them applies."""
    fitting = [source for source in sources if source.scope in ("", entry.home or entry.scope)]
    for source in fitting:
        yield replace(
            entry,
            marker=both(entry.marker, source.marker),
            index=source.index_url or None,
            url=source.url or None,
            version=None if source.url else entry.version,
            editable=source.editable,
        )
    rest = [negated(source.marker) if source.marker else None for source in fitting]
    if None not in rest:
        yield replace(entry, marker=both(entry.marker, *(marker for marker in rest if marker)))
