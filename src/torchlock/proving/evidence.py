"""What was read from a wheel: the values that ``reading`` gives and ``deciding`` takes."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A library that the builders of a wheel renamed keeps the name by which others ask for it (SONAME).
_HASHED = re.compile(r"(lib[\w+.-]{1,60})-[0-9a-f]{8}(\.so[\d.]{0,12})")


class Wheel(NamedTuple):
    """A wheel that was read. ``version`` is without a label; ``build`` is None if it is not known."""

    package: str
    version: str
    platform: str
    build: str | None
    file: str
    sha256: str
    date: str


class TorchWheel(NamedTuple):
    """What a wheel of torch offers: libraries by their names, and the symbols that its own libraries export.

    ``libraries`` are in the wheel, or its libraries need them: they are loaded once torch is; so are those that it
    opens by path, which are patterns (``libnvrtc.so.*[0-9]``). A symbol is written as in ``Library.symbols``.
    ``alike`` are the tags of the wheels for other Pythons that show the same (``cp311-cp311``).
    """

    wheel: Wheel
    libraries: frozenset[str]
    exports: frozenset[str]
    alike: tuple[str, ...] = ()


class Library(NamedTuple):
    """A library that the import of a companion opens, or that such a library needs from the same wheel.

    ``role`` is that of ``knowledge.stack.Opened``: ``import``, ``optional`` or ``choice``. ``needed`` are the
    names of libraries that the wheel does not have; ``symbols`` what it uses of libraries outside of the wheel, if
    it must be there: an ELF name without version (``at_tensor``), or on Windows and macOS a library and a name
    (``torch_cpu.dll!name``; ``!name`` if any library may have it). ``group`` divides choices for different FFmpeg
    versions from each other.
    """

    name: str
    role: str
    needed: tuple[str, ...]
    symbols: tuple[str, ...]
    group: str = ""


class CompanionWheel(NamedTuple):
    """What a wheel of a companion needs.

    ``compares`` says which CUDA version its import compares with that of torch: ``""`` (none), ``major`` or
    ``minor``. ``floors`` are the newest versions that its libraries need: GLIBC, GLIBCXX, CXXABI, macOS. ``alike``
    is as for torch.
    """

    wheel: Wheel
    libraries: tuple[Library, ...]
    compares: str
    floors: Mapping[str, str]
    alike: tuple[str, ...] = ()


_Read = TypeVar("_Read", TorchWheel, CompanionWheel)


def by_release(rows: Iterable[_Read]) -> dict[str, list[_Read]]:
    """The wheels of each release, oldest first; of one release that for most Pythons first."""
    found: dict[str, list[_Read]] = {}
    for row in sorted(rows, key=lambda each: (Version(each.wheel.version), -len(each.alike), each.wheel.file)):
        found.setdefault(row.wheel.version, []).append(row)
    return found


@cache
def cuda_of(build: str | None) -> str:
    """``13.0`` of ``cu130``; "" for every other build, and for one that is not known."""
    match = re.fullmatch(r"cu(\d+)(\d)", build or "")
    return f"{match[1]}.{match[2]}" if match else ""


def without_hash(library: str) -> str:
    """``libgomp.so.1`` of ``libgomp-a34b3233.so.1``."""
    match = _HASHED.fullmatch(library)
    return match[1] + match[2] if match else library
