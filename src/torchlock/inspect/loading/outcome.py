"""The result of loading a library, in the terms that the three loaders share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.runtime import files
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.inspect.binaries import Binary
    from torchlock.inspect.binaries.binary import Reference, Symbols

# More symbols times libraries than all extension modules of an environment need.
_LOOKUPS = 5_000_000


class MissingLibrary(NamedTuple):
    """A library that is not found: its name, and the path of the library that needs it."""

    name: str
    wanted_by: str


class UndefinedSymbol(NamedTuple):
    """A symbol that a library uses, and that no loaded library defines.

    ``provider`` is the path of the library that should define it; "" if any may.
    """

    symbol: str
    wanted_by: str
    provider: str = ""


class MissingVersion(NamedTuple):
    """A symbol version (``GLIBC_2.34``) that the library there does not define.

    ``newest`` is the newest version that it defines.
    """

    version: str
    provider: str
    wanted_by: str
    newest: str = ""


class ShadowedLibrary(NamedTuple):
    """A library loaded from a folder of LD_LIBRARY_PATH, instead of the one that would be loaded without it."""

    name: str
    taken: str
    meant: str


class Refusal(NamedTuple):
    """A whole library that the glibc of the machine does not map.

    ``stack``: it asks for an executable stack; else its segments have not the alignment that they name.
    """

    path: str
    stack: bool
    glibc: tuple[int, ...]


class NotExamined(NamedTuple):
    """A library that was not examined: its name, the path of the library that needs it, and the reason.

    ``is_unfound``: no folder that is known to be searched has it.
    """

    name: str
    wanted_by: str
    why: Unknown
    is_unfound: bool = False


class Outcome(NamedTuple):
    """The result of loading one library, with all its dependencies.

    ``unreadable`` is the library itself. ``unseen`` are libraries that may be missing, or may lack used symbols:
    it is unknown.
    """

    path: str
    missing: tuple[MissingLibrary, ...] = ()
    undefined: tuple[UndefinedSymbol, ...] = ()
    versions: tuple[MissingVersion, ...] = ()
    shadowed: tuple[ShadowedLibrary, ...] = ()
    unreadable: Unreadable | None = None
    unseen: tuple[NotExamined, ...] = ()
    refused: Refusal | None = None

    @property
    def loads(self) -> bool:
        """Whether no examined fact prevents loading."""
        return not (self.missing or self.undefined or self.versions or self.unreadable or self.refused)

    @property
    def answer(self) -> bool | Unknown:
        """Whether it loads; unknown if some of its dependencies were not examined."""
        if not self.loads:
            return False
        return self.unseen[0].why if self.unseen else True


class Lookups:
    """The budget of one process: how many symbols may be looked up, in how many libraries."""

    def __init__(self) -> None:
        self._left = _LOOKUPS

    @property
    def spent(self) -> bool:
        """Whether the budget is spent: symbols not looked up stay unknown."""
        return self._left < 0

    def defines(self, symbols: Symbols | Unreadable, name: str, version: str = "") -> bool | Unreadable:
        """As ``Symbols.defines``; Unreadable, which is true as a condition, if the budget is spent."""
        if isinstance(symbols, Unreadable):
            return symbols
        self._left -= 1
        if self._left < 0:
            return self._unread()
        return symbols.defines(name, version)

    def lacked(
        self, symbols: Symbols | Unreadable, references: Sequence[Reference]
    ) -> tuple[Sequence[Reference], Unreadable | None]:
        """The references that a library does not define, and why it may define the others, if that is unknown."""
        if isinstance(symbols, Unreadable):
            return (), symbols
        self._left -= len(references)
        if self._left < 0:
            return (), self._unread()
        from torchlock.inspect.binaries.elf_symbols import lacked

        return lacked(symbols, references)

    @staticmethod
    def _unread() -> Unreadable:
        return Unreadable("", f"more than {_LOOKUPS} symbols would have to be looked up", unknown=True)


def unknown_file(found: Unreadable, path: str, wanted_by: str) -> NotExamined | None:
    """A library that we cannot read, though a loader may; None if no loader can.

    ``path`` is its path: its user may have the permission to read it that we lack.
    """
    name = os.path.basename(found.path)
    if found.unknown:
        return NotExamined(name, wanted_by, Unknown(f"it cannot be read: {found.reason}"))
    if files.is_file(path) and not os.access(path, os.R_OK):
        return NotExamined(name, wanted_by, Unknown("there is no permission to read it"))
    return None


def without_symbols(binary: Binary, reason: Unreadable) -> NotExamined:
    """A library whose symbol table cannot be read, so the symbols that it uses are unknown."""
    because = f"its symbols cannot be read: {reason.reason}"
    return NotExamined(os.path.basename(binary.path), binary.path, Unknown(because))
