"""An index asked from several threads at once, and the count of what it was asked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from torchlock.index import Index

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.index import IndexSettings


class Asker:
    """Opens an index for each thread; they share the cache on disk.

    ``pages`` and ``wheels`` count the pages and the reads of wheels that were needed. ``refresh``: ask for a page
    even if the cache has it and it is fresh.
    """

    def __init__(self, settings: IndexSettings, cache: Path, *, refresh: bool = True) -> None:
        self.pages = 0
        self.wheels = 0
        self._settings = settings
        self._cache = cache
        self._refresh = refresh
        self._local = threading.local()
        self._lock = threading.Lock()

    @property
    def index(self) -> Index:
        """The index of this thread."""
        opened: Index | None = getattr(self._local, "index", None)
        if opened is None:
            opened = self._local.index = Index(self._settings, cache_dir=self._cache, refresh=self._refresh)
        return opened

    def count(self, *, page: bool = False) -> None:
        """Note that a page, or else a wheel, is read."""
        with self._lock:
            if page:
                self.pages += 1
            else:
                self.wheels += 1
