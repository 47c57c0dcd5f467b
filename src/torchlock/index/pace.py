"""Abort answers that are too slow or endless.

A timeout between two bytes never ends a server that drips, and no limit of a body one that sends other lines.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from typing_extensions import Buffer

# The seconds that an answer may take, plus one second for each number of bytes.
GRACE = 60.0
RATE = 1024
# So much may a line of an answer have, and its lines in all: status, headers, sizes of chunks, trailers.
_LINE = 1 << 16
_LINES = 16 << 20
clock = time.monotonic


class TooSlow(Exception):
    """The answer was too slow; the text is the end of a sentence."""

    def __init__(self, what: str = f"sends less than {RATE >> 10} kB a second") -> None:
        super().__init__(what)


class _Paced(io.RawIOBase):
    """The bytes of an answer, including its headers. Reading raises TooSlow if they arrive too slowly."""

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


class _Lines(io.BufferedReader):
    """The same, read by lines. Raises TooSlow if there are too many lines, or a line is endless."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw)
        self._left = _LINES

    def readline(self, size: int | None = -1, /) -> bytes:
        unbounded = size is None or size < 0
        line = super().readline(_LINE + 1 if unbounded else size)
        self._left -= len(line)
        if self._left < 0 or (unbounded and len(line) > _LINE):
            raise TooSlow("sends endless headers")
        return line


class _Response(HTTPResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.fp, io.BufferedReader):
            self.fp = _Lines(_Paced(self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS: dict[str, type] = {"http": _Pool, "https": _SecurePool}
