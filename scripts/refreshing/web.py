"""HTTP GET with patience, and files that a server sends in parts."""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

_RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
GONE_STATUSES = frozenset({403, 404, 410, 451})
_ATTEMPTS = 6
_TAIL = 65536
_CHUNK = 262144
_WHOLE_AT_MOST = 64 << 20  # a server without byte ranges may send this much, not more


class RefreshError(Exception):
    """The run cannot go on; what it has read stays in the cache."""


class Unreadable(Exception):
    """One wheel has no metadata that could be read."""


class Web:
    """HTTP GET with patience, usable from several threads."""

    def __init__(self, pause: float = 1.0) -> None:
        self._local = threading.local()
        self._pause = pause

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """The answer to a GET: 200, 206 or one of the statuses that say the thing is not there.

        Raises:
            RefreshError: no such answer after several attempts.
        """
        trouble = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(self._pause * 2 ** (attempt - 1))
            try:
                response = self._session().get(url, headers=headers, timeout=60)
            except (requests.RequestException, OSError) as error:
                trouble = type(error).__name__
                continue
            if response.status_code in (200, 206) or response.status_code in GONE_STATUSES:
                return response
            trouble = f"status {response.status_code}"
            if response.status_code not in _RETRY_STATUSES:
                break
        raise RefreshError(f"{urlsplit(url).path}: {trouble}")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        return session


class RemoteFile(io.RawIOBase):
    """A file on a server that answers byte ranges, read a stretch at a time, its tail first."""

    def __init__(self, web: Web, url: str) -> None:
        super().__init__()
        self._web = web
        self._url = url
        self._at = 0
        response = self._ask(f"bytes=-{_TAIL}")
        self._tail = self._chunk = response.content
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        self.size = int(total) if total.isdigit() else len(self._tail)
        self._tail_at = self._chunk_at = self.size - len(self._tail)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")  # what zipfile expects of a file too short to be an archive
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self._at + size)
        if self._at >= end:
            return b""
        data = self._stretch(self._at, end)
        self._at += len(data)
        return data

    def _stretch(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end``, from what is at hand if possible, else fetched with some more."""
        for held, held_at in ((self._tail, self._tail_at), (self._chunk, self._chunk_at)):
            if held_at <= start and end <= held_at + len(held):
                return held[start - held_at : end - held_at]
        last = min(self.size, max(end, start + _CHUNK)) - 1
        self._chunk = self._ask(f"bytes={start}-{last}").content
        self._chunk_at = start
        return self._chunk[: end - start]

    def _ask(self, stretch: str) -> requests.Response:
        response = self._web.get(self._url, {"Range": stretch, "Accept-Encoding": "identity"})
        if response.status_code in GONE_STATUSES:
            raise Unreadable(f"status {response.status_code}")
        if response.status_code == 200 and len(response.content) > _WHOLE_AT_MOST:
            raise Unreadable("the server knows no byte ranges")
        return response
