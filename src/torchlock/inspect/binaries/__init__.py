"""Shared libraries of every platform, as their loaders read them; no library is run or mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.inspect.binaries.binary import Binary
from torchlock.inspect.machine import HEAD
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from torchlock.inspect.binaries.raw import Raw

__all__ = ["Binary", "read_binary"]

_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")


def read_binary(path: str, machine: str = "") -> Binary | Unreadable:
    """Read the headers of a library; of a universal library, the slice for ``machine``, else the first slice.

    Never raises: a file that is not a library, or has contradictory headers, is Unreadable.
    """
    from torchlock.inspect.binaries.raw import Broken, Raw, unreadable

    try:
        with Raw(path) as raw:
            return _read(path, raw, machine)
    except (Broken, OSError, ValueError, MemoryError) as error:
        return unreadable(path, error)


def _read(path: str, raw: Raw, machine: str) -> Binary | Unreadable:
    head = raw.some(0, HEAD)
    if head[:4] == b"\x7fELF":
        from torchlock.inspect.binaries.elf import read_elf

        return read_elf(path, raw, head)
    if head[:4] in _MACH_O:
        from torchlock.inspect.binaries.macho import read_macho

        return read_macho(path, raw, head, machine)
    if head[:2] == b"MZ":
        from torchlock.inspect.binaries.pe import read_pe

        return read_pe(path, raw, head)
    return Unreadable(path, "is not a library")
