"""The pages of the PyTorch wheel index, read with the index client of the program.

A page states more than the files of its folder: it repeats the links of the root page. So the folder of a file is
the one in its address, and a page is only asked for where a page of the root, or a table, shows files of it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from refreshing.build_rows import ROOT_FOLDER
from torchlock.errors import MetadataError
from torchlock.index.cache import Cache
from torchlock.index.metadata import MetadataReader
from torchlock.index.remote import PageReader
from torchlock.index.settings import IndexSettings
from torchlock.index.transport import Transport
from torchlock.standards.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torchlock.standards.index_file import File

# The path of the index on its own hosts: pages of a mirror may link to the files there.
_PATH = "/whl"


class BuildIndex:
    """A wheel index below an address; usable from several threads.

    ``cache`` keeps the pages, to ask only whether they changed, and the metadata of wheels by their hash.
    ``report`` is called before each wait. ``notes`` are remarks about answers.
    """

    def __init__(self, address: str, cache: Path, report: Callable[[str], None]) -> None:
        self.address = address.rstrip("/")
        self.notes: set[str] = set()
        self._cache = cache
        self._report = report
        self._local = threading.local()

    def page(self, folder: str, package: str) -> list[File] | None:
        """The files that a page lists, wherever they are; None if there is no such page.

        Raises:
            NetworkError: the page cannot be read; the message says why.
        """
        where = package if folder == ROOT_FOLDER else f"{folder}/{package}"
        pages: PageReader = self._readers()[0]
        self._report(f"asking for the page of {where}")
        found = pages.ask(pages.known(f"{self.address}/{where}/"))
        return None if found is None else found.files()

    def folder_of(self, file: File) -> str | None:
        """The folder in the address of a file (``cu128``, ``test/cu128``, ``root``); None: it is elsewhere."""
        path = unquote(urlsplit(file.url).path)
        for start in (unquote(urlsplit(self.address).path), _PATH):
            if path.startswith(f"{start}/"):
                return path[len(start) + 1 :].rpartition("/")[0] or ROOT_FOLDER
        return None

    def declared(self, file: File) -> tuple[str, ...]:
        """Requires-Dist of a wheel, from the metadata file beside it or from a part of the wheel.

        Raises:
            MetadataError: the metadata is of no use.
            BrokenFile: the wheel is missing.
            NetworkError: the server fails.
        """
        metadata: MetadataReader = self._readers()[1]
        headers = read_headers(metadata.read(file))
        named = canonicalize_name(headers.first("name") or "")
        if named != canonicalize_name(file.filename.partition("-")[0]):
            raise MetadataError(f"its metadata is of {named or 'no project'}")
        return tuple(headers.fields.get("requires-dist", ()))

    def _readers(self) -> tuple[PageReader, MetadataReader]:
        """The readers of this thread: they share a connection."""
        if not hasattr(self._local, "readers"):
            transport = Transport(IndexSettings(self.address))
            store = Cache(self._cache, self.notes.add)
            pages = PageReader(lambda: transport, store, refresh=True, note=self.notes.add)
            self._local.readers = pages, MetadataReader(lambda: transport, store, self._report)
        readers: tuple[PageReader, MetadataReader] = self._local.readers
        return readers
