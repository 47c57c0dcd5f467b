"""The names of libraries in the constants of an ELF file: those that its code opens when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.inspect.binaries.elf_tables import section_table
from torchlock.inspect.binaries.raw import Broken, Raw
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = pattern(rb"\0(lib[A-Za-z][\w-]{0,80}\.so(?:\.\d{1,4}){0,3})(?=\0)")
_CONSTANTS = ".rodata"
# The constants of a real library take less than 2 MB. A file without a table of sections is read as a whole.
_LARGEST = 16 << 20
_SECTION = 64
_MOST_SECTIONS = 1000


def library_names(path: str) -> frozenset[str]:
    """The names of libraries that a 64-bit ELF file has as constants; empty if its constants cannot be read."""
    try:
        with Raw(path) as raw:
            head = raw.some(0, _SECTION)
            if head[:5] != b"\x7fELF\x02":
                return frozenset()
            raw.order = "big" if head[5:6] == b"\x02" else "little"
            return frozenset(each.decode() for data in _constants(raw, head) for each in _NAME.findall(data))
    except (Broken, OSError, ValueError, MemoryError):
        return frozenset()


def _constants(raw: Raw, head: bytes) -> Iterator[bytes]:
    start, width, count = section_table(raw, head, True)
    if not start or width != _SECTION or not 0 < count <= _MOST_SECTIONS:
        yield raw.some(0, _LARGEST) if raw.size <= _LARGEST else b""
        return
    names = raw.number(raw.take(start + width * raw.number(head, 62, 2), width, "the names of sections"), 24, 8)
    for at in range(start, start + width * count, width):
        row = raw.take(at, width, "the table of sections")
        size = raw.number(row, 32, 8)
        if size <= _LARGEST and raw.string(names + raw.number(row, 0, 4), "the name of a section") == _CONSTANTS:
            yield b"\0" + raw.some(raw.number(row, 24, 8), size)
