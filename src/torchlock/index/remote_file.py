"""A file on a server, read in byte ranges: a zip reader needs only the end of a wheel and one member."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from torchlock.index.seekable import SeekableFile

if TYPE_CHECKING:
    from collections.abc import Callable

# The number of bytes per request; where one piece follows the other, each is twice as long as the one before.
_PIECE, _LONGEST_PIECE = 1 << 16, 1 << 20
# The list of members at the end of a wheel is read first; METADATA mostly stands shortly before it, with RECORD,
# which grows with the list, between them. So much more is fetched with the rest of a long list.
_BEFORE_LIST, _SHARE_OF_LIST = 1 << 16, 0.6
# The total at which fetching the whole file is better.
BUDGET = 32 << 20


class RemoteFile(SeekableFile):
    """A seekable file whose end is known; ``fetch(start, stop)`` brings any other piece, whole.

    Raises ValueError on reading when more than ``budget`` bytes would have been fetched, ``fetched`` so far.
    """

    def __init__(self, size: int, end: bytes, fetch: Callable[[int, int], bytes], budget: int = BUDGET) -> None:
        super().__init__()
        self._size = size
        self._pieces = [(size - len(end), end)]
        self._fetch = fetch
        self._budget = budget
        self.fetched = 0
        self._lowest = size
        self._ahead = _PIECE

    @property
    def needed(self) -> int:
        """How many bytes at the end of the file hold all that was read."""
        return self._size - self._lowest

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("seek before the beginning")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        start = min(self._position, self._size)
        stop = self._size if size is None or size < 0 else min(start + size, self._size)
        self._position = stop
        return self._piece(start, stop)

    def _piece(self, start: int, stop: int) -> bytes:
        self._lowest = min(self._lowest, start)
        for offset, content in self._pieces:
            if offset <= start and stop <= offset + len(content):
                return content[start - offset : stop - offset]
        if start < self._pieces[0][0] < stop:
            return self._longer_end(start)[: stop - start]
        offset, content = self._pieces[-1]
        self._ahead = min(2 * self._ahead, _LONGEST_PIECE) if start == offset + len(content) else _PIECE
        content = self._fetched(start, min(max(stop, start + self._ahead), self._size))
        self._pieces.append((start, content))
        return content[: stop - start]

    def _longer_end(self, start: int) -> bytes:
        """From ``start`` to the end of the file: what lacks before the known end, and some more, is fetched."""
        known, end = self._pieces[0]
        more = _BEFORE_LIST + int(_SHARE_OF_LIST * (self._size - start))
        begin = max(0, start - more)
        end = self._fetched(begin, known) + end
        self._pieces[0] = begin, end
        return end[start - begin :]

    def _fetched(self, start: int, stop: int) -> bytes:
        self.fetched += stop - start
        if self.fetched > self._budget:
            raise ValueError("too much to read")
        return self._fetch(start, stop)
