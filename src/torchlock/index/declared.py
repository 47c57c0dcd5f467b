"""What wheels declare, kept by the hash of the wheel and the release of the reader: no text is parsed twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from torchlock import __version__
from torchlock.index import cache
from torchlock.index.metadata import is_hashed, key_of
from torchlock.standards.core_metadata import CoreMetadata
from torchlock.standards.dependency import Dependency

if TYPE_CHECKING:
    from torchlock.standards.index_file import File


class DeclaredStore:
    """The declarations of wheels in a cache. Those of a file without a hash are not kept: it may change."""

    def __init__(self, store: cache.Cache) -> None:
        self._store = store

    def get(self, file: File) -> CoreMetadata | None:
        """What the cache has."""
        name = _name(file)
        text = None if name is None else self._store.declared(name)
        try:
            return None if text is None else _read(text)
        except (ValueError, TypeError, RecursionError):
            return None

    def keep(self, file: File, found: CoreMetadata) -> None:
        """Keep what was parsed."""
        name = _name(file)
        if name is not None:
            self._store.keep_declared(name, json.dumps([*found[:-1], sorted(found.dynamic)]))


def _name(file: File) -> str | None:
    """The key of a wheel: that of its text, and what else the answer depends on."""
    if not is_hashed(file) or not file.filename.endswith(".whl"):
        return None
    import packaging

    return cache.key(key_of(file), __version__, packaging.__version__)


def _read(text: str) -> CoreMetadata:
    name, version, metadata_version, python, extras, dependencies, invalid, dynamic = json.loads(text)
    return CoreMetadata(
        name,
        version,
        tuple(metadata_version),
        python,
        extras,
        [Dependency.from_row(row) for row in dependencies],
        invalid,
        frozenset(dynamic),
    )
