"""Cached answers of indexes on disk: pages to revalidate, and metadata that never changes.

One file per entry: a line of JSON, then the body. Entries are written with ``os.replace``, so processes may share
the folder; an incomplete entry counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.index.addresses import bare_url
from torchlock.runtime.temporary import Temporary, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# How long a page is fresh, unless the index says less.
DEFAULT_MAX_AGE = 600
# No entry is longer: a page may have 64 MB.
_LONGEST = 80 << 20
# The folder of each kind of entry. Its number changes with the form of the entries.
_FOLDERS = {"pages": "pages-v2", "metadata": "metadata-v1", "declared": "declared-v1"}
# Characters of a stored header that may be sent again: an answer may contain more than a request.
_HEADER = re.compile(r"[!-~]([ -~]{0,998}[!-~])?")


class Page(NamedTuple):
    """A page of an index with its HTTP headers. Times are seconds since the epoch.

    ``body`` is the content of a ``ProjectPage``, which holds all of the page that a run may need. ``missing``: the
    index answered that it has no such page.
    """

    url: str
    body: bytes
    stored_at: float
    max_age: float = DEFAULT_MAX_AGE
    etag: str = ""
    last_modified: str = ""
    missing: bool = False

    def fresh(self, now: float) -> bool:
        """Whether the page may be used without asking again (if the clock was set back, it is stale)."""
        return 0 <= now - self.stored_at < self.max_age

    def conditions(self) -> dict[str, str]:
        """The headers that ask whether the page has changed, without invalid ones."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if _HEADER.fullmatch(value)}


def key(*parts: str) -> str:
    """The name of an entry; it does not reveal the URL."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def default_folder(environ: Mapping[str, str] | None = None) -> Path:
    """``TORCHLOCK_CACHE_DIR``, or torchlock's folder in the cache folder of this system."""
    environ = os.environ if environ is None else environ
    if named := environ.get("TORCHLOCK_CACHE_DIR"):
        return Path(named)
    if sys.platform == "win32" and (local := environ.get("LOCALAPPDATA")):
        return Path(local, "torchlock", "cache")
    if shared := environ.get("XDG_CACHE_HOME"):
        return Path(shared, "torchlock")
    home = Path(environ.get("HOME") or Path.home())
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "torchlock"


class Cache:
    """A folder of entries. Disk errors never stop the work; the first one is reported once."""

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self._folder = folder
        self._note = note
        self._writable = True

    def page(self, name: str) -> Page | None:
        """The page stored under this key."""
        found = self._read("pages", name)
        if found is None:
            return None
        head, body = found
        try:
            page = Page(body=body, **head)
        except TypeError:
            return None
        times = page.stored_at, page.max_age
        texts = page.url, page.etag, page.last_modified
        fits = all(isinstance(time, (int, float)) for time in times) and all(isinstance(t, str) for t in texts)
        return page if fits else None

    def keep_page(self, name: str, page: Page) -> None:
        """Store a page under this key, without the secrets that its URL may have."""
        head = page._replace(url=bare_url(page.url))._asdict()
        self._write("pages", name, head, head.pop("body"))

    def metadata(self, name: str) -> str | None:
        """The METADATA text stored under this key."""
        found = self._read("metadata", name)
        return None if found is None else found[1].decode()

    def keep_metadata(self, name: str, text: str) -> None:
        self._write("metadata", name, {}, text.encode())

    def declared(self, name: str) -> str | None:
        """What a wheel declares, parsed, as stored under this key (``DeclaredStore``)."""
        found = self._read("declared", name)
        return None if found is None else found[1].decode()

    def keep_declared(self, name: str, text: str) -> None:
        self._write("declared", name, {}, text.encode())

    def _path(self, kind: str, name: str) -> str:
        """As text: a run makes thousands of them."""
        return os.sep.join((str(self._folder), _FOLDERS[kind], name[:2], name[2:]))

    def _read(self, kind: str, name: str) -> tuple[dict[str, Any], bytes] | None:
        try:
            content = _content(self._path(kind, name))
            start = content.index(b"\n") + 1
            head, body = json.loads(content[:start]), content[start:]
            if head.pop("sha256") != hashlib.sha256(body).hexdigest():
                return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return head, body

    def _write(self, kind: str, name: str, head: dict[str, Any], body: bytes) -> None:
        if not self._writable:
            return
        line = json.dumps({**head, "sha256": hashlib.sha256(body).hexdigest()}).encode()
        try:
            _replace(self._path(kind, name), line + b"\n" + body)
        except OSError as error:
            self._writable = False
            self._note(
                f"the cache {self._folder} cannot be written ({error.strerror or error}); continuing without it"
            )


def _content(path: str) -> bytes:
    """The content of an entry. Raises OSError if there is none, ValueError if it is not a file or too long."""
    status = os.stat(path)  # before it is opened: a pipe would wait for a writer
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST:
        raise ValueError(path)
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _replace(path: str, content: bytes) -> None:
    """Write a complete file that only its owner can read, or no file."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    sweep(folder)
    with Temporary(folder) as temporary:
        with os.fdopen(temporary.descriptor, "wb", closefd=False) as file:
            file.write(content)
        temporary.take_place_of(path)
