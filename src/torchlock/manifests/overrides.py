"""Overrides: they replace what anything else asks of a package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.manifests.document import Document, Entry


def override(document: Document, entries: Sequence[Entry]) -> None:
    """Put entries in the place of those of the same name, in all their scopes.

    Where nothing asks for the package, the override says what it is if something else brings it.
    """
    names = {entry.name for entry in entries}
    replaced: dict[str, dict[str, None]] = {}
    kept = []
    for entry in document.entries:
        if entry.name not in names or entry.scope == "group:build-system":
            kept.append(entry)
        elif not entry.constraint:
            replaced.setdefault(entry.name, {})[entry.scope] = None
    for entry in entries:
        if entry.name in replaced:
            kept += [replace(entry, scope=scope) for scope in replaced[entry.name]]
        else:
            kept.append(replace(entry, constraint=True))
    document.entries = kept
