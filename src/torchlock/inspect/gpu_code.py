"""The GPU code in a library for CUDA, from the headers of the fat binaries that nvcc puts into it.

A fat binary is a header (magic number, version 1, its own size, the size of what follows) and entries. Each entry
begins with its kind (1: PTX, 2: machine code), the sizes of its header and of its code, and its architecture. The
code may be compressed; the headers are not. cuobjdump reads the same headers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"\x50\xed\x55\xba"
_HEADER = struct.Struct("<4sHHQ")
_ENTRY = struct.Struct("<HHIQIIHHI")
_KINDS = {1: "compute", 2: "sm"}
# The libraries of the companions have at most 10 MB.
_LARGEST = 256 << 20


def gpu_code(path: str) -> frozenset[str] | Unknown:
    """The code in a library as ``sm_80`` and ``compute_90``; unknown if it cannot be read, or has none."""
    try:
        data = files.read(path, _LARGEST + 1)
    except OSError as error:
        return Unknown(f"{path} cannot be read ({error.strerror or error})")
    if len(data) > _LARGEST:
        return Unknown(f"{path} is larger than {_LARGEST >> 20} MB")
    found = frozenset(_code(data))
    return found or Unknown(f"{path} has no GPU code that could be read")


def _code(data: bytes) -> Iterator[str]:
    """The code of all fat binaries; the search continues behind each, so that no byte is read twice."""
    start = data.find(_MAGIC)
    while start >= 0:
        end = start + len(_MAGIC)
        if start + _HEADER.size <= len(data):
            _, version, size, length = _HEADER.unpack_from(data, start)
            if version == 1 and size >= _HEADER.size and start + size + length <= len(data):
                end = start + size + length
                yield from _entries(data, start + size, end)
        start = data.find(_MAGIC, end)


def _entries(data: bytes, at: int, end: int) -> Iterator[str]:
    while at + _ENTRY.size <= end:
        kind, _, size, length, _, _, _, _, arch = _ENTRY.unpack_from(data, at)
        if size < _ENTRY.size or not 10 <= arch < 1000:
            return
        if kind in _KINDS:
            yield f"{_KINDS[kind]}_{arch}"
        at += size + length
