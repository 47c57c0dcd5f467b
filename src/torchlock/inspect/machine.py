"""The machine a library was built for, from the first bytes of the file."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from torchlock.patterns import pattern
from torchlock.runtime import files

# As many bytes as it takes.
HEAD = 4096

_ELF: Final = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 21: "ppc64le", 22: "s390x", 243: "riscv64"}
_MACH_O: Final = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_PE: Final = {0x8664: "amd64", 0xAA64: "arm64", 0x14C: "win32"}


class Machine(NamedTuple):
    """``system`` is linux, macos or windows; ``machines`` are several in a universal Mach-O file."""

    system: str
    machines: tuple[str, ...]


def machine_of(head: bytes) -> Machine | None:
    """Read ELF, Mach-O and PE headers; None for anything else, or for a machine that Python never had."""
    if head[:4] == b"\x7fELF":
        order: Literal["big", "little"] = "big" if head[5:6] == b"\x02" else "little"
        return _known("linux", _ELF, [int.from_bytes(head[18:20], order)])
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"):
        return _known("macos", _MACH_O, [int.from_bytes(head[4:8], "little")])
    if head[:4] in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"):
        return _universal(head)
    if head[:2] == b"MZ":
        start = int.from_bytes(head[60:64], "little")
        if head[start : start + 4] == b"PE\0\0":
            return _known("windows", _PE, [int.from_bytes(head[start + 4 : start + 6], "little")])
    return None


def machine_in(path: str) -> Machine | None:
    """The machine that a file was built for, by its header; None if it cannot be read or does not say."""
    try:
        return machine_of(files.read(path, HEAD))
    except (OSError, ValueError):
        return None


def _universal(head: bytes) -> Machine | None:
    """A table of slices; Java classes begin with the same four bytes, but would name dozens of slices."""
    count, width = int.from_bytes(head[4:8], "big"), 32 if head[3] == 0xBF else 20
    if not 0 < count < 20:
        return None
    return _known("macos", _MACH_O, [int.from_bytes(head[8 + width * i :][:4], "big") for i in range(count)])


def _known(system: str, names: dict[int, str], numbers: list[int]) -> Machine | None:
    found = tuple(names[number] for number in numbers if number in names)
    return Machine(system, found) if found else None


class Suffix(NamedTuple):
    """What the name of an extension module says of the Python that it is for; empty where it says nothing."""

    python: str = ""
    threads: bool = False
    platform: str = ""


_UNIX = pattern(r"\.(?:cpython|pypy)-?(\d)(\d+)([a-z]*)(?:-pp\d+)?(?:-([\w-]+))?\.so$")
_WINDOWS = pattern(r"\.(?:cp|pypy)(\d)(\d+)(t?)(?:-pp\d+)?-(win\w+)\.pyd$")


def suffix_of(name: str) -> Suffix | None:
    """Read ``_C.cpython-311-x86_64-linux-gnu.so``, ``_C.cpython-312-darwin.so``, ``_C.cp311-win_amd64.pyd``."""
    match = _WINDOWS.search(name) or _UNIX.search(name)
    if match is None:
        return None
    return Suffix(f"{match[1]}.{match[2]}", "t" in match[3], _platform(match[4] or ""))


def _platform(triplet: str) -> str:
    """``x86_64-linux-gnu`` as ``sysconfig`` spells it; macOS names no machine there."""
    if "linux" in triplet:
        machine = triplet.partition("-")[0]
        return f"linux-{ {'i386': 'i686', 'arm': 'armv7l', 'powerpc64le': 'ppc64le'}.get(machine, machine) }"
    return triplet.replace("_", "-")
