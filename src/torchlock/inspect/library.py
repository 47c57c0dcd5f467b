"""Whether the file of a shared library is whole, by its own headers."""

from __future__ import annotations

import re
from typing import Literal

from torchlock.runtime import files

_HEAD = 4096
# Longer than the target of a link between the libraries of a package.
_NAME = 200
_POINTER = b"version https://git-lfs"
_ENDINGS = (".so", ".pyd", ".dll", ".dylib")
_PT_LOAD = 1
_LC_SEGMENT_64 = 0x19


def is_library(path: str) -> bool:
    """By its name: ``_C.so``, ``libcudart.so.12``, ``c10.dll``, ``libtorch.dylib``."""
    return path.endswith(_ENDINGS) or (
        ".so." in path[-40:] and path.rpartition(".so.")[2].replace(".", "").isdigit()
    )


def broken_library(path: str, size: int) -> str:
    """What was written instead of a library; "" if nothing of the sort is seen.

    - ``empty``: no bytes; ``zeros``: only zeros, as a full disk or a crash of the machine leaves them;
    - ``truncated``: it ends before what the loader maps (a lost table of sections does not count);
    - ``pointer``: the pointer of Git LFS; ``link``: the name of another file, where a symbolic link was meant;
    - ``page``: an HTML or XML page, such as the error page of a proxy.

    ``size`` is that of the file.
    """
    if not size:
        return "empty"
    try:
        head = files.read(path, _HEAD)
    except OSError:
        return ""
    if head.startswith(_POINTER):
        return "pointer"
    if not head.strip(b"\0"):
        return "zeros"
    if re.match(rb"\s{0,80}<(!doctype|html|\?xml|head)", head, re.IGNORECASE):
        return "page"
    if size < _NAME and b"." in head and re.fullmatch(rb"(\.{0,2}/)?[\w.+-]+(/[\w.+-]+)*\s?", head):
        return "link"
    try:
        needed = _elf(head) or _pe(head) or _macho(head)
    except IndexError:
        needed = 0
    return "truncated" if needed > size else ""


def _elf(head: bytes) -> int:
    """Where the last loaded segment ends."""
    if head[:4] != b"\x7fELF":
        return 0
    if len(head) < 64:
        return 64
    order: Literal["big", "little"] = "big" if head[5] == 2 else "little"
    wide = head[4] == 2

    def number(at: int, width: int) -> int:
        return int.from_bytes(head[at : at + width], order)

    start, width, count = (
        (number(32, 8), number(54, 2), number(56, 2)) if wide else (number(28, 4), number(42, 2), number(44, 2))
    )
    end = 0
    for at in range(start, min(start + width * count, len(head) - width + 1), max(width, 1)):
        if number(at, 4) == _PT_LOAD:
            offset, length = (
                (number(at + 8, 8), number(at + 32, 8)) if wide else (number(at + 4, 4), number(at + 16, 4))
            )
            end = max(end, offset + length)
    return end


def _macho(head: bytes) -> int:
    """Where the last segment ends, of one slice; of a universal file where its last slice does."""
    if head[:4] == b"\xca\xfe\xba\xbe" and 0 < int.from_bytes(head[4:8], "big") < 20:
        rows = [head[at : at + 20] for at in range(8, 8 + 20 * int.from_bytes(head[4:8], "big"), 20)]
        return max(int.from_bytes(row[8:12], "big") + int.from_bytes(row[12:16], "big") for row in rows)
    if head[:4] != b"\xcf\xfa\xed\xfe":
        return 0
    at, end = 32, 0
    for _ in range(min(int.from_bytes(head[16:20], "little"), 1000)):
        kind, length = (int.from_bytes(head[at + i : at + i + 4], "little") for i in (0, 4))
        if kind == _LC_SEGMENT_64 and at + 56 <= len(head):
            offset, size = (int.from_bytes(head[at + i : at + i + 8], "little") for i in (40, 48))
            end = max(end, offset + size)
        if length < 8 or at + length > len(head):
            break
        at += length
    return end


def _pe(head: bytes) -> int:
    """Where the last section ends."""
    if head[:2] != b"MZ":
        return 0
    start = int.from_bytes(head[60:64], "little")
    if head[start : start + 4] != b"PE\0\0":
        return 0
    count = int.from_bytes(head[start + 6 : start + 8], "little")
    sections = start + 24 + int.from_bytes(head[start + 20 : start + 22], "little")
    end = 0
    for at in range(sections, min(sections + 40 * count, len(head) - 39), 40):
        length, offset = (int.from_bytes(head[at + i : at + i + 4], "little") for i in (16, 20))
        end = max(end, offset + length)
    return end
