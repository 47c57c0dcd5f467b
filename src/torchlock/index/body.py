"""Read the body of an answer: complete, decompressed, and within a limit."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from torchlock.errors import NetworkError
from torchlock.index import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

# The only accepted encoding: others expand to more than a thousand times their size.
CODING = "gzip"
_GZIP = ("gzip", "x-gzip")
_PIECE = 1 << 16


class TooLarge(NetworkError):
    """The body is longer than the limit; ``size`` is its length if the server sent it."""

    def __init__(self, url: str, size: int | None) -> None:
        super().__init__(f"{addresses.redact(url)} is too large to read ({_megabytes(size)})")
        self.size = size


class CutOff(Exception):
    """The body is incomplete."""


def read_body(response: requests.Response, limit: int) -> bytes:
    """The whole body, decompressed if compression was requested; of an error answer, only its beginning.

    A file that was requested uncompressed stays as it is: some servers label a ``.tar.gz`` as compressed.

    Raises:
        TooLarge: it is longer than ``limit``, compressed or decompressed.
        BrokenOff: it is shorter than announced, or its compressed data is incomplete.
        NetworkError: it cannot be decompressed, or has an encoding that was not requested.
    """
    stated = response.headers.get("Content-Length", "")
    length = int(stated) if re.fullmatch(r"[0-9]{1,18}", stated) else None
    if response.status_code not in (200, 206):
        return _beginning(response)
    if length is not None and length > limit:
        raise TooLarge(response.url, length)
    pieces = _Pieces(response, limit, length)
    as_it_is = response.request.headers.get("Accept-Encoding") == "identity"
    content = b"".join(pieces if as_it_is else _unpacked(response, pieces, limit))
    if length is not None and pieces.size != length:
        raise CutOff
    return content


def _beginning(response: requests.Response) -> bytes:
    piece: bytes = next(response.raw.stream(_PIECE, decode_content=False), b"")
    try:
        return zlib.decompressobj(wbits=31).decompress(piece, _PIECE)
    except zlib.error:
        return piece


class _Pieces:
    """The pieces of a body as they come; ``size`` is how much came."""

    def __init__(self, response: requests.Response, limit: int, length: int | None) -> None:
        self.size = 0
        self._response = response
        self._limit = limit
        self._length = length

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._response.raw.stream(_PIECE, decode_content=False):
            self.size += len(piece)
            if self.size > self._limit:
                raise TooLarge(self._response.url, self._length)
            yield piece


def _unpacked(response: requests.Response, pieces: _Pieces, limit: int) -> Iterator[bytes]:
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        yield from pieces
        return
    shown = addresses.redact(response.url)
    if coding not in _GZIP:
        raise NetworkError(f"{shown} answered in an encoding that was not requested ({coding[:20]!r})")
    size = 0
    try:
        for piece in _members(pieces):
            size += len(piece)
            if size > limit:
                raise TooLarge(response.url, None)
            yield piece
    except zlib.error as error:
        raise NetworkError(f"{shown} answered with a damaged body (it does not decompress)") from error


def _members(pieces: _Pieces) -> Iterator[bytes]:
    """The content of the members of a gzip file; data after the last member is ignored."""
    reader = zlib.decompressobj(wbits=31)
    for piece in pieces:
        rest = piece
        while rest:
            if reader.eof and not rest.startswith(b"\x1f"):
                break
            if reader.eof:
                reader = zlib.decompressobj(wbits=31)
            yield reader.decompress(rest, _PIECE)
            rest = reader.unconsumed_tail or reader.unused_data
    if pieces.size and not reader.eof:
        raise CutOff


def _megabytes(size: int | None) -> str:
    return "of unknown size" if size is None else f"{size / 1e6:.0f} MB"
