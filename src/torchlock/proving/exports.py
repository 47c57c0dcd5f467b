"""The names that a library of torch offers others, from the beginning and the end of the library.

``inspect/binaries`` reads whole files as their loaders do, by tables in the middle of the file. A proof must not
fetch half a gigabyte for them, so it finds the symbols of ELF files by the table of sections, those of Mach-O
files by the load commands, and those of Windows in the import library (``torch_cpu.lib``), which lists them at its
beginning.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    class Readable(Protocol):
        """Something of which bytes can be read at an offset (``deflated.Deflated``)."""

        def read(self, offset: int, size: int) -> bytes: ...


_LIBRARY = re.compile(rb"(?<=\0)lib[\w+.-]{1,80}\.so(?:\.\d{1,4}){0,3}(?=\0)")
_SHT_DYNSYM: Final = 11
_BINDINGS: Final = (1, 2, 10)
_HIDDEN: Final = (1, 2)
_SYMTAB, _DYSYMTAB = 0x2, 0xB
_MOST_SYMBOLS: Final = 1 << 21
_MOST_BYTES: Final = 256 << 20


class NoSymbols(Exception):
    """The symbols of a library cannot be read; the message says why."""


class Offered(NamedTuple):
    """The names that others may use of a library, and of an ELF file the libraries that its strings name.

    Of these an ELF file needs each, or is one itself. Mach-O names keep the underscore that C puts before them.
    """

    names: frozenset[bytes]
    libraries: frozenset[bytes] = frozenset()


def exports_of(library: Readable, is_wanted: Callable[[bytes], bool] = bool) -> Offered:
    """What an ELF file, a Mach-O file or an import library offers, of the names that are wanted.

    Raises:
        NoSymbols: it is none of them, or its tables contradict each other.
        Exception: those of ``library.read``.
    """
    head = library.read(0, 64)
    try:
        if head[:5] == b"\x7fELF\x02":
            return _elf(library, head, is_wanted)
        if head[:4] == b"\xcf\xfa\xed\xfe":
            return Offered(frozenset(filter(is_wanted, _macho(library))))
        if head[:8] == b"!<arch>\n":
            return Offered(frozenset(filter(is_wanted, _import_library(library))))
    except (struct.error, IndexError) as error:
        raise NoSymbols(f"a table of its symbols is cut off ({error})") from error
    raise NoSymbols("is not a library of a known kind")


def _elf(library: Readable, head: bytes, is_wanted: Callable[[bytes], bool]) -> Offered:
    (start,) = struct.unpack_from("<Q", head, 40)
    width, count = struct.unpack_from("<HH", head, 58)
    if width != 64 or not count:
        raise NoSymbols("has no table of sections")
    table = library.read(start, width * count)
    sections = [struct.unpack_from("<IIQQQQIIQQ", table, width * index) for index in range(count)]
    symbols = next((each for each in sections if each[1] == _SHT_DYNSYM), None)
    if symbols is None or symbols[6] >= count:
        raise NoSymbols("has no dynamic symbols")
    strings = sections[symbols[6]]
    rows = library.read(symbols[4], _bounded(symbols[5]))
    names = library.read(strings[4], _bounded(strings[5]))
    offered = (
        _name(names, name)
        for name, info, other, section in struct.iter_unpack("<IBBH16x", rows)
        if name and section and info >> 4 in _BINDINGS and other & 3 not in _HIDDEN
    )
    return Offered(frozenset(filter(is_wanted, offered)), frozenset(_LIBRARY.findall(names)))


def _name(names: bytes, at: int) -> bytes:
    """The name at an offset, which must begin behind another name: else the strings are not those of the symbols.

    Linkers let names share their ends, but no name of C++ ends with another one.
    """
    end = names.find(b"\0", at)
    if end <= at:
        raise NoSymbols(f"a name at {at} of {len(names)} bytes of strings")
    return names[at:end]


def _bounded(size: int) -> int:
    if size > _MOST_BYTES:
        raise NoSymbols(f"a table of {size} bytes")
    return size


def _macho(library: Readable) -> Iterator[bytes]:
    count, size = struct.unpack("<II", library.read(16, 8))
    commands = library.read(32, _bounded(size))
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(count):
        kind, length = struct.unpack_from("<II", commands, at)
        found.setdefault(kind, commands[at : at + length])
        at += max(8, length)
    if _SYMTAB not in found or _DYSYMTAB not in found:
        raise NoSymbols("has no table of symbols")
    symbols, _, strings, width = struct.unpack_from("<IIII", found[_SYMTAB], 8)
    _, _, first, number = struct.unpack_from("<IIII", found[_DYSYMTAB], 8)
    rows = library.read(symbols + 16 * first, _bounded(16 * number))
    offsets = [row[0] for row in struct.iter_unpack("<I12x", rows)]
    if not offsets:
        return
    names = library.read(strings, _bounded(width))
    yield from (_name(names, each) for each in offsets)


def _import_library(library: Readable) -> Iterable[bytes]:
    """The names in the first member of the archive, without those that linkers add (``__imp_…``)."""
    size = int(library.read(8 + 48, 10))
    table = library.read(8 + 60, _bounded(size))
    (count,) = struct.unpack_from(">I", table)
    if count > _MOST_SYMBOLS:
        raise NoSymbols(f"{count} symbols")
    names = table[4 + 4 * count :].split(b"\0")[:count]
    imported = {name.removeprefix(b"__imp_") for name in names if name.startswith(b"__imp_")}
    return imported or {name for name in names if not name.startswith(b"__")}
