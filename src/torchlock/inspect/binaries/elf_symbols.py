"""ELF: the dynamic symbols of a file, and the hash table by which a loader finds them."""

from __future__ import annotations

import struct
import sys
from array import array
from functools import cached_property, lru_cache
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from torchlock.inspect.binaries.binary import Reference
from torchlock.inspect.binaries.elf_tables import (
    DT_GNU_HASH,
    DT_HASH,
    DT_STRTAB,
    DT_SYMTAB,
    DT_VERSYM,
    HIDDEN,
    Strings,
    section_table,
    version_definitions,
    version_needs,
)
from torchlock.inspect.binaries.raw import (
    REFERENCES,
    ROWS,
    Broken,
    BudgetExceeded,
    Index,
    Raw,
    Steps,
    strings_at,
    unreadable,
)
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.inspect.binaries.binary import Symbols
    from torchlock.inspect.binaries.elf_tables import Layout

_SHT_DYNSYM = 11
_STB_GLOBAL, _STB_WEAK, _STB_UNIQUE = 1, 2, 10
_STV_INTERNAL, _STV_HIDDEN = 1, 2


def read_symbols(path: str, big: bool, layout: Layout) -> ElfSymbols | Unreadable:
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

    def __init__(self, raw: Raw, layout: Layout, path: str = "") -> None:
        self._path = path
        self._steps = Steps()
        self._order = ">" if raw.order == "big" else "<"
        # name, value and size between, info, other, section
        self._entry = struct.Struct(self._order + ("IBBH16x" if layout.wide else "I8xBBH"))
        dynamic = layout.dynamic
        strings = Strings(raw, layout)
        self._strings = raw.take(strings.start, strings.size, "the string table") if strings.size else b""
        self._gnu = _gnu_hash(raw, layout) if DT_GNU_HASH in dynamic else None
        count = _count(raw, layout, self._gnu) if DT_SYMTAB in dynamic else 0
        if count > ROWS:
            raise BudgetExceeded(f"more than {ROWS} symbols")
        start = layout.offset(dynamic[DT_SYMTAB], "the symbol table") if count else 0
        self._table = raw.take(start, count * self._entry.size, "the symbol table")
        self._count = count
        self._versions: array[int] | None = None
        if count and DT_VERSYM in dynamic:
            at = layout.offset(dynamic[DT_VERSYM], "the versions of the symbols")
            self._versions = _numbers("H", raw.take(at, 2 * count, "the versions of the symbols"), raw)
        self._needs = {index: need for need, index in version_needs(raw, layout, strings)}
        self._definitions = {
            index: "" if base else name for name, index, base in version_definitions(raw, layout, strings)
        }

    @cached_property
    def undefined(self) -> tuple[Reference, ...] | Unreadable:
        """The symbols that it uses of others, each once; a versioned one names the library that must have it."""
        return self._references(list(self._undefined_rows()))

    @cached_property
    def undefined_of_c(self) -> tuple[Reference, ...] | Unreadable:
        """Those of them without a mangled C++ name, or with the name of their library as their version.

        They are few of many: libtorch_cuda uses 10,000 C++ names of others.
        """
        own = {number for number, need in self._needs.items() if need.version == need.file}
        versions = self._versions if own else None
        return self._references(
            [
                row
                for row in self._undefined_rows()
                if not self._strings.startswith(b"_Z", row[1])
                or (versions is not None and versions[row[0]] & ~HIDDEN in own)
            ]
        )

    def _references(self, rows: list[tuple[int, int, int]]) -> tuple[Reference, ...] | Unreadable:
        try:
            if len(rows) > REFERENCES:
                raise BudgetExceeded(f"more than {REFERENCES} undefined symbols")
            names = strings_at(self._strings, (name for _, name, _ in rows))
            needs = {number: (need.version, need.file) for number, need in self._needs.items()}
            versions = self._versions
            found = [
                Reference(
                    name, *needs.get(versions[index] & ~HIDDEN if versions else 1, _NOWHERE), kind == _STB_WEAK
                )
                for name, (index, _, kind) in zip(names, rows, strict=True)
            ]
            return tuple(dict.fromkeys(found))
        except BudgetExceeded as error:
            return unreadable(self._path, error)

    def _undefined_rows(self) -> Iterator[tuple[int, int, int]]:
        """Index, name and binding of each row without a section: few of many, so the others are not unpacked."""
        width = self._entry.size
        low, high = self._table[_section_at(width) :: width], self._table[_section_at(width) + 1 :: width]
        index = low.find(0)
        while index >= 0:
            if not high[index]:
                name, info, _, _ = self._entry.unpack_from(self._table, index * width)
                if name and info >> 4 in (_STB_GLOBAL, _STB_WEAK):
                    yield index, name, info >> 4
            index = low.find(0, index + 1)

    def defines(self, name: str, version: str = "") -> bool | Unreadable:
        """Whether the loader binds this name to a symbol of this library."""
        wanted, number = _name_and_hash(name)
        self._steps.begin()
        try:
            if self._gnu is not None:
                if not self._gnu.may_have(number):
                    return False
                candidates = self._gnu.candidates(number, self._steps)
            elif isinstance(self._index, Index):
                candidates = self._index.candidates(wanted, self._steps)
            else:
                return self._index
            return any(self._matches(index, wanted, version) for index in candidates)
        except BudgetExceeded as error:
            return unreadable(self._path, error)

    def lacked(self, references: Iterable[Reference]) -> tuple[list[Reference], Unreadable | None]:
        """As the function of this name: the filter of the hash table answers for most, without a call."""
        gnu, steps, left, unread = self._gnu, self._steps, list[Reference](), None
        if gnu is None or not gnu.bloom or not gnu.buckets:
            return _one_by_one(self, references)
        bloom, bits, shift, words = gnu.bloom, gnu.bits, gnu.shift, len(gnu.bloom)
        for each in references:
            wanted, number = _name_and_hash(each.name)
            word = bloom[number // bits % words]
            if word >> number % bits & word >> (number >> shift) % bits & 1:
                steps.begin()
                try:
                    if any(self._matches(row, wanted, each.version) for row in gnu.candidates(number, steps)):
                        continue
                except BudgetExceeded as error:
                    unread = unreadable(self._path, error)
                    continue
            left.append(each)
        return left, unread

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
        number = self._versions[index]
        own = self._definitions.get(number & ~HIDDEN, "")
        # check_match of glibc's dl-lookup.c: an unversioned definition serves every reference.
        return own == version or ((not own or not version) and not number & HIDDEN)


def lacked(symbols: Symbols, references: Iterable[Reference]) -> tuple[list[Reference], Unreadable | None]:
    """The references that a library does not define; and why it may define others of them, if it is unknown."""
    return symbols.lacked(references) if isinstance(symbols, ElfSymbols) else _one_by_one(symbols, references)


def _one_by_one(symbols: Symbols, references: Iterable[Reference]) -> tuple[list[Reference], Unreadable | None]:
    left, unread = list[Reference](), None
    for each in references:
        answer = symbols.defines(each.name, each.version)
        unread = answer if isinstance(answer, Unreadable) else unread
        if not answer:
            left.append(each)
    return left, unread


def undefined_of_c(symbols: Symbols | Unreadable) -> tuple[Reference, ...]:
    """The symbols that a library uses and that a library in C may define; none if they cannot be read."""
    if isinstance(symbols, Unreadable):
        return ()
    used = symbols.undefined_of_c if isinstance(symbols, ElfSymbols) else symbols.undefined
    return () if isinstance(used, Unreadable) else used


def _offered(name: int, info: int, other: int, section: int) -> bool:
    return bool(
        section
        and name
        and info >> 4 in (_STB_GLOBAL, _STB_WEAK, _STB_UNIQUE)
        and other & 3 not in (_STV_INTERNAL, _STV_HIDDEN)
    )


class _GnuHash(NamedTuple):
    """DT_GNU_HASH: a Bloom filter, then buckets, then one hash for each symbol from ``first`` on."""

    first: int
    shift: int
    bits: int
    bloom: array[int]
    buckets: array[int]
    chain: array[int]

    def may_have(self, number: int) -> bool:
        """Whether a symbol may have this hash, by the filter."""
        bits, bloom = self.bits, self.bloom
        if not bloom or not self.buckets:
            return False
        word = bloom[number // bits % len(bloom)]
        return bool(word >> number % bits & word >> (number >> self.shift) % bits & 1)

    def candidates(self, number: int, steps: Steps) -> Iterator[int]:
        """The symbols with this hash."""
        symbol = self.buckets[number % len(self.buckets)]
        while 0 <= symbol - self.first < len(self.chain):
            steps.take()
            entry = self.chain[symbol - self.first]
            if entry | 1 == number | 1:
                yield symbol
            if entry & 1:
                return
            symbol += 1

    def end(self) -> int:
        """The number behind the last symbol; 0 if the table has no symbols."""
        last = max(self.buckets, default=0)
        while self.first <= last < self.first + len(self.chain):
            if self.chain[last - self.first] & 1:
                return last + 1
            last += 1
        return 0


# The factors of Bernstein's hash, for the longest names of C++ that are usual.
_FACTORS: Final = tuple(pow(33, power, 1 << 32) for power in range(511, -1, -1))


def gnu_hash(name: bytes) -> int:
    """Bernstein's hash, as the GNU linker computes it."""
    number, most = 5381, len(_FACTORS)
    for start in range(0, len(name), most):
        part = name[start : start + most]
        number = number * pow(33, len(part), 1 << 32) + sum(map(mul, part, _FACTORS[most - len(part) :]))
        number &= 0xFFFFFFFF
    return number


@lru_cache(maxsize=1 << 16)
def _name_and_hash(name: str) -> tuple[bytes, int]:
    """A name as string tables have it, and its hash: each is looked up in many libraries."""
    encoded = name.encode("utf-8", "surrogateescape")
    return encoded, gnu_hash(encoded)


def _numbers(kind: str, data: bytes, raw: Raw) -> array[int]:
    """A table of unsigned numbers: of 2 (``H``), 4 (``I``) or 8 bytes (``Q``)."""
    found = array(kind)
    found.frombytes(data[: len(data) // found.itemsize * found.itemsize])
    if raw.order != sys.byteorder:
        found.byteswap()
    return found


def _section_at(width: int) -> int:
    """Where the section stands in a row of the symbol table."""
    return 6 if width == 24 else 14


def _gnu_hash(raw: Raw, layout: Layout) -> _GnuHash:
    start = layout.offset(layout.dynamic[DT_GNU_HASH], "the hash table")
    head = raw.take(start, 16, "the hash table")
    count, first, words, shift = (raw.number(head, at, 4) for at in (0, 4, 8, 12))
    width = 8 if layout.wide else 4
    bloom = raw.take(start + 16, words * width, "the hash table's filter")
    buckets = raw.take(start + 16 + len(bloom), 4 * count, "the hash table's buckets")
    at = start + 16 + len(bloom) + len(buckets)
    # The file does not state the length of the chain: read up to the limit.
    most = min(_section_count(raw, layout) or ROWS, ROWS) - first
    chain = raw.some(at, max(0, 4 * most))
    tables = (
        _numbers("Q" if layout.wide else "I", bloom, raw),
        *(_numbers("I", each, raw) for each in (buckets, chain)),
    )
    return _GnuHash(first, shift, 8 * width, *tables)


def _count(raw: Raw, layout: Layout, gnu: _GnuHash | None) -> int:
    """The number of dynamic symbols, which the dynamic section does not contain."""
    if found := _section_count(raw, layout):
        return found
    if DT_HASH in layout.dynamic:
        return raw.number(raw.take(layout.offset(layout.dynamic[DT_HASH], "the hash table"), 8, "it"), 4, 4)
    if gnu and (end := gnu.end()):
        return end
    # Linkers put the strings, or the versions, right behind the symbols.
    symbols = layout.dynamic[DT_SYMTAB]
    behind = [layout.dynamic[tag] for tag in (DT_STRTAB, DT_VERSYM) if layout.dynamic.get(tag, 0) > symbols]
    return (min(behind) - symbols) // (24 if layout.wide else 16) if behind else 0


def _section_count(raw: Raw, layout: Layout) -> int:
    """The number of symbols in the table of sections; 0 if it is missing or lost."""
    head = raw.some(0, 64)
    start, width, count = section_table(raw, head, layout.wide)
    if width != (64 if layout.wide else 40):
        return 0
    table = raw.some(start, width * count)
    symbols = layout.dynamic.get(DT_SYMTAB)
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
