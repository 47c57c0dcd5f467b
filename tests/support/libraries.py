"""Shared libraries for tests: real ELF and PE files, with the tables that a loader reads and nothing else."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

_X86_64 = 62
_AMD64 = 0x8664


def elf(
    soname: str = "",
    needed: Sequence[str] = (),
    exports: Sequence[str] = (),
    undefined: Sequence[str] = (),
    *,
    runpath: str = "",
    rpath: str = "",
    machine: int = _X86_64,
    needs: Sequence[tuple[str, str]] = (),
    defines: Sequence[str] = (),
) -> bytes:
    """A library of 64 bits, which a real loader takes as well.

    ``needs`` are (library, version) pairs, ``defines`` the versions of its own. Every symbol of ``undefined`` has
    a relocation, without which no loader would look for it.
    """
    strings = _Strings()
    dynamic = [(1, strings.add(name)) for name in needed]
    dynamic += [(tag, strings.add(text)) for tag, text in ((14, soname), (29, runpath), (15, rpath)) if text]
    symbols = bytearray(24)
    for name in undefined:
        symbols += struct.pack("<IBBHQQ", strings.add(name), 0x12, 0, 0, 0, 0)
    for name in exports:
        symbols += struct.pack("<IBBHQQ", strings.add(name), 0x12, 0, 1, 0x1000, 8)
    count = 1 + len(undefined) + len(exports)
    chain = struct.pack(f"<{count}I", *(index + 1 if index + 1 < count else 0 for index in range(count)))
    table = struct.pack("<III", 1, count, 1 if count > 1 else 0) + chain
    verneed = _needed(strings, needs)
    verdef = _defined(strings, defines)
    text = bytes(strings.data)
    versions = struct.pack(f"<{count}H", *([1] * count)) if needs or defines else b""
    parts = {5: text, 6: symbols, 4: table, 0x6FFFFFFE: verneed, 0x6FFFFFFC: verdef, 0x6FFFFFF0: versions}
    at, body, places = 0x200 + 8 * len(undefined), b"", {}
    parts[7] = b"".join(struct.pack("<QQq", 0x200 + 8 * n, n + 1 << 32 | 6, 0) for n in range(len(undefined)))
    for tag, data in parts.items():
        if data:
            places[tag] = at + len(body)
            body += data + bytes(-len(data) % 8)
    dynamic += list(places.items())
    dynamic += [(10, len(text)), (11, 24)]
    dynamic += [(8, len(parts[7])), (9, 24)] if undefined else []
    dynamic += [(0x6FFFFFFF, len({library for library, _ in needs}))] if needs else []
    dynamic += [(0x6FFFFFFD, len(defines))] if defines else []
    start = at + len(body)
    rows = b"".join(struct.pack("<QQ", tag, value) for tag, value in [*dynamic, (0, 0)])
    size = start + len(rows)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    segments = struct.pack("<IIQQQQQQ", 1, 7, 0, 0, 0, size, size, 0x1000)
    segments += struct.pack("<IIQQQQQQ", 2, 6, start, start, start, len(rows), len(rows), 8)
    return (head + segments).ljust(at, b"\0") + body + rows


def with_segment(
    library: bytes, kind: int, flags: int, offset: int = 0, address: int = 0, align: int = 16
) -> bytes:
    """An ELF library with one more segment of eight bytes, which its table lists last."""
    start, count = struct.unpack_from("<Q", library, 32)[0], struct.unpack_from("<H", library, 56)[0]
    whole = bytearray(library.ljust(max(len(library), offset + 8), b"\0"))
    whole += bytes(-len(whole) % 8)
    table = whole[start : start + 56 * count]
    table += struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, 8, 8, align)
    struct.pack_into("<Q", whole, 32, len(whole))
    struct.pack_into("<H", whole, 56, count + 1)
    return bytes(whole + table)


_PE_AT, _PE_FILE = 0x1000, 512


def pe(
    imports: Mapping[str, Sequence[str | int]] | None = None,
    exports: Sequence[str] = (),
    delayed: Sequence[str] = (),
    machine: int = _AMD64,
) -> bytes:
    """A DLL, for amd64 by default: what it imports of each library, by name or by ordinal, and what it exports."""
    body = bytearray()

    def place(data: bytes) -> int:
        body.extend(data)
        return _PE_AT + len(body) - len(data)

    rows = b""
    for library, names in (imports or {}).items():
        entries = [1 << 63 | name if isinstance(name, int) else _hint(place, name) for name in names]
        thunks = place(struct.pack(f"<{len(entries) + 1}Q", *entries, 0))
        rows += struct.pack("<5I", thunks, 0, 0, place(library.encode() + b"\0"), thunks)
    late = b"".join(struct.pack("<8I", 1, place(name.encode() + b"\0"), *[0] * 6) for name in delayed)
    addresses = [place(name.encode() + b"\0") for name in sorted(exports)]
    pointers = place(struct.pack(f"<{len(addresses)}I", *addresses))
    table = place(struct.pack("<10I", 0, 0, 0, 0, 1, len(addresses), len(addresses), 0, pointers, 0))
    directories = [0, 0] * 16
    directories[0:4] = [table if exports else 0, 40, place(rows + bytes(20)) if rows else 0, len(rows) + 20]
    directories[26:28] = [place(late + bytes(32)) if late else 0, len(late) + 32]
    optional = struct.pack("<H106xI32I", 0x20B, 16, *directories)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64)
    head += struct.pack("<4sHHIIIHH", b"PE", machine, 1, 0, 0, 0, len(optional), 0x2022) + optional
    head += struct.pack("<8sIIII16x", b".rdata", len(body), _PE_AT, len(body), _PE_FILE)
    return head.ljust(_PE_FILE, b"\0") + bytes(body)


def _hint(place: Callable[[bytes], int], name: str) -> int:
    return place(bytes(2) + name.encode() + b"\0")


class _Strings:
    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def add(self, text: str) -> int:
        self.data += text.encode() + b"\0"
        return len(self.data) - len(text.encode()) - 1


def _needed(strings: _Strings, needs: Sequence[tuple[str, str]]) -> bytes:
    rows = b""
    for index, (library, version) in enumerate(needs):
        last = index == len(needs) - 1
        rows += struct.pack("<HHIII", 1, 1, strings.add(library), 16, 0 if last else 32)
        rows += struct.pack("<IHHII", 0, 0, index + 2, strings.add(version), 0)
    return rows


def _defined(strings: _Strings, versions: Sequence[str]) -> bytes:
    rows = b""
    for index, version in enumerate(versions):
        last = index == len(versions) - 1
        rows += struct.pack("<HHHHIII", 1, 0, index + 2, 1, 0, 20, 0 if last else 28)
        rows += struct.pack("<II", strings.add(version), 0)
    return rows


def macho(needed: str = "@rpath/libtorch.dylib", name: bytes = b"_torch_library_impl") -> bytes:
    """A library for arm64 that needs one other and uses one symbol of it."""
    text = needed.encode() + b"\0"
    text += bytes(-len(text) % 8)
    load = struct.pack("<IIIIII", 0xC, 24 + len(text), 24, 0, 0, 0) + text
    strings = b"\0" + name + b"\0"
    size = 32 + len(load) + 24 + 80
    symtab = struct.pack("<IIIIII", 2, 24, size, 1, size + 16, len(strings))
    dysymtab = struct.pack("<IIIIIIII", 0xB, 80, 0, 0, 0, 0, 0, 1) + bytes(48)
    commands = load + symtab + dysymtab
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, 6, 3, len(commands), 0, 0)
    return head + commands + struct.pack("<IBBHQ", 1, 1, 0, 1 << 8, 0) + strings


def with_sections(library: bytes, between: bytes = b"") -> bytes:
    """An ELF library of ``elf`` with a table of sections: its dynamic symbols and their strings.

    ``between`` is between the library and the strings, as in libraries whose strings were moved to the end.
    """
    (dynamic,) = struct.unpack_from("<Q", library, 64 + 56 + 8)
    entries = dict(struct.iter_unpack("<QQ", library[dynamic : len(library) - (len(library) - dynamic) % 16]))
    (count,) = struct.unpack_from("<I", library, entries[4] + 4)
    text = library[entries[5] : entries[5] + entries[10]]
    body = library + between
    body += bytes(-len(body) % 8)
    strings = len(body)
    body += text + bytes(-len(text) % 8)
    rows = (
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 11, 2, entries[6], entries[6], 24 * count, 2, 1, 8, 24),
        (0, 3, 2, strings, strings, len(text), 0, 0, 1, 0),
    )
    table = b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in rows)
    head = bytearray(body)
    struct.pack_into("<Q", head, 40, len(body))
    struct.pack_into("<HHH", head, 58, 64, len(rows), 0)
    return bytes(head) + table


def import_library(names: Sequence[str]) -> bytes:
    """The first member of an import library of Windows, which lists its symbols."""
    symbols = [*(f"__imp_{name}" for name in names), *names, "__NULL_IMPORT_DESCRIPTOR"]
    body = struct.pack(f">I{len(symbols)}I", len(symbols), *([0] * len(symbols)))
    body += b"".join(name.encode() + b"\0" for name in symbols)
    return b"!<arch>\n" + b"/".ljust(48) + str(len(body)).encode().ljust(10) + b"`\n" + body
