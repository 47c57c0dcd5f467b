"""Libraries with damaged tables: whatever their headers say, reading them ends, and ends without a traceback."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import broken_library
from torchlock.inspect.loading.bundle_process import BundleProcess
from torchlock.inspect.loading.elf_process import ElfProcess
from torchlock.inspect.loading.root import Root
from torchlock.runtime.files import Unreadable

_NO_MEMORY = "not enough memory"


class Fault(Exception):
    """What went wrong with one library."""


def elf(wide: bool = True, big: bool = False) -> bytes:
    """A library for Linux with every table that is read: needs, versions, both hash tables, sections."""
    order, word = (">" if big else "<"), ("Q" if wide else "I")
    strings = (
        b"\0libtorch.so\0GLIBC_2.17\0libc.so.6\0torch_x\0_ZN2at3addEv\0/opt/a:$ORIGIN/../lib\0V_1\0libme.so\0"
    )

    def name(text: bytes) -> int:
        return strings.index(text + b"\0")

    def symbol(at: int, info: int, section: int) -> bytes:
        if wide:
            return struct.pack(order + "IBBHQQ", at, info, 0, section, 0x1000, 8)
        return struct.pack(order + "IIIBBH", at, 0x1000, 8, info, 0, section)

    symbols = symbol(0, 0, 0) + symbol(name(b"torch_x"), 0x12, 0) + symbol(name(b"_ZN2at3addEv"), 0x12, 1)
    parts = {
        5: strings,
        6: symbols,
        4: struct.pack(order + "8I", 1, 3, 1, 0, 2, 0, 0, 0),
        0x6FFFFEF5: struct.pack(
            order + "4I" + word + "3I", 1, 2, 1, 6, (1 << (8 * (8 if wide else 4))) - 1, 2, 1, 0
        ),
        0x6FFFFFF0: struct.pack(order + "3H", 0, 2, 3),
        0x6FFFFFFE: struct.pack(order + "HHIII", 1, 1, name(b"libc.so.6"), 16, 0)
        + struct.pack(order + "IHHII", 0x6969197, 0, 2, name(b"GLIBC_2.17"), 0),
        0x6FFFFFFC: struct.pack(order + "HHHHIIIII", 1, 0, 3, 1, 0, 20, 0, name(b"V_1"), 0),
    }
    head, row, section = (64, 56, 64) if wide else (52, 32, 40)
    body, at, places = b"", head + 4 * row, {}
    for tag, data in parts.items():
        places[tag] = at + len(body)
        body += data + bytes(-len(data) % 8)
    named = [(1, b"libtorch.so"), (1, b"libc.so.6"), (14, b"libme.so"), (29, b"/opt/a:$ORIGIN/../lib")]
    dynamic = [*((tag, name(text)) for tag, text in named), *places.items(), (10, len(strings)), (0, 0)]
    table = b"".join(struct.pack(order + word * 2, *each) for each in dynamic)
    start = at + len(body)
    interpreter = b"/lib64/ld-linux-x86-64.so.2\0"
    sections = start + len(table) + len(interpreter)
    end = sections + section

    def segment(kind: int, offset: int, size: int) -> bytes:
        if wide:
            return struct.pack(order + "IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 8)
        return struct.pack(order + "8I", kind, offset, offset, offset, size, size, 5, 8)

    segments = segment(1, 0, end) + segment(2, start, len(table))
    segments += segment(3, start + len(table), len(interpreter)) + segment(4, at, 16)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    numbers = (3, 62 if wide else 3, 1, 0, head, sections, 0, head, row, 4, section, 1, 0)
    header = ident + struct.pack(order + "HHI" + word * 3 + "IHHHHHH", *numbers)
    fields = (0, 11, 0, places[6], places[6], len(symbols), 0, 0, 0, 0)
    last = struct.pack(order + "II" + word * 4 + "II" + word * 2, *fields)
    return header + segments + body + table + interpreter + last


def pe(wide: bool = True) -> bytes:
    """A DLL: imports by name and by number, delayed imports, exports with a forwarder."""
    at, start = 0x1000, 0x200
    body = bytearray(160)
    width, form = (8, "<Q") if wide else (4, "<I")

    def place(data: bytes) -> int:
        body.extend(data)
        return at + len(body) - len(data)

    for index, library in enumerate((b"torch_cpu.dll\0", b"c10.dll\0", b"KERNEL32.dll\0")):
        entries = [place(b"\0\0?add@at@@YAXXZ\0"), 1 << (8 * width - 1) | 7, 0]
        thunks = place(b"".join(struct.pack(form, entry) for entry in entries))
        struct.pack_into("<5I", body, 20 * index, thunks, 0, 0, place(library), thunks)
    struct.pack_into("<8I", body, 80, 1, place(b"late.dll\0"), *[0] * 6)
    names = [place(name) for name in (b"a\0", b"b\0", b"forwarded\0")]
    pointers = place(struct.pack("<3I", *names))
    exports = place(struct.pack("<10I", 0, 0, 0, place(b"me.dll\0"), 1, 3, 3, pointers, pointers, pointers))
    directories = [0] * 32
    directories[0:4] = [exports, 40, at, 80]
    directories[26:28] = [at + 80, 64]
    optional = struct.pack("<H", 0x20B if wide else 0x10B) + bytes(106 if wide else 90)
    optional += struct.pack("<I32I", 16, *directories)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64)
    kind = 0x8664 if wide else 0x14C
    head += struct.pack("<4sHHIIIHH", b"PE", kind, 1, 0, 0, 0, len(optional), 0x2022) + optional
    head += struct.pack("<8sIIII16x", b".rdata", len(body), at, len(body), start)
    return head.ljust(start, b"\0") + bytes(body)


def macho(wide: bool = True) -> bytes:
    """A library for macOS: what it needs, re-exports and searches, and its symbols."""
    strings = b"\0_torch_x\0_mine\0"
    commands = b""
    names = (0xD, b"@rpath/libme.dylib"), (0xC, b"@rpath/libtorch.dylib"), (0x8000001F, b"@loader_path/libb.dylib")
    for kind, name in names:
        text = name + bytes(8 - len(name) % 8)
        commands += struct.pack("<IIIIII", kind, 24 + len(text), 24, 0, 0, 0) + text
    commands += struct.pack("<III", 0x8000001C, 32, 12) + b"@loader_path/../lib\0"
    commands += struct.pack("<IIIIII", 0x32, 24, 1, 11 << 16, 11 << 16, 0)
    size = len(commands) + 24 + 80 + 72
    at = (32 if wide else 28) + size
    row = "<IBBHQ" if wide else "<IBBHI"
    symbols = struct.pack(row, 10, 0xF, 1, 0, 0x100) + struct.pack(row, 1, 1, 0, 1 << 8, 0)
    end = at + len(symbols) + len(strings)
    commands += struct.pack("<II16sQQQQIIII", 0x19, 72, b"__TEXT", 0, end, 0, end, 5, 5, 0, 0)
    commands += struct.pack("<IIIIII", 0x2, 24, at, 2, at + len(symbols), len(strings))
    commands += struct.pack("<20I", 0xB, 80, 0, 0, 0, 1, 1, 1, *[0] * 12)
    magic = 0xFEEDFACF if wide else 0xFEEDFACE
    head = struct.pack("<IIIIIII", magic, 0x0100000C if wide else 12, 0, 6, 8, size, 0) + (
        bytes(4) if wide else b""
    )
    return head + commands + symbols + strings


def universal(wide: bool = False) -> bytes:
    """A file with two slices."""
    one = macho()
    row, magic = (">IIQQII", 0xCAFEBABF) if wide else (">IIIII", 0xCAFEBABE)
    starts = 128, 128 + len(one) + -len(one) % 8
    more = (0,) if wide else ()
    rows = b"".join(
        struct.pack(row, cpu, 0, start, len(one), 3, *more)
        for cpu, start in zip((0x01000007, 0x0100000C), starts, strict=True)
    )
    return ((struct.pack(">II", magic, 2) + rows).ljust(128, b"\0") + one).ljust(starts[1], b"\0") + one


def seeds() -> list[bytes]:
    """One library of every format that is read, undamaged."""
    elves = [elf(wide, big) for wide in (True, False) for big in (True, False)]
    return [*elves, pe(), pe(wide=False), macho(), macho(wide=False), universal(), universal(wide=True)]


def mutate(rng: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """Change fields as somebody would who knows the format: counts, sizes, offsets; sometimes whole pieces."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if len(changed) < 16:
            break
        if rng.random() < 0.8:
            _change_number(changed, rng)
        else:
            _change_piece(changed, rng)
    return bytes(changed)


def _change_number(data: bytearray, rng: random.Random) -> None:
    width = rng.choice((1, 2, 4, 4, 8, 8))
    at = rng.randrange(0, len(data) - width + 1) // width * width
    order: Any = "big" if rng.random() < 0.3 else "little"
    old = int.from_bytes(data[at : at + width], order)
    other = rng.randrange(0, len(data) - width + 1)
    new = rng.choice(
        (
            *(0, 1, 2, 8, 0x7F, 0xFF, 0xFFFF, 1 << 20, 1 << 31, (1 << 64) - 1, len(data), len(data) - 1),
            *(len(data) // 2, old + 1, old - 1, old * 2, old ^ 1 << rng.randrange(8 * width), at, other),
            *(int.from_bytes(data[other : other + width], order), rng.getrandbits(8 * width)),
        )
    )
    data[at : at + width] = (new & (1 << 8 * width) - 1).to_bytes(width, order)


def _change_piece(data: bytearray, rng: random.Random) -> None:
    at, size = rng.randrange(len(data)), rng.choice((1, 8, 16, 24, 56, 256))
    kind = rng.randrange(6)
    piece = bytes(data[at : at + size])
    if kind == 0:
        del data[at:]
    elif kind == 1:
        del data[at : at + size]
    elif kind == 2:
        data[at:at] = piece * rng.choice((1, 2, 100))
    elif kind == 3:
        data[at : at + size] = rng.randbytes(len(piece))
    elif kind == 4:
        other = rng.randrange(len(data))
        data[other : other + len(piece)] = piece
    else:
        data.extend(rng.choice((piece, bytes(size), b"A" * 70_000)))


def read(folder: str, data: bytes, holes: int = 0) -> None:
    """Read a library as a check does, followed by so many bytes that take no room, and one that needs it.

    Raises:
        Fault: reading takes too much memory.
    """
    paths = [Path(folder, name) for name in ("libtorch.so", "libc10.so", "libtorch.dylib", "c10.dll")]
    for path in paths:
        with path.open("wb") as file:
            file.write(data)
            file.truncate(len(data) + holes)
    first, second, mac, windows = map(str, paths)
    broken_library(first, len(data) + holes)
    found = read_binary(first, "arm64")
    if isinstance(found, Unreadable):
        _check(found)
    else:
        _look(found)
    process = ElfProcess(Root(folder), None)
    outcomes = [process.load(path) for path in (first, second)]
    outcomes.append(BundleProcess("macos", "arm64").load(mac))
    outcomes.append(BundleProcess("windows", "amd64").load(windows))
    for outcome in outcomes:
        if any(_NO_MEMORY in str(each.why) for each in outcome.unseen):
            raise Fault(str(outcome.unseen))


def _look(binary: Binary) -> None:
    symbols = binary.symbols
    if isinstance(symbols, Unreadable):
        _check(symbols)
        return
    used = symbols.undefined
    for each in () if isinstance(used, Unreadable) else used[:100]:
        symbols.defines(each.name, each.version)
    symbols.defines("torch_x", "V_1")


def _check(found: Unreadable) -> None:
    if _NO_MEMORY in found.reason:
        raise Fault(found.reason)
