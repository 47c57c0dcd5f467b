"""Numbers and strings at offsets of a file that nobody vouches for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from torchlock.inspect import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

# The largest table that is read at once; libtorch_cpu's strings take 5 MB.
LIMIT: Final = 128 << 20
# All names of a file together; those of libtorch_cpu come to 5 MB. Many symbols may share one long name.
NAMES: Final = 64 << 20
# The longest string; mangled names of some templates pass 10,000 characters.
LONGEST: Final = 64 << 10
_Name = TypeVar("_Name", str, bytes)


class Broken(Exception):
    """A header contradicts the file or itself; says how. It never leaves this package."""


class Raw:
    """A window of a regular file: ``size`` bytes from ``start``, to its end by default.

    It is read piece by piece, not mapped: a mapped file that shrinks meanwhile kills the process that looks.
    """

    def __init__(self, path: str, order: Literal["little", "big"] = "little") -> None:
        self.order: Literal["little", "big"] = order
        self._descriptor = files.open_regular(path)
        self.start = 0
        self.size = os.fstat(self._descriptor).st_size

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def narrow(self, start: int, size: int) -> None:
        """Look at one slice only, as of a universal Mach-O file; what lies beyond the file is cut off."""
        self.start, self.size = start, max(0, min(size, self.size - start))

    def take(self, offset: int, size: int, what: str) -> bytes:
        """Exactly these bytes.

        Raises:
            Broken: they are not all in the file, or too many.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise Broken(f"{what} ends at byte {offset + size}, the file at {self.size}")
        if size > LIMIT:
            raise Broken(f"{what} would take {size} bytes")
        data = self.some(offset, size)
        if len(data) != size:
            raise Broken(f"{what} ends at byte {offset + size}, the file shrank meanwhile")
        return data

    def some(self, offset: int, size: int) -> bytes:
        """These bytes as far as the file has them."""
        if not 0 <= offset < self.size:
            return b""
        os.lseek(self._descriptor, self.start + offset, os.SEEK_SET)
        left = min(size, self.size - offset)
        parts = []
        while left and (part := os.read(self._descriptor, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def string(self, offset: int, what: str) -> str:
        """The string that a zero byte ends."""
        for size in (256, LONGEST):
            data = self.some(offset, size)
            if (end := data.find(b"\0")) >= 0:
                return text(data[:end])
        raise Broken(f"{what} at byte {offset} has no end")

    def number(self, data: bytes, at: int, width: int) -> int:
        """The unsigned integer at an offset of bytes that were read."""
        return int.from_bytes(data[at : at + width], self.order)


def bounded(names: Iterable[_Name]) -> Iterator[_Name]:
    """The names of a table, as long as they do not fill the memory."""
    left = NAMES
    for name in names:
        left -= len(name)
        if left < 0:
            return
        yield name


def text(data: bytes) -> str:
    """A name as file names have it: what is not UTF-8 stays as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def string_at(table: bytes, offset: int) -> str:
    """The string of a table that was read; "" where it begins or ends outside."""
    end = table.find(b"\0", offset, offset + LONGEST) if 0 <= offset < len(table) else -1
    return text(table[offset:end]) if end >= 0 else ""
