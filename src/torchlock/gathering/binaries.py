"""The libraries that a compiled member of a wheel asks for: DT_NEEDED of ELF files, imports of PE files."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CUDA_LIBRARY = re.compile(r"(lib)?(torch_cuda|c10_cuda|caffe2_gpu|cudart)[-_.\w]*", re.IGNORECASE)
_PE_IMPORT = re.compile(rb"(?<![\w.-])(?:torch_cuda|c10_cuda|cudart64)[-\w]*\.dll\0", re.IGNORECASE)


def cuda_libraries(binary: bytes) -> list[str]:
    """The CUDA libraries among those that an ELF or PE file asks the loader for."""
    if binary[:4] == b"\x7fELF":
        return [name for name in elf_needed(binary) if _CUDA_LIBRARY.fullmatch(name)]
    if binary[:2] == b"MZ":
        return [match[0].rstrip(b"\0").decode() for match in _PE_IMPORT.finditer(binary)]
    return []


def elf_needed(binary: bytes) -> list[str]:
    """DT_NEEDED of a 64-bit little-endian ELF file; empty for any other."""
    if binary[:6] != b"\x7fELF\x02\x01":
        return []
    try:
        (table,) = struct.unpack_from("<Q", binary, 32)
        entry, count = struct.unpack_from("<HH", binary, 54)
        segments = [struct.unpack_from("<IIQQQQ", binary, table + entry * number) for number in range(count)]
        dynamic = next((segment for segment in segments if segment[0] == 2), None)
        if dynamic is None:
            return []
        entries = list(_dynamic_entries(binary, dynamic[2], dynamic[5]))
        strings = _file_offset(segments, next(value for key, value in entries if key == 5))
        return [_c_string(binary, strings + value) for key, value in entries if key == 1]
    except (struct.error, LookupError, ValueError, StopIteration):
        return []


def _dynamic_entries(binary: bytes, offset: int, size: int) -> Iterator[tuple[int, int]]:
    for at in range(offset, offset + size, 16):
        key, value = struct.unpack_from("<QQ", binary, at)
        if key == 0:
            return
        yield key, value


def _file_offset(segments: Sequence[tuple[int, ...]], address: int) -> int:
    """Where in the file the loaded address lies (PT_LOAD: offset, address, …, size in the file)."""
    for kind, _, offset, start, _, size in segments:
        if kind == 1 and start <= address < start + size:
            return offset + address - start
    raise LookupError(address)


def _c_string(binary: bytes, offset: int) -> str:
    return binary[offset : binary.index(b"\0", offset)].decode("utf-8", "replace")
