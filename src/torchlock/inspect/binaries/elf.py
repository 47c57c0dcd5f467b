"""ELF: the dynamic section and the dynamic symbols, as the System V gABI and the LSB (versions) have them.

Our own reader, since every check reads some thirty libraries. Measured on torch 2.13.0 with torchaudio 2.10.0 and
torchcodec 0.13.0, 31 libraries, import included: 39 ms for their dynamic sections, the 650 undefined symbols of
torchaudio and their lookup among the 146,530 of libtorch_cpu. pyelftools takes 177 ms for the same, and needs the
section table, which strip may remove and no loader reads; LIEF imports in 265 ms and takes 670 MB of memory.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

from torchlock.inspect.binaries.binary import Binary, Needed, Truncation
from torchlock.inspect.binaries.elf_symbols import read_symbols
from torchlock.inspect.binaries.elf_tables import (
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    MANY,
    MANY_NAMES,
    MISALIGNED,
    NO_DYNAMIC,
    NO_NAMES,
    PF_X,
    PT_DYNAMIC,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    Layout,
    Segment,
    Strings,
    form_of,
    section_table,
    version_definitions,
    version_needs,
)
from torchlock.inspect.binaries.raw import Broken, BudgetExceeded, Raw, text
from torchlock.inspect.machine import machine_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DF_1_NODEFLIB = 0x800
# The smallest page of all machines that have wheels of torch.
_PAGE = 4096


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
    layout = Layout(wide, segments, dict(entries))
    strings = Strings(raw, layout)
    named = {tag: strings.all(entries, tag) for tag in (DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH)}
    if not all(named[DT_NEEDED]):
        raise Broken(NO_NAMES)
    return Binary(
        path=path,
        format="elf",
        machine=machine.machines[0] if machine else f"machine {raw.number(head, 18, 2)}",
        bits=64 if wide else 32,
        needed=tuple(Needed(name) for name in named[DT_NEEDED]),
        soname=next(iter(named[DT_SONAME]), ""),
        rpath=_split(named[DT_RPATH]),
        runpath=_split(named[DT_RUNPATH]),
        interpreter=_interpreter(raw, segments),
        no_default_folders=bool(layout.dynamic.get(DT_FLAGS_1, 0) & _DF_1_NODEFLIB),
        version_needs=tuple(need for need, _ in version_needs(raw, layout, strings)),
        version_definitions=tuple(name for name, _, base in version_definitions(raw, layout, strings) if not base),
        truncated=tuple(_truncations(raw, head, wide, segments)),
        executable_stack=any(each.kind == PT_GNU_STACK and each.flags & PF_X for each in segments),
        is_aligned=all(each.is_aligned(each.alignment) for each in segments if each.kind == PT_LOAD),
        read_symbols=partial(read_symbols, path, raw.order == "big", layout),
    )


def _split(paths: list[str]) -> tuple[str, ...]:
    if sum(path.count(":") for path in paths) > MANY_NAMES:
        raise BudgetExceeded(f"more than {MANY_NAMES} folders to search")
    return tuple(part for path in paths for part in path.split(":"))


def _segments(raw: Raw, head: bytes, wide: bool) -> list[Segment]:
    start, width, count = (
        (raw.number(head, 32, 8), raw.number(head, 54, 2), raw.number(head, 56, 2))
        if wide
        else (raw.number(head, 28, 4), raw.number(head, 42, 2), raw.number(head, 44, 2))
    )
    least = 56 if wide else 32
    if count and width != least:
        raise Broken(f"entries of {width} bytes in the table of segments")
    table = raw.take(start, width * count, "the table of segments")
    form = form_of(raw, "IIQQ8xQ8xQ" if wide else "III4xI4xII")
    found = []
    for at in range(0, width * count, width or 1):
        fields = struct.unpack_from(form, table, at)
        found.append(Segment(*fields) if wide else _narrow(*fields))
    if not all(each.is_aligned(_PAGE) for each in found if each.kind == PT_LOAD):
        raise Broken(MISALIGNED)
    return found


def _narrow(kind: int, offset: int, address: int, size: int, flags: int, alignment: int) -> Segment:
    """A segment of a file of 32 bits, which has the flags in another place."""
    return Segment(kind, flags, offset, address, size, alignment)


def _dynamic_entries(raw: Raw, segments: list[Segment], wide: bool) -> list[tuple[int, int]]:
    """The entries before DT_NULL; none for a static program."""
    segment = next((segment for segment in segments if segment.kind == PT_DYNAMIC), None)
    if segment is None:
        return []
    width = 16 if wide else 8
    size = segment.size - segment.size % width
    if size > MANY * width:
        raise BudgetExceeded(f"a dynamic section of {segment.size} bytes")
    data = raw.take(segment.offset, size, "the dynamic section")
    found = []
    for tag, value in struct.iter_unpack(form_of(raw, "QQ" if wide else "II"), data):
        if tag == 0:
            break
        found.append((tag, value))
    if size and not found:
        raise Broken(NO_DYNAMIC)
    return found


def _interpreter(raw: Raw, segments: list[Segment]) -> str:
    segment = next((segment for segment in segments if segment.kind == PT_INTERP), None)
    return text(raw.some(segment.offset, min(segment.size, 4096)).partition(b"\0")[0]) if segment else ""


def _truncations(raw: Raw, head: bytes, wide: bool, segments: list[Segment]) -> Iterator[Truncation]:
    end = max((item.offset + item.size for item in segments if item.kind == PT_LOAD), default=0)
    if end > raw.size:
        yield Truncation("segment", end, raw.size)
    start, width, count = section_table(raw, head, wide)
    if start + width * count > raw.size:
        yield Truncation("section table", start + width * count, raw.size)
