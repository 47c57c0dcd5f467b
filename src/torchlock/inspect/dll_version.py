"""The version of a DLL, from its resources (VS_FIXEDFILEINFO)."""

from __future__ import annotations

import struct

from torchlock.runtime import files

_SIGNATURE = struct.pack("<II", 0xFEEF04BD, 0x00010000)
_LARGEST = 4 << 20


def version_of_dll(path: str) -> tuple[int, int] | None:
    """The first two numbers of a DLL's file version; None if it has none, or cannot be read."""
    try:
        data = files.read(path, _LARGEST)
    except OSError:
        return None
    at = data.find(_SIGNATURE)
    if at < 0 or at + 16 > len(data):
        return None
    (numbers,) = struct.unpack_from("<I", data, at + 8)
    return numbers >> 16, numbers & 0xFFFF
