"""Prepares a document for audit: applies overrides, sources and routes, removes nameless addresses."""

from __future__ import annotations

from fnmatch import fnmatchcase

from torchlock.manifests.syntax.markers import both, negated
from torchlock.records import replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.manifests.document import Document, Entry
    from torchlock.terms import Source


def refine(document: Document) -> None:
    """Change the entries of a document to the packages that get installed."""
    document.nameless += [entry.url for entry in document.entries if not entry.name and entry.url]
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
    """Replace entries by the overrides of the same package, in all their scopes.

    If no entry names the package, the override becomes a constraint: another package may require it.
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
    """An entry for each of its sources, and one for the environments without a source."""
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
