"""Read numbers and strings at offsets of an untrusted file, within a budget for the whole file."""

from __future__ import annotations

import errno
import os
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Literal

from torchlock.runtime import files
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

# The largest table that is read at once; libtorch_cpu's strings take 5 MB.
LIMIT: Final = 128 << 20
# The limit of bytes read of one file. Tables do not overlap, names may: twice the size of the file is enough.
BYTES: Final = 192 << 20
_SLACK: Final = 1 << 20
# The limits of symbols in one file, and of those that it uses of others.
ROWS: Final = 1 << 21
REFERENCES: Final = 1 << 18
# The limits of characters in names that are kept, and in names that are only looked up.
NAMES: Final = 64 << 20
_LOOKED_UP: Final = 256 << 20
# The longest string; mangled names of some templates pass 10,000 characters.
LONGEST: Final = 64 << 10
# From this size on, a table may consist of holes, which take no space on the disk.
_LARGE: Final = 1 << 20
_EXTENTS: Final = 1000
# The entries of a hash table that may be read: at first, and more for every name that is looked up.
_STEPS: Final = 1 << 18
_STEPS_A_NAME: Final = 256


class Broken(Exception):
    """A header contradicts the file or itself; the message says how. It never leaves this package."""


class BudgetExceeded(Broken):
    """A file needs more work or memory than a real library does: its content stays unknown."""


def unreadable(path: str, error: Exception) -> Unreadable:
    """The result for an error in reading a file."""
    if isinstance(error, MemoryError):
        return Unreadable(path, "there is not enough memory to read it", unknown=True)
    if isinstance(error, Broken):
        return Unreadable(path, str(error), unknown=isinstance(error, BudgetExceeded))
    return Unreadable(path, getattr(error, "strerror", "") or str(error))


class Raw:
    """A window of a regular file: ``size`` bytes from ``start``, to its end by default.

    It is read piece by piece, not mapped: a mapped file that shrinks meanwhile kills the reading process.
    ``claimed`` counts the bytes that rows of tables would take if tables shared no bytes.
    """

    def __init__(self, path: str, order: Literal["little", "big"] = "little") -> None:
        self.order: Literal["little", "big"] = order
        self._descriptor = files.open_regular(path)
        self.start = 0
        self.size = os.fstat(self._descriptor).st_size
        self.claimed = 0
        self._left = min(2 * self.size + _SLACK, BYTES)

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def narrow(self, start: int, size: int) -> None:
        """Limit the window to one slice, as of a universal Mach-O file; it ends with the file at the latest."""
        self.start, self.size = start, max(0, min(size, self.size - start))

    def claim(self, size: int, what: str) -> None:
        """Count rows of some table by the bytes that they take.

        Raises:
            BudgetExceeded: all rows together take more than the file has, so that tables share them.
        """
        self.claimed += size
        if self.claimed > self.size:
            raise BudgetExceeded(f"more {what} than the file can hold")

    def take(self, offset: int, size: int, what: str) -> bytes:
        """Exactly these bytes.

        Raises:
            Broken: they are not all in the file.
            BudgetExceeded: they are too many, or holes of a sparse file.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise Broken(f"{what} ends at byte {offset + size}, the file at {self.size}")
        if size > LIMIT:
            raise BudgetExceeded(f"{what} would take {size} bytes")
        if size >= _LARGE and self._stored(self.start + offset, size) < size // 2:
            raise BudgetExceeded(f"{what} takes {size} bytes, most of them holes of a sparse file")
        data = self.some(offset, size)
        if len(data) != size:
            raise Broken(f"{what} ends at byte {offset + size}, the file shrank meanwhile")
        return data

    def some(self, offset: int, size: int) -> bytes:
        """These bytes as far as the file has them.

        Raises:
            BudgetExceeded: more was read of this file than it has reason to ask for.
        """
        if not 0 <= offset < self.size:
            return b""
        os.lseek(self._descriptor, self.start + offset, os.SEEK_SET)
        left = min(size, self.size - offset)
        self._left -= left
        if self._left < 0:
            raise BudgetExceeded("its tables overlap or are too large: they take more bytes than the file has")
        data = os.read(self._descriptor, left)
        if len(data) == left:
            return data
        parts = [data]
        left -= len(data)
        while left and (part := os.read(self._descriptor, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _stored(self, at: int, size: int) -> int:
        """The number of these bytes on the disk; all of them if the system does not say."""
        end, found = at + size, 0
        if not hasattr(os, "SEEK_DATA"):
            return size
        try:
            for _ in range(_EXTENTS):
                data = os.lseek(self._descriptor, at, os.SEEK_DATA)
                if data >= end:
                    return found
                at = min(os.lseek(self._descriptor, data, os.SEEK_HOLE), end)
                found += at - data
                if at == end:
                    return found
        except OSError as error:
            return found if error.errno == errno.ENXIO else size
        return size

    def string(self, offset: int, what: str) -> str:
        """The string up to a zero byte."""
        for size in (256, LONGEST):
            data = self.some(offset, size)
            if (end := data.find(b"\0")) >= 0:
                return text(data[:end])
        if len(data) == LONGEST:
            raise BudgetExceeded(f"{what} at byte {offset} is longer than {LONGEST} bytes")
        raise Broken(f"{what} at byte {offset} has no end")

    def number(self, data: bytes, at: int, width: int) -> int:
        """The unsigned integer at an offset of bytes that were already read."""
        return int.from_bytes(data[at : at + width], self.order)


def text(data: bytes) -> str:
    """A name as file names have it: what is not UTF-8 stays as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


class Letters:
    """The budget of a string table: all names together have at most four times its characters."""

    def __init__(self, size: int, most: int = NAMES) -> None:
        self._left = min(4 * size + _SLACK, most)

    def count(self, number: int) -> None:
        """Take characters from the budget.

        Raises:
            BudgetExceeded: there are none left.
        """
        self._left -= number
        if self._left < 0:
            raise BudgetExceeded(
                "its names share the same letters: together they are longer than the file can hold"
            )


def end_of(table: bytes, offset: int) -> int:
    """Where the string at an offset ends; -1 where it begins or ends outside of the table, or is too long."""
    return table.find(b"\0", offset, offset + LONGEST) if 0 <= offset < len(table) else -1


def strings_at(table: bytes, offsets: Iterable[int]) -> Iterator[str]:
    """The string at each offset; "" where it begins or ends outside. Each is looked up once and shared.

    Raises:
        BudgetExceeded: there are too many, or too long ones.
    """
    letters = Letters(len(table))
    known: dict[int, str] = {}
    for offset in offsets:
        name = known.get(offset)
        if name is None:
            end = end_of(table, offset)
            letters.count(end - offset if end >= 0 else min(LONGEST, max(0, len(table) - offset)))
            name = known[offset] = text(table[offset:end]) if end >= 0 else ""
            if len(known) > REFERENCES:
                raise BudgetExceeded(f"more than {REFERENCES} symbols that others must define")
        yield name


class Index:
    """A dictionary from names to rows of a table, in eight bytes per row: the names stay in the string table."""

    def __init__(self, table: bytes, rows: Iterable[tuple[int, int]]) -> None:
        """``rows`` are pairs of a number and the offset of its name.

        Raises:
            BudgetExceeded: the names are too long.
        """
        self._hashes = array("Q", sorted(self._hashed(table, rows)))

    @staticmethod
    def _hashed(table: bytes, rows: Iterable[tuple[int, int]]) -> Iterator[int]:
        letters = Letters(len(table), _LOOKED_UP)
        for row, offset in rows:
            end = end_of(table, offset)
            letters.count(end - offset if end >= 0 else min(LONGEST, max(0, len(table) - offset)))
            if end >= 0:
                yield (hash(table[offset:end]) & 0xFFFFFFFF) << 32 | row

    def candidates(self, name: bytes, steps: Steps) -> Iterator[int]:
        """The rows that may have this name: those with its hash."""
        wanted = hash(name) & 0xFFFFFFFF
        at = bisect_left(self._hashes, wanted << 32)
        while at < len(self._hashes) and self._hashes[at] >> 32 == wanted:
            steps.take()
            yield self._hashes[at] & 0xFFFFFFFF
            at += 1


class Steps:
    """The budget of a hash table: how many entries may be read for all names together."""

    def __init__(self) -> None:
        self._left = _STEPS

    def begin(self) -> None:
        """Look up one more name."""
        self._left += _STEPS_A_NAME

    def take(self) -> None:
        """Read one entry.

        Raises:
            BudgetExceeded: there were too many.
        """
        self._left -= 1
        if self._left < 0:
            raise BudgetExceeded("its hash table has too many entries for one name")
