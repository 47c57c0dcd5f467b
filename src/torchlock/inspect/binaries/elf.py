"""ELF: the dynamic section and the dynamic symbols, as the System V gABI and the LSB (versions) have them.

Our own reader, since every check reads some thirty libraries. Measured on torch 2.13.0 with torchaudio 2.10.0 and
torchcodec 0.13.0, 31 libraries, import included: 39 ms for their dynamic sections, the 650 undefined symbols of
torchaudio and their lookup among the 146,530 of libtorch_cpu. pyelftools takes 177 ms for the same, and needs the
section table, which strip may remove and no loader reads; LIEF imports in 265 ms and takes 670 MB of memory.
"""

from __future__ import annotations

import struct
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from torchlock.inspect.binaries.binary import Binary, Needed, Reference, Truncation, VersionNeed
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.runtime.files import Unreadable

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ = 1, 4, 5, 6, 10
_DT_SONAME, _DT_RPATH, _DT_RUNPATH, _DT_GNU_HASH = 14, 15, 29, 0x6FFFFEF5
_DT_VERSYM, _DT_FLAGS_1, _DT_VERDEF, _DT_VERNEED = 0x6FFFFFF0, 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
_DF_1_NODEFLIB = 0x800
_VER_FLG_BASE, _VER_FLG_WEAK, _HIDDEN = 1, 2, 0x8000
_SHT_DYNSYM = 11
_STB_GLOBAL, _STB_WEAK, _STB_UNIQUE = 1, 2, 10
_STV_INTERNAL, _STV_HIDDEN = 1, 2
# More entries than any linker writes; a loader tries every folder for every library.
_MANY: Final = 1 << 16
_MANY_VERSIONS: Final = 1 << 14
_MANY_NAMES: Final = 1000


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


class _Layout(NamedTuple):
    """The positions that are known after the first read."""

    wide: bool
    segments: list[_Segment]
    dynamic: dict[int, int]

    def offset(self, address: int, what: str) -> int:
        """The offset in the file of an address in memory."""
        for segment in self.segments:
            if segment.kind == _PT_LOAD and 0 <= address - segment.address < segment.size:
                return segment.offset + address - segment.address
        raise Broken(f"{what} is in no segment of the file")


def read_elf(path: str, raw: Raw, head: bytes) -> Binary:
    """Read what the loader reads before it maps anything. ``head`` is the beginning of the file.

    Raises:
        Broken: the headers cannot be followed.
    """
    raw.order = "big" if head[5:6] == b"\x02" else "little"
    wide = head[4:5] == b"\x02"
    if head[4:5] not in (b"\x01", b"\x02") or len(head) < (64 if wide else 52):
        raise Broken("the ELF header is cut off or of no known class")
    machine = machine_of(head)
    segments = _segments(raw, head, wide)
    entries = _dynamic_entries(raw, segments, wide)
    layout = _Layout(wide, segments, dict(entries))
    strings = _Strings(raw, layout)
    named = {tag: strings.all(entries, tag) for tag in (_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH)}
    return Binary(
        path=path,
        format="elf",
        machine=machine.machines[0] if machine else f"machine {raw.number(head, 18, 2)}",
        bits=64 if wide else 32,
        needed=tuple(Needed(name) for name in named[_DT_NEEDED]),
        soname=next(iter(named[_DT_SONAME]), ""),
        rpath=_split(named[_DT_RPATH]),
        runpath=_split(named[_DT_RUNPATH]),
        interpreter=_interpreter(raw, segments),
        no_default_folders=bool(layout.dynamic.get(_DT_FLAGS_1, 0) & _DF_1_NODEFLIB),
        version_needs=tuple(need for need, _ in _version_needs(raw, layout, strings)),
        version_definitions=tuple(
            name for name, _, base in _version_definitions(raw, layout, strings) if not base
        ),
        truncated=tuple(_truncations(raw, head, wide, segments)),
        read_symbols=partial(_read_symbols, path, raw.order == "big", layout),
    )


def _split(paths: list[str]) -> tuple[str, ...]:
    if sum(path.count(":") for path in paths) > _MANY_NAMES:
        raise BudgetExceeded(f"more than {_MANY_NAMES} folders to search")
    return tuple(part for path in paths for part in path.split(":"))


def _segments(raw: Raw, head: bytes, wide: bool) -> list[_Segment]:
    start, width, count = (
        (raw.number(head, 32, 8), raw.number(head, 54, 2), raw.number(head, 56, 2))
        if wide
        else (raw.number(head, 28, 4), raw.number(head, 42, 2), raw.number(head, 44, 2))
    )
    least = 56 if wide else 32
    if count and width != least:
        raise Broken(f"entries of {width} bytes in the table of segments")
    table = raw.take(start, width * count, "the table of segments")
    form = _form(raw, "I4xQQ8xQ16x" if wide else "IIIxxxxI12x")
    found = []
    for at in range(0, width * count, width or 1):
        fields = struct.unpack_from(form, table, at)
        found.append(_Segment(*fields))
    return found


def _form(raw: Raw, fields: str) -> str:
    return (">" if raw.order == "big" else "<") + fields


def _dynamic_entries(raw: Raw, segments: list[_Segment], wide: bool) -> list[tuple[int, int]]:
    """The entries before DT_NULL; none for a static program."""
    segment = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if segment is None:
        return []
    width = 16 if wide else 8
    size = segment.size - segment.size % width
    if size > _MANY * width:
        raise BudgetExceeded(f"a dynamic section of {segment.size} bytes")
    data = raw.take(segment.offset, size, "the dynamic section")
    found = []
    for tag, value in struct.iter_unpack(_form(raw, "QQ" if wide else "II"), data):
        if tag == 0:
            break
        found.append((tag, value))
    return found


class _Strings:
    """The dynamic string table, of which few strings are used."""

    def __init__(self, raw: Raw, layout: _Layout) -> None:
        self.raw = raw
        address = layout.dynamic.get(_DT_STRTAB)
        self.start = -1 if address is None else layout.offset(address, "the string table")
        self.size = layout.dynamic.get(_DT_STRSZ, 0)
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
        if len(places) > _MANY_NAMES:
            raise BudgetExceeded(f"{len(places)} entries of one kind in the dynamic section")
        return list(map(self.at, places))


def _interpreter(raw: Raw, segments: list[_Segment]) -> str:
    segment = next((segment for segment in segments if segment.kind == _PT_INTERP), None)
    return text(raw.some(segment.offset, min(segment.size, 4096)).partition(b"\0")[0]) if segment else ""


def _truncations(raw: Raw, head: bytes, wide: bool, segments: list[_Segment]) -> Iterator[Truncation]:
    end = max((item.offset + item.size for item in segments if item.kind == _PT_LOAD), default=0)
    if end > raw.size:
        yield Truncation("segment", end, raw.size)
    start, width, count = _section_table(raw, head, wide)
    if start + width * count > raw.size:
        yield Truncation("section table", start + width * count, raw.size)


def _section_table(raw: Raw, head: bytes, wide: bool) -> tuple[int, int, int]:
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
        layout = struct.Struct(_form(self._raw, form))
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


def _version_needs(raw: Raw, layout: _Layout, strings: _Strings) -> Iterator[tuple[VersionNeed, int]]:
    """Each needed version, with its index in the symbol table."""
    address = layout.dynamic.get(_DT_VERNEED)
    if address is None:
        return
    records = _Records(raw, "needed")
    start = layout.offset(address, "the table of needed versions")
    for at, (_, count, file, first, _) in records.chain(start, _MANY, "HHIII"):
        library = strings.at(file)
        for _, (_, flags, index, name, _) in records.chain(at + first, count, "IHHII"):
            yield VersionNeed(library, strings.at(name), bool(flags & _VER_FLG_WEAK)), index & ~_HIDDEN


def _version_definitions(raw: Raw, layout: _Layout, strings: _Strings) -> Iterator[tuple[str, int, bool]]:
    """Each defined version, its index, and whether it only names the library itself."""
    address = layout.dynamic.get(_DT_VERDEF)
    if address is None:
        return
    records = _Records(raw, "defined")
    start = layout.offset(address, "the table of defined versions")
    for at, (_, flags, index, _, _, first, _) in records.chain(start, _MANY, "HHHHIII"):
        for _, (name, _) in records.chain(at + first, 1, "II"):
            yield strings.at(name), index & ~_HIDDEN, bool(flags & _VER_FLG_BASE)


# Symbols


def _read_symbols(path: str, big: bool, layout: _Layout) -> ElfSymbols | Unreadable:
    try:
        with Raw(path, "big" if big else "little") as raw:
            return ElfSymbols(raw, layout, path)
    except (Broken, OSError, MemoryError) as error:
        return unreadable(path, error)


_NOWHERE = ("", "")


class ElfSymbols:
    """The tables of dynamic symbols, read whole: 10 MB for libtorch_cpu, whose 146,530 symbols stay bytes.

    A name is looked up as ``ld.so`` does it, by the GNU hash table, so that few symbols are ever decoded.
    """

    def __init__(self, raw: Raw, layout: _Layout, path: str = "") -> None:
        self._path = path
        self._steps = Steps()
        self._order = ">" if raw.order == "big" else "<"
        # name, value and size between, info, other, section
        self._entry = struct.Struct(self._order + ("IBBH16x" if layout.wide else "I8xBBH"))
        dynamic = layout.dynamic
        strings = _Strings(raw, layout)
        self._strings = raw.take(strings.start, strings.size, "the string table") if strings.size else b""
        self._gnu = _gnu_hash(raw, layout) if _DT_GNU_HASH in dynamic else None
        count = _count(raw, layout, self._gnu) if _DT_SYMTAB in dynamic else 0
        if count > ROWS:
            raise BudgetExceeded(f"more than {ROWS} symbols")
        start = layout.offset(dynamic[_DT_SYMTAB], "the symbol table") if count else 0
        self._table = raw.take(start, count * self._entry.size, "the symbol table")
        self._count = count
        self._versions = b""
        if count and _DT_VERSYM in dynamic:
            at = layout.offset(dynamic[_DT_VERSYM], "the versions of the symbols")
            self._versions = raw.take(at, 2 * count, "the versions of the symbols")
        self._needs = {index: need for need, index in _version_needs(raw, layout, strings)}
        self._definitions = {
            index: "" if base else name for name, index, base in _version_definitions(raw, layout, strings)
        }

    def _version(self, index: int) -> int:
        return struct.unpack_from(self._order + "H", self._versions, 2 * index)[0] if self._versions else 1

    @cached_property
    def undefined(self) -> tuple[Reference, ...] | Unreadable:
        """The symbols that it uses of others, each once; a versioned one names the library that must have it."""
        rows = [
            (index, name, info >> 4)
            for index, (name, info, _, section) in enumerate(self._entry.iter_unpack(self._table))
            if not section and name and info >> 4 in (_STB_GLOBAL, _STB_WEAK)
        ]
        try:
            if len(rows) > REFERENCES:
                raise BudgetExceeded(f"more than {REFERENCES} undefined symbols")
            names = strings_at(self._strings, (name for _, name, _ in rows))
            needs = {number: (need.version, need.file) for number, need in self._needs.items()}
            versions = struct.unpack(f"{self._order}{len(self._versions) // 2}H", self._versions) or None
            found = [
                Reference(
                    name, *needs.get(versions[index] & ~_HIDDEN if versions else 1, _NOWHERE), kind == _STB_WEAK
                )
                for name, (index, _, kind) in zip(names, rows, strict=True)
            ]
            return tuple(dict.fromkeys(found))
        except BudgetExceeded as error:
            return unreadable(self._path, error)

    def defines(self, name: str, version: str = "") -> bool | Unreadable:
        """Whether the loader binds this name to a symbol of this library."""
        wanted = name.encode("utf-8", "surrogateescape")
        self._steps.begin()
        try:
            if self._gnu is not None:
                candidates = self._gnu.candidates(gnu_hash(wanted), self._steps)
            elif isinstance(self._index, Index):
                candidates = self._index.candidates(wanted, self._steps)
            else:
                return self._index
            return any(self._matches(index, wanted, version) for index in candidates)
        except BudgetExceeded as error:
            return unreadable(self._path, error)

    @cached_property
    def _index(self) -> Index | Unreadable:
        """The index of symbols for a file without a GNU hash table."""
        rows = enumerate(self._entry.iter_unpack(self._table))
        try:
            return Index(self._strings, ((index, row[0]) for index, row in rows if _offered(*row)))
        except BudgetExceeded as error:
            return unreadable(self._path, error)

    def _matches(self, index: int, wanted: bytes, version: str) -> bool:
        if index >= self._count:
            return False
        entry = self._entry.unpack_from(self._table, index * self._entry.size)
        if not _offered(*entry) or not self._strings.startswith(wanted + b"\0", entry[0]):
            return False
        if not self._versions:
            return True
        number = self._version(index)
        own = self._definitions.get(number & ~_HIDDEN, "")
        # check_match of glibc's dl-lookup.c: an unversioned definition serves every reference.
        return own == version or ((not own or not version) and not number & _HIDDEN)


def _offered(name: int, info: int, other: int, section: int) -> bool:
    return bool(
        section
        and name
        and info >> 4 in (_STB_GLOBAL, _STB_WEAK, _STB_UNIQUE)
        and other & 3 not in (_STV_INTERNAL, _STV_HIDDEN)
    )


class _GnuHash(NamedTuple):
    """DT_GNU_HASH: a Bloom filter, then buckets, then one hash for each symbol from ``first`` on."""

    order: str
    wide: bool
    first: int
    shift: int
    bloom: bytes
    buckets: bytes
    chain: bytes

    def candidates(self, number: int, steps: Steps) -> Iterator[int]:
        """The symbols with this hash."""
        width = 8 if self.wide else 4
        words, count = len(self.bloom) // width, len(self.buckets) // 4
        if not words or not count:
            return
        bits = 8 * width
        form = self.order + ("Q" if self.wide else "I")
        word = struct.unpack_from(form, self.bloom, number // bits % words * width)[0]
        if not word >> number % bits & word >> (number >> self.shift) % bits & 1:
            return
        symbol = struct.unpack_from(self.order + "I", self.buckets, number % count * 4)[0]
        while 0 <= symbol - self.first < len(self.chain) // 4:
            steps.take()
            entry = struct.unpack_from(self.order + "I", self.chain, (symbol - self.first) * 4)[0]
            if entry | 1 == number | 1:
                yield symbol
            if entry & 1:
                return
            symbol += 1

    def end(self) -> int:
        """The number behind the last symbol; 0 if the table has no symbols."""
        last = max((bucket for (bucket,) in struct.iter_unpack(self.order + "I", self.buckets)), default=0)
        while self.first <= last < self.first + len(self.chain) // 4:
            if struct.unpack_from(self.order + "I", self.chain, (last - self.first) * 4)[0] & 1:
                return last + 1
            last += 1
        return 0


@lru_cache(maxsize=1 << 16)
def gnu_hash(name: bytes) -> int:
    """Bernstein's hash, as the GNU linker computes it."""
    number = 5381
    for byte in name:
        number = number * 33 + byte & 0xFFFFFFFF
    return number


def _gnu_hash(raw: Raw, layout: _Layout) -> _GnuHash:
    start = layout.offset(layout.dynamic[_DT_GNU_HASH], "the hash table")
    head = raw.take(start, 16, "the hash table")
    count, first, words, shift = (raw.number(head, at, 4) for at in (0, 4, 8, 12))
    width = 8 if layout.wide else 4
    bloom = raw.take(start + 16, words * width, "the hash table's filter")
    buckets = raw.take(start + 16 + len(bloom), 4 * count, "the hash table's buckets")
    at = start + 16 + len(bloom) + len(buckets)
    # The file does not state the length of the chain: read up to the limit.
    most = min(_section_count(raw, layout) or ROWS, ROWS) - first
    chain = raw.some(at, max(0, 4 * most))
    order = ">" if raw.order == "big" else "<"
    return _GnuHash(order, layout.wide, first, shift, bloom, buckets, chain[: len(chain) // 4 * 4])


def _count(raw: Raw, layout: _Layout, gnu: _GnuHash | None) -> int:
    """The number of dynamic symbols, which the dynamic section does not contain."""
    if found := _section_count(raw, layout):
        return found
    if _DT_HASH in layout.dynamic:
        return raw.number(raw.take(layout.offset(layout.dynamic[_DT_HASH], "the hash table"), 8, "it"), 4, 4)
    if gnu and (end := gnu.end()):
        return end
    # Linkers put the strings, or the versions, right behind the symbols.
    symbols = layout.dynamic[_DT_SYMTAB]
    behind = [layout.dynamic[tag] for tag in (_DT_STRTAB, _DT_VERSYM) if layout.dynamic.get(tag, 0) > symbols]
    return (min(behind) - symbols) // (24 if layout.wide else 16) if behind else 0


def _section_count(raw: Raw, layout: _Layout) -> int:
    """The number of symbols in the table of sections; 0 if it is missing or lost."""
    head = raw.some(0, 64)
    start, width, count = _section_table(raw, head, layout.wide)
    if width != (64 if layout.wide else 40):
        return 0
    table = raw.some(start, width * count)
    symbols = layout.dynamic.get(_DT_SYMTAB)
    for at in range(0, len(table) - width + 1, width):
        if raw.number(table, at + 4, 4) != _SHT_DYNSYM:
            continue
        address, size = (
            (raw.number(table, at + 16, 8), raw.number(table, at + 32, 8))
            if layout.wide
            else (raw.number(table, at + 12, 4), raw.number(table, at + 20, 4))
        )
        if address == symbols:
            return size // (24 if layout.wide else 16)
    return 0
