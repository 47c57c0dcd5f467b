"""ELF libraries of a real size with real tables: symbols behind a GNU hash table, needed libraries, and a hole.

A hole has no blocks on the disk, so an environment of gigabytes takes as much as its tables.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from torchlock.inspect.binaries.elf_symbols import gnu_hash

_HEADERS = 64 + 2 * 56 + 2 * 64
_SHIFT = 26


def write_library(
    path: Path,
    needed: Sequence[str] = (),
    defines: Sequence[str] = (),
    uses: Sequence[str] = (),
    *,
    soname: str | None = None,
    runpath: str = "$ORIGIN",
    size: int = 0,
) -> None:
    """Write a library for x86-64 whose one segment is ``size`` bytes long, or as long as its tables.

    ``soname``: its own name (default: that of the file).
    """
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        strings.extend(value.encode() + b"\0")
        return len(strings) - len(value) - 1

    dynamic = [(1, text(each)) for each in needed]
    dynamic += [(14, text(path.name if soname is None else soname)), (29, text(runpath))]
    count = max(1, len(defines))
    hashed = sorted(((gnu_hash(each.encode()), each) for each in defines), key=lambda pair: pair[0] % count)
    rows = [struct.pack("<IBBHQQ", text(each), 0x12, 0, 0, 0, 0) for each in uses]
    rows += [struct.pack("<IBBHQQ", text(each), 0x12, 0, 1, 0x1000, 8) for _, each in hashed]
    symbols = bytes(24) + b"".join(rows)
    table = _hash_table([number for number, _ in hashed], 1 + len(uses), count)
    body, places = bytearray(), {}
    for tag, data in ((6, symbols), (0x6FFFFEF5, table), (5, bytes(strings))):
        places[tag] = _HEADERS + len(body)
        body += data + bytes(-len(data) % 8)
    dynamic += [*places.items(), (10, len(strings)), (11, 24), (0, 0)]
    start = _HEADERS + len(body)
    body += b"".join(struct.pack("<QQ", *entry) for entry in dynamic)
    end = max(size, _HEADERS + len(body))
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 64 + 2 * 56, 0, 64, 56, 2, 64, 2, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, end, end, 0x1000)
    head += struct.pack("<IIQQQQQQ", 2, 6, start, start, start, 16 * len(dynamic), 16 * len(dynamic), 8)
    head += bytes(64) + struct.pack("<IIQQQQIIQQ", 0, 11, 2, places[6], places[6], len(symbols), 0, 1, 8, 24)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(head + body)
        file.truncate(end)


def _hash_table(numbers: Sequence[int], first: int, count: int) -> bytes:
    """DT_GNU_HASH of symbols in the order of their buckets."""
    words = 1 << max(0, (len(numbers) // 5).bit_length())
    bloom = [0] * words
    buckets, chain = [0] * count, []
    for index, number in enumerate(numbers):
        bloom[number // 64 % words] |= 1 << number % 64 | 1 << (number >> _SHIFT) % 64
        buckets[number % count] = buckets[number % count] or first + index
        is_last = index + 1 == len(numbers) or numbers[index + 1] % count != number % count
        chain.append(number & ~1 | is_last)
    head = struct.pack("<IIII", count, first, words, _SHIFT)
    return head + struct.pack(f"<{words}Q{count}I{len(chain)}I", *bloom, *buckets, *chain)
