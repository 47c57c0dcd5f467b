"""ELF: where the tables of a file are, its strings, and the versions that it needs and defines."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from torchlock.inspect.binaries.binary import VersionNeed
from torchlock.inspect.binaries.raw import Broken, BudgetExceeded, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
PF_X: Final = 1
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 1, 4, 5, 6, 10
DT_SONAME, DT_RPATH, DT_RUNPATH, DT_GNU_HASH = 14, 15, 29, 0x6FFFFEF5
DT_VERSYM, DT_FLAGS_1, DT_VERDEF, DT_VERNEED = 0x6FFFFFF0, 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
# The bit of a symbol version that only a reference to this very version is bound to.
HIDDEN: Final = 0x8000
_VER_FLG_BASE, _VER_FLG_WEAK = 1, 2
# Why no loader takes a file whose headers were whole once.
MISALIGNED: Final = "its segments are not aligned to pages"
NO_DYNAMIC: Final = "its dynamic section has only zeros in it"
NO_NAMES: Final = "the names of the libraries that it needs are lost"
# More entries than any linker writes; a loader tries every folder for every library.
MANY: Final = 1 << 16
MANY_NAMES: Final = 1000
_MANY_VERSIONS: Final = 1 << 14


class Segment(NamedTuple):
    kind: int
    flags: int
    offset: int
    address: int
    size: int
    alignment: int

    def is_aligned(self, to: int) -> bool:
        """Whether the loader can map it by units of this size: the file and the memory begin at the same place."""
        return to == 0 or (self.address - self.offset) % to == 0


class Layout(NamedTuple):
    """The positions that are known after the first read."""

    wide: bool
    segments: list[Segment]
    dynamic: dict[int, int]

    def offset(self, address: int, what: str) -> int:
        """The offset in the file of an address in memory."""
        for segment in self.segments:
            if segment.kind == PT_LOAD and 0 <= address - segment.address < segment.size:
                return segment.offset + address - segment.address
        raise Broken(f"{what} is in no segment of the file")


def form_of(raw: Raw, fields: str) -> str:
    return (">" if raw.order == "big" else "<") + fields


class Strings:
    """The dynamic string table, of which few strings are used."""

    def __init__(self, raw: Raw, layout: Layout) -> None:
        self.raw = raw
        address = layout.dynamic.get(DT_STRTAB)
        self.start = -1 if address is None else layout.offset(address, "the string table")
        self.size = layout.dynamic.get(DT_STRSZ, 0)
        self._known: dict[int, str] = {}

    def at(self, offset: int) -> str:
        """The string at an offset, which is looked up once and shared."""
        if offset not in self._known:
            if self.start < 0 or not 0 <= offset < self.size:
                raise Broken(f"a name at {offset} of a string table of {max(self.size, 0)} bytes")
            self._known[offset] = self.raw.string(self.start + offset, "a name")
        return self._known[offset]

    def all(self, entries: list[tuple[int, int]], tag: int) -> list[str]:
        places = [value for key, value in entries if key == tag]
        if len(places) > MANY_NAMES:
            raise BudgetExceeded(f"{len(places)} entries of one kind in the dynamic section")
        return list(map(self.at, places))


def section_table(raw: Raw, head: bytes, wide: bool) -> tuple[int, int, int]:
    if wide:
        return raw.number(head, 40, 8), raw.number(head, 58, 2), raw.number(head, 60, 2)
    return raw.number(head, 32, 4), raw.number(head, 46, 2), raw.number(head, 48, 2)


class _Records:
    """Records that each store the distance to the next one, which is never behind them."""

    def __init__(self, raw: Raw, what: str) -> None:
        self._raw = raw
        self._what = what
        self._left = _MANY_VERSIONS

    def chain(self, start: int, limit: int, form: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The position and the fields of each record in a chain.

        Raises:
            BudgetExceeded: all chains together have too many.
        """
        layout = struct.Struct(form_of(self._raw, form))
        for _ in range(limit):
            self._left -= 1
            if self._left < 0:
                raise BudgetExceeded(f"too many {self._what} versions")
            self._raw.claim(layout.size, f"{self._what} versions")
            fields = layout.unpack(self._raw.take(start, layout.size, f"the table of {self._what} versions"))
            yield start, fields
            if not fields[-1]:
                return
            start += fields[-1]


def version_needs(raw: Raw, layout: Layout, strings: Strings) -> Iterator[tuple[VersionNeed, int]]:
    """Each needed version, with its index in the symbol table."""
    address = layout.dynamic.get(DT_VERNEED)
    if address is None:
        return
    records = _Records(raw, "needed")
    start = layout.offset(address, "the table of needed versions")
    for at, (_, count, file, first, _) in records.chain(start, MANY, "HHIII"):
        library = strings.at(file)
        for _, (_, flags, index, name, _) in records.chain(at + first, count, "IHHII"):
            yield VersionNeed(library, strings.at(name), bool(flags & _VER_FLG_WEAK)), index & ~HIDDEN


def version_definitions(raw: Raw, layout: Layout, strings: Strings) -> Iterator[tuple[str, int, bool]]:
    """Each defined version, its index, and whether it only names the library itself."""
    address = layout.dynamic.get(DT_VERDEF)
    if address is None:
        return
    records = _Records(raw, "defined")
    start = layout.offset(address, "the table of defined versions")
    for at, (_, flags, index, _, _, first, _) in records.chain(start, MANY, "HHHHIII"):
        for _, (name, _) in records.chain(at + first, 1, "II"):
            yield strings.at(name), index & ~HIDDEN, bool(flags & _VER_FLG_BASE)
