"""A compressed member of a zip file of which only the beginning and the end are read.

The libraries of torch take half a gigabyte, and the tables of their symbols are at the two ends. Deflate has no
index, so the end is read so: find the beginning of a block of compressed data by trial, and inflate from there,
twice, with other bytes instead of the 32 kB before it that are not known. A byte that is the same both times does
not depend on them.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How much of the compressed member is fetched at first, and how many times as much the next try has.
_FIRST: Final = 1 << 19
_LEAST, _MOST = 1.2, 4.0
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
# Blocks with the usual codes, not the last ones: an empty one, and one of the byte 144.
_EMPTY: Final = 0b0000000_010
_ONE_BYTE: Final = 0b0000000_000010011_010
# So many compressed bytes are inflated at once.
_PART: Final = 1 << 20
# The header of a block, in its lowest bits: not the last one (0), codes of its own (10), then the numbers of codes
# less 257 and 1, of which 29 is the most.
_HEADER: Final = re.compile(
    b"[%s](?=[%s])"
    % (
        b"".join(b"\\x%02x" % each for each in range(256) if each & 7 == 4 and each >> 3 <= 29),
        b"".join(b"\\x%02x" % each for each in range(256) if each & 31 <= 29),
    )
)
# A code of length n uses the share 1/2^n of all codes. The shares of four codes, by their lengths in twelve bits.
_ALL_CODES: Final = 128
_SHARE: Final = (0, *(_ALL_CODES >> length for length in range(1, 8)))
_MASKS: Final = [(1 << 3 * (count + 4)) - 1 for count in range(16)]
_SHARES: Final = [sum(_SHARE[four >> shift & 7] for shift in (0, 3, 6, 9)) for four in range(1 << 12)]


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
        self._tail = bytearray()
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
                return bytes(self._tail[offset - start : stop - start])
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
        known = len(self._tail)
        if (found := known_end(self._packed_tail, self.size)) is not None and len(found) > known:
            self._tail = found


def _wanted(known: int, factor: float) -> int:
    """How many compressed bytes to have next, if ``factor`` times as many bytes are needed as they gave."""
    if not known:
        return 2 * _FIRST
    return int(known * max(_LEAST, min(factor * _MARGIN, _MOST)))


def known_end(packed: bytes, most: int) -> bytearray | None:
    """The end of what was compressed, inflated from the end of the compressed data; None if no block is found.

    At most ``most`` bytes. A beginning that is none gives other bytes, so that a second one must give the same.
    """
    found: bytearray | None = None
    for at, bit in _beginnings(packed):
        try:
            if found is not None:
                length, checksum = _summed(packed, at, bit)
                if length <= len(found) and zlib.crc32(memoryview(found)[len(found) - length :]) == checksum:
                    return found
            inflated = _inflated(packed, at, bit)
        except zlib.error:
            continue
        found = inflated if len(inflated) <= most else found
    return found


def _inflated(packed: bytes, at: int, bit: int) -> bytearray:
    """The bytes from a place on that do not depend on what is before it.

    Raises:
        zlib.error: this is not the beginning of a block.
    """
    found = bytearray()
    for is_first, part in _parts(packed, at, bit):
        if is_first:
            found.clear()
        found += part
    return found


def _summed(packed: bytes, at: int, bit: int) -> tuple[int, int]:
    """The same, as their number and their CRC."""
    length = checksum = 0
    for is_first, part in _parts(packed, at, bit):
        length, checksum = (0, 0) if is_first else (length, checksum)
        length, checksum = length + len(part), zlib.crc32(part, checksum)
    return length, checksum


def _parts(packed: bytes, at: int, bit: int) -> Iterator[tuple[bool, bytes]]:
    """What the data from a place on contain, in parts; true with each that begins anew."""
    first, second = (zlib.decompressobj(-15, zdict=window) for window in _UNKNOWN)
    is_known = False
    for start in range(at, len(packed), _PART):
        part = packed[start : start + _PART]
        extra = 0
        if start == at:
            part, extra = _aligned(part, bit), bit & 1
        inflated = first.decompress(part)[extra:]
        if is_known:
            yield False, inflated
            continue
        other = second.decompress(part)[extra:]
        known = _last_difference(inflated, other)
        # What comes next depends on the last bytes alone.
        is_known = len(inflated) - known >= _WINDOW
        yield bool(known), inflated[known:]
    if not first.eof or first.unused_data:
        raise zlib.error("this is not the end of the data")


def _aligned(data: bytes, bit: int) -> bytes:
    """Data whose first block begins at a bit of the first byte, behind blocks that end at that bit.

    So each bit stays at its place in its byte: blocks without compression begin at a whole byte. The blocks in
    front are empty, of 10 bits each; for an odd bit there is one of 19 bits with one byte.
    """
    blocks, length = (_ONE_BYTE, 19) if bit & 1 else (0, 0)
    while length % 8 != bit:
        blocks, length = blocks | _EMPTY << length, length + 10
    front = blocks.to_bytes(length // 8 + 1, "little")
    return front[:-1] + bytes([front[-1] | data[0] >> bit << bit]) + data[1:]


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
        places = sorted(
            (match.start(), bit)
            for bit, view in enumerate(views)
            for match in _HEADER.finditer(view, 0, min(_STEP, last - start) + 1)
        )
        for at, bit in places:
            if at < min(_STEP, last - start) and _may_begin(views[bit], at):
                yield start + at, bit


def _may_begin(view: bytes, at: int) -> bool:
    """Whether the tables of codes can be read behind the header of a block."""
    # Behind the numbers of codes there are the lengths of those for lengths: up to 19 times three bits.
    numbers = int.from_bytes(view[at + 1 : at + 10], "little")
    lengths = numbers >> 9 & _MASKS[numbers >> 5 & 15]
    one, two, three, four = lengths & 4095, lengths >> 12 & 4095, lengths >> 24 & 4095, lengths >> 36 & 4095
    used = _SHARES[one] + _SHARES[two] + _SHARES[three] + _SHARES[four] + _SHARES[lengths >> 48]
    if used != _ALL_CODES:
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
