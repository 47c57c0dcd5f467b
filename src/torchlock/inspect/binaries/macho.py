"""Mach-O: the load commands and the symbols of one slice (``<mach-o/loader.h>``, ``<mach-o/nlist.h>``).

This is a custom reader: macholib walks the load commands, but takes too long to read the symbols of a library;
LIEF takes 970 MB of memory on libtorch_cpu.dylib.
"""

from __future__ import annotations

import struct
from array import array
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.binaries.binary import Binary, Needed, Reference, Truncation
from torchlock.inspect.binaries.raw import (
    REFERENCES,
    ROWS,
    Broken,
    BudgetExceeded,
    Index,
    Raw,
    Steps,
    strings_at,
    text,
    unreadable,
)
from torchlock.inspect.machine import machine_of
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_DYLIB, _ID, _WEAK, _REEXPORT, _UPWARD, _LAZY = 0xC, 0xD, 0x80000018, 0x8000001F, 0x80000023, 0x20
_RPATH, _SYMTAB, _DYSYMTAB, _SEGMENT = 0x8000001C, 0x2, 0xB, 0x19
_BUILD_VERSION, _VERSION_MIN, _MACOS = 0x32, 0x24, 1
_LIBRARIES = (_DYLIB, _WEAK, _REEXPORT, _UPWARD)
_MANY, _MANY_SLICES = 4096, 20
# The limit of all load commands together; a loader requires them within the first segment.
_COMMANDS = 8 << 20
_N_WEAK_REF = 0x40
_CPU = {"x86_64": 0x01000007, "arm64": 0x0100000C}


class _Table(NamedTuple):
    """The positions of symbols: of the whole table, of exported symbols, and of undefined ones."""

    symbols: int
    strings: int
    size: int
    defined: tuple[int, int]
    undefined: tuple[int, int]


def read_macho(path: str, raw: Raw, head: bytes, machine: str = "") -> Binary:
    """Read the load commands of a library; of a universal one those for ``machine``, else of its first slice.

    Raises:
        Broken: the headers cannot be followed.
    """
    kinds = machine_of(head)
    start, size = _slice(raw, head, machine) if head[:3] == b"\xca\xfe\xba" else (0, raw.size)
    raw.narrow(start, size)
    header = raw.some(0, 32)
    if header[:4] != b"\xcf\xfa\xed\xfe":
        raise Broken("a Mach-O file of 32 bits, or of no known kind")
    mine = machine_of(header)
    commands = list(_commands(raw, raw.number(header, 16, 4), raw.number(header, 20, 4)))
    names = [_text(data, 8) for kind, data in commands if kind in _LIBRARIES]
    needed = tuple(
        Needed(_text(data, 8), weak=kind == _WEAK, delayed=kind == _LAZY, reexported=kind == _REEXPORT)
        for kind, data in commands
        if kind in (*_LIBRARIES, _LAZY)
    )
    return Binary(
        path,
        "macho",
        mine.machines[0] if mine else "unknown",
        64,
        kinds.machines if kinds else (),
        needed,
        next((_text(data, 8) for kind, data in commands if kind == _ID), ""),
        rpath=tuple(_text(data, 8) for kind, data in commands if kind == _RPATH),
        truncated=tuple(_truncations(raw, commands)),
        least_macos=next(_least_macos(commands), None),
        read_symbols=partial(_read_symbols, path, start, size, _table(commands), names),
    )


def _slice(raw: Raw, head: bytes, machine: str) -> tuple[int, int]:
    """Offset and size of the slice for a machine in a universal file."""
    wide = head[3] == 0xBF
    form, width = (">IIQQ", 32) if wide else (">IIII", 20)
    count = int.from_bytes(head[4:8], "big")
    if count >= _MANY_SLICES:
        raise BudgetExceeded(f"a universal file of {count} slices")
    if not count or len(head) < 8 + width * count:
        raise Broken(f"a universal file of {count} slices")
    slices = [struct.unpack_from(form, head, 8 + width * index) for index in range(count)]
    _, _, start, size = next((each for each in slices if each[0] == _CPU.get(machine)), slices[0])
    if start + size > raw.size or size < 32:
        raise Broken(f"a slice ends at byte {start + size}, the file at {raw.size}")
    return start, size


def _commands(raw: Raw, count: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each load command."""
    if count > _MANY:
        raise BudgetExceeded(f"{count} load commands")
    if size > _COMMANDS:
        raise BudgetExceeded(f"load commands of {size} bytes")
    data = raw.take(32, size, "the load commands")
    at = 0
    for _ in range(count):
        if at + 8 > len(data):
            raise Broken("the load commands end too early")
        kind, length = struct.unpack_from("<II", data, at)
        if length < 8 or at + length > len(data):
            raise Broken(f"a load command of {length} bytes")
        yield kind, data[at : at + length]
        at += length


def _text(data: bytes, at: int) -> str:
    """The string of a load command, whose offset is stored at an offset."""
    if len(data) < at + 4:
        return ""
    (start,) = struct.unpack_from("<I", data, at)
    return text(data[start:].partition(b"\0")[0]) if start >= at else ""


def _least_macos(commands: list[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
    """The release of macOS for which a linker says that it made the library."""
    for kind, data in commands:
        at = 12 if kind == _BUILD_VERSION and data[8:12] == _MACOS.to_bytes(4, "little") else 8
        if (at == 12 or kind == _VERSION_MIN) and len(data) >= at + 4:
            (version,) = struct.unpack_from("<I", data, at)
            yield version >> 16, version >> 8 & 0xFF


def _truncations(raw: Raw, commands: list[tuple[int, bytes]]) -> Iterator[Truncation]:
    for kind, data in commands:
        if kind == _SEGMENT and len(data) >= 56:
            offset, size = struct.unpack_from("<QQ", data, 40)
            if offset + size > raw.size:
                yield Truncation("segment", offset + size, raw.size)


def _table(commands: list[tuple[int, bytes]]) -> _Table | None:
    symtab = next((data for kind, data in commands if kind == _SYMTAB and len(data) >= 24), None)
    dynamic = next((data for kind, data in commands if kind == _DYSYMTAB and len(data) >= 32), None)
    if symtab is None or dynamic is None:
        return None
    symbols, _, strings, size = struct.unpack_from("<IIII", symtab, 8)
    _, _, first, count, unknown, lacking = struct.unpack_from("<IIIIII", dynamic, 8)
    return _Table(symbols, strings, size, (first, count), (unknown, lacking))


def _read_symbols(
    path: str, start: int, size: int, table: _Table | None, libraries: list[str]
) -> MachoSymbols | Unreadable:
    if table is None:
        return Unreadable(path, "has no symbol table")
    try:
        with Raw(path) as raw:
            raw.narrow(start, size)
            return MachoSymbols(path, raw, table, libraries)
    except (Broken, OSError, MemoryError) as error:
        return unreadable(path, error)


class MachoSymbols:
    """The external symbols of one slice; names keep the underscore that C puts before them."""

    def __init__(self, path: str, raw: Raw, table: _Table, libraries: list[str]) -> None:
        self._path = path
        self._strings = raw.take(table.strings, table.size, "the strings")
        self.undefined = tuple(_undefined(raw, table, self._strings, libraries))
        first, count = table.defined
        if count > ROWS:
            raise BudgetExceeded(f"more than {ROWS} symbols")
        rows = raw.take(table.symbols + 16 * first, 16 * count, "the symbols")
        self._offsets = array("I", (row[0] for row in struct.iter_unpack("<I12x", rows)))
        self._steps = Steps()

    @cached_property
    def _index(self) -> Index | Unreadable:
        try:
            return Index(self._strings, enumerate(self._offsets))
        except BudgetExceeded as error:
            return unreadable(self._path, error)

    def defines(self, name: str, version: str = "") -> bool | Unreadable:
        """Whether the library defines this name for others."""
        if not isinstance(self._index, Index):
            return self._index
        wanted = name.encode("utf-8", "surrogateescape")
        self._steps.begin()
        try:
            rows = self._index.candidates(wanted, self._steps)
            return any(self._strings.startswith(wanted + b"\0", self._offsets[row]) for row in rows)
        except BudgetExceeded as error:
            return unreadable(self._path, error)


def _undefined(raw: Raw, table: _Table, strings: bytes, libraries: list[str]) -> Iterator[Reference]:
    first, count = table.undefined
    if count > REFERENCES:
        raise BudgetExceeded(f"more than {REFERENCES} undefined symbols")
    data = raw.take(table.symbols + 16 * first, 16 * count, "the undefined symbols")
    rows = list(struct.iter_unpack("<I2xH8x", data))
    names = strings_at(strings, (at for at, _ in rows))
    for name, (_, described) in zip(names, rows, strict=True):
        ordinal = described >> 8
        library = libraries[ordinal - 1] if 0 < ordinal <= len(libraries) else ""
        yield Reference(name, library=library, weak=bool(described & _N_WEAK_REF))
