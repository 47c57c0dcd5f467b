"""Answers that come too slowly are given up: a timeout between two bytes never ends a server that drips."""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from typing_extensions import Buffer

# An answer may take so many seconds in any case, and a second more for so many bytes of it.
GRACE = 60.0
RATE = 1024
clock = time.monotonic


class TooSlow(Exception):
    """The answer came too slowly; the text is the end of a sentence."""

    def __init__(self) -> None:
        super().__init__(f"sends less than {RATE >> 10} kB a second")


class _Paced(io.RawIOBase):
    """The bytes of an answer as they come, headers and all.

    Raises TooSlow on reading where they come too slowly.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self._raw = raw
        self._ends = clock() + GRACE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int | None:
        count = self._raw.readinto(buffer)
        self._ends += (count or 0) / RATE
        if clock() > self._ends:
            raise TooSlow
        return count

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.fp, io.BufferedReader):
            self.fp = io.BufferedReader(_Paced(self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS: dict[str, type] = {"http": _Pool, "https": _SecurePool}
