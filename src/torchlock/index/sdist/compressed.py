"""The tar file inside a compressed one, unpacked piece by piece in little memory."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, cast

from torchlock.index.archives import ArchiveError
from torchlock.index.seekable import SeekableFile

if TYPE_CHECKING:
    from lzma import LZMADecompressor

# ``xz -9`` needs 65 MB; a file may ask for 4 GB.
_DICTIONARY = 128 << 20
_PIECE = 64 << 10


def decompressed(content: IO[bytes]) -> IO[bytes]:
    """The tar file in a compressed one, by its first bytes: pip uses the name, which may be wrong.

    Raises:
        ArchiveError: on reading, if unpacking takes too much memory.
    """
    start = content.read(6)
    content.seek(0)
    if start.startswith(b"\x1f\x8b"):
        import gzip

        return cast("IO[bytes]", gzip.GzipFile(fileobj=content))
    if start.startswith(b"BZh"):
        import bz2

        return cast("IO[bytes]", bz2.BZ2File(content))
    if start == b"\xfd7zXZ\0":
        return cast("IO[bytes]", _XzFile(content))
    return content


class _XzFile(SeekableFile):
    """Works like ``lzma.LZMAFile``, with a limit for the memory of the dictionary."""

    def __init__(self, content: IO[bytes]) -> None:
        super().__init__()
        self._content = content
        self._begin()

    def _begin(self) -> None:
        self._content.seek(0)
        self._position = 0
        self._stream: LZMADecompressor | None = _stream()
        self._rest = b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go forward to an offset, or back by unpacking everything again; only from the beginning."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("seek from elsewhere than the beginning")
        if offset < self._position:
            self._begin()
        while self._position < offset and self._some(min(_PIECE, offset - self._position)):
            pass
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = -1 if size is None else size
        parts = []
        while left and (part := self._some(_PIECE if left < 0 else min(left, _PIECE))):
            parts.append(part)
            left -= len(part) if left > 0 else 0
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        """A piece of at least one byte; none at the end."""
        import lzma

        try:
            while self._stream is not None:
                if self._stream.eof:
                    self._next()
                    continue
                fresh = self._stream.needs_input
                data = self._rest or self._content.read(_PIECE) if fresh else b""
                self._rest = b""
                if fresh and not data:
                    raise EOFError("the compressed file ended too early")
                if found := self._stream.decompress(data, most):
                    self._position += len(found)
                    return found
        except lzma.LZMAError as error:
            if "emory" in str(error):
                raise ArchiveError(f"takes more than {_DICTIONARY >> 20} MB of memory to unpack") from error
            raise
        return b""

    def _next(self) -> None:
        """Start the next stream: several may follow one another, with zeros between them."""
        assert self._stream is not None
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest and (more := self._content.read(_PIECE)):
            rest = more.lstrip(b"\0")
        self._rest = rest
        self._stream = _stream() if rest else None


def _stream() -> LZMADecompressor:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY)
