"""The headers of a shared library: the values that its three formats are read into."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

Format = Literal["elf", "macho", "pe"]


class Needed(NamedTuple):
    """A library that another one needs by name.

    ``weak`` may be absent; ``delayed`` is looked for only when it is first called (PE). ``reexported`` offers its
    symbols as those of the library that needs it (Mach-O).
    """

    name: str
    weak: bool = False
    delayed: bool = False
    reexported: bool = False


class VersionNeed(NamedTuple):
    """An ELF symbol version that must be defined: ``GLIBC_2.28`` of ``libc.so.6``; a ``weak`` one is optional."""

    file: str
    version: str
    weak: bool = False


class Reference(NamedTuple):
    """A symbol that is used and not defined.

    ``version`` is ELF's (``GLIBCXX_3.4.21``); ``library`` the needed name that must have it (PE, Mach-O, and
    ELF where it is versioned), "" where any may. ``weak`` may stay undefined. ``ordinal`` is that of a PE
    import without name.
    """

    name: str
    version: str = ""
    library: str = ""
    weak: bool = False
    ordinal: int | None = None


class Truncation(NamedTuple):
    """Something that ends beyond the end of the file, so that a part of the file is lost.

    ``what`` is ``segment`` (ELF, Mach-O) or ``section`` (PE), which the loader maps; ``symbols``; or
    ``section table``, which no loader reads.
    """

    what: str
    end: int
    size: int


class Symbols(Protocol):
    """The dynamic symbols of one library."""

    @property
    def undefined(self) -> tuple[Reference, ...] | Unreadable:
        """The symbols that it uses of other libraries; Unreadable if they are more than the limit."""

    def defines(self, name: str, version: str = "") -> bool | Unreadable:
        """Whether a loader finds this name here; ``version`` is ELF's.

        Unreadable, which is true as a condition, if its tables need too much work.
        """


@dataclass(eq=False)
class Binary:
    """A shared library or a program, as its headers describe it.

    ``machine`` is ``x86_64``, ``aarch64``, … (ELF), ``arm64``, ``x86_64`` (Mach-O), ``amd64``, ``arm64``,
    ``win32`` (PE); ``machines`` are all that a universal file has. ``soname`` is the name by which others
    ask for it: SONAME, install name, or the name in the export table. ``rpath`` is DT_RPATH or LC_RPATH,
    ``runpath`` DT_RUNPATH; both unexpanded. ``interpreter`` is the loader that an ELF program names.
    ``least_macos`` is the release of macOS that a Mach-O file is for. ``executable_stack``: an ELF file asks
    for a stack from which code runs; ``is_aligned``: its segments have the alignment that they name.
    """

    path: str
    format: Format
    machine: str
    bits: int
    machines: tuple[str, ...] = ()
    needed: tuple[Needed, ...] = ()
    soname: str = ""
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    interpreter: str = ""
    no_default_folders: bool = False
    version_needs: tuple[VersionNeed, ...] = ()
    version_definitions: tuple[str, ...] = ()
    truncated: tuple[Truncation, ...] = ()
    least_macos: tuple[int, int] | None = None
    executable_stack: bool = False
    is_aligned: bool = True
    read_symbols: Callable[[], Symbols | Unreadable] = field(
        default=lambda: Unreadable("", "has no symbols"), repr=False
    )

    @property
    def cut(self) -> str:
        """How a file that a loader cannot map is truncated; "" for a complete one, as far as a loader needs it."""
        lost = next((each for each in self.truncated if each.what != "section table"), None)
        return f"cut off at byte {lost.size} of {lost.end}" if lost else ""

    @cached_property
    def symbols(self) -> Symbols | Unreadable:
        """Its dynamic symbols, read on first use."""
        return self.read_symbols()
