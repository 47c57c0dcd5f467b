"""A compressed member of a zip file of which only the beginning and the end are read.

The libraries of torch take half a gigabyte, and the tables of their symbols are at the two ends. Deflate has no
index, so the end is read so: find the beginning of a block of compressed data by trial, and inflate from there,
twice, with other bytes in place of the 32 kB before it that are not known. A byte that is the same both times does
not depend on them.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How much of the compressed member is fetched at first, and how many times as much the next try has.
_FIRST: Final = 1 << 19
_LEAST, _MOST = 1.2, 2.0
# The end is inflated from a boundary somewhere in what was fetched, so a little more than needed is fetched.
_MARGIN: Final = 1.15
# Members up to this compressed size are fetched and inflated as a whole, larger ones only from their ends.
_SMALL: Final = 1 << 20
# No block of a real wheel is longer than this; the search for a boundary ends there.
_SEARCHED: Final = 1 << 18
_WINDOW: Final = 1 << 15
_UNKNOWN: Final = (b"\x00" * _WINDOW, b"\xff" * _WINDOW)
_STEP: Final = 1 << 12
_AHEAD: Final = 1 << 13


class NotAtTheEnds(Exception):
    """These bytes of the member are neither near its beginning nor near its end; the message says which."""


class Deflated:
    """A member of a zip file: ``fetch(start, stop)`` brings compressed bytes of it, ``packed`` is their number.

    ``size`` is that of the member itself. ``limit`` is the most compressed bytes that are fetched from either end.
    """

    def __init__(
        self, fetch: Callable[[int, int], bytes], packed: int, size: int, *, is_stored: bool, limit: int
    ) -> None:
        self.size = size
        self._fetch = fetch
        self._packed = packed
        self._is_stored = is_stored
        self._limit = min(limit, packed)
        self._head = b""
        self._head_packed = 0
        self._inflating = zlib.decompressobj(-15)
        self._packed_tail = b""
        self._tail = b""
        self._tail_packed = 0

    def read(self, offset: int, size: int) -> bytes:
        """These bytes of the member, from the end that has them; fewer where the member ends.

        Raises:
            NotAtTheEnds: neither end has them within the limit.
            zlib.error: the member is damaged.
        """
        stop = min(offset + size, self.size)
        if self._is_stored:
            return self._fetch(offset, max(offset, stop))
        while True:
            if stop <= len(self._head):
                return self._head[offset:stop]
            start = self.size - len(self._tail)
            if offset >= start:
                return self._tail[offset - start : stop - start]
            self._grow(offset, stop)

    def _grow(self, offset: int, stop: int) -> None:
        """Read more from the end that the bytes are nearer to.

        Raises:
            NotAtTheEnds: the limit is reached.
        """
        is_behind = self.size - offset < stop
        if self._packed <= _SMALL or not self._head_packed:
            self._grow_head(0.0)
        elif is_behind and self._tail_packed < self._limit:
            self._grow_tail((self.size - offset) / max(1, len(self._tail)))
        elif not is_behind and self._head_packed < self._limit:
            self._grow_head(stop / max(1, len(self._head)))
        else:
            raise NotAtTheEnds(f"bytes {offset} to {stop} of {self.size}")

    def _grow_head(self, factor: float) -> None:
        """Fetch ``factor`` times as much from the beginning, as far as the limit allows."""
        if self._packed <= _SMALL:
            wanted = self._packed
        else:
            wanted = min(_wanted(self._head_packed, factor), max(self._limit, _FIRST))
        self._head += self._inflating.decompress(self._fetch(self._head_packed, wanted))
        self._head_packed = wanted

    def _grow_tail(self, factor: float) -> None:
        wanted = min(_wanted(self._tail_packed, factor), self._limit)
        more = self._fetch(self._packed - wanted, self._packed - self._tail_packed)
        self._packed_tail = more + self._packed_tail
        self._tail_packed = wanted
        if (found := known_end(self._packed_tail, self.size)) is not None and len(found) > len(self._tail):
            self._tail = found


def _wanted(known: int, factor: float) -> int:
    """How many compressed bytes to have next, if ``factor`` times as many bytes are needed as they gave."""
    if not known:
        return 2 * _FIRST
    return int(known * max(_LEAST, min(factor * _MARGIN, _MOST)))


def known_end(packed: bytes, most: int) -> bytes | None:
    """The end of what was compressed, inflated from the end of the compressed data; None if no block is found.

    At most ``most`` bytes. Two blocks after each other are tried: a beginning that is none gives other bytes.
    """
    found: bytes | None = None
    for at, bit in _beginnings(packed):
        inflated = _known(_shifted(packed[at:], bit))
        if inflated is None or len(inflated) > most:
            continue
        if found is not None:
            shorter = min(len(found), len(inflated))
            return found if found[-shorter:] == inflated[-shorter:] else None
        found = inflated
    return found


def _known(packed: bytes) -> bytes | None:
    """The bytes at the end that do not depend on what is before; None if this is no beginning of a block."""
    first, second = (zlib.decompressobj(-15, zdict=window) for window in _UNKNOWN)
    try:
        inflated = first.decompress(packed)
        other = second.decompress(packed)
    except zlib.error:
        return None
    if not first.eof or len(first.unused_data) > 1:
        return None
    return inflated[_last_difference(inflated, other) :]


def _last_difference(first: bytes, second: bytes) -> int:
    """Where two texts of one length are equal from, to their end."""
    low, high = 0, len(first)
    while low < high:  # the last difference is at or behind ``low``, if there is any
        middle = (low + high) // 2
        if first[middle:high] == second[middle:high]:
            high = middle
        else:
            low = middle + 1
    return low


def _beginnings(packed: bytes) -> Iterator[tuple[int, int]]:
    """The byte and the bit of each place where a block with its own codes may begin."""
    last = max(0, min(_SEARCHED, len(packed) - _AHEAD))
    for start in range(0, last, _STEP):
        views = [_shifted(packed[start : start + _STEP + _AHEAD], bit) for bit in range(8)]
        for at in range(min(_STEP, last - start)):
            for bit, view in enumerate(views):
                if _may_begin(view, at):
                    yield start + at, bit


def _may_begin(view: bytes, at: int) -> bool:
    """Whether the header of a block that is not the last, and its tables of codes, can be read here."""
    # The lowest bits: not the last block (0), dynamic codes (10), then the numbers of codes, 286 and 30 at most.
    if view[at] & 7 != 4 or view[at] >> 3 > 29 or view[at + 1] & 31 > 29:
        return False
    try:
        zlib.decompressobj(-15, zdict=_UNKNOWN[0]).decompress(view[at : at + _AHEAD], 1)
    except zlib.error:
        return False
    return True


def _shifted(data: bytes, bits: int) -> bytes:
    """The data without its first bits, as deflate counts them: from the lowest of each byte."""
    if not bits:
        return data
    return (int.from_bytes(data, "little") >> bits).to_bytes(len(data), "little")
