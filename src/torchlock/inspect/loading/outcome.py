"""What comes of loading a library: the words that the three loaders answer in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.runtime import files
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from torchlock.inspect.binaries import Binary
    from torchlock.inspect.binaries.binary import Symbols

# More symbols times libraries than all extension modules of an environment have.
_LOOKUPS = 5_000_000


class MissingLibrary(NamedTuple):
    """A library that is found nowhere: its name, the path of the one that asks for it."""

    name: str
    wanted_by: str


class UndefinedSymbol(NamedTuple):
    """A symbol that a library uses, and nothing that is loaded defines."""

    symbol: str
    wanted_by: str


class MissingVersion(NamedTuple):
    """A symbol version (``GLIBC_2.34``) that the library there does not define; ``newest`` is what it has."""

    version: str
    provider: str
    wanted_by: str
    newest: str = ""


class ShadowedLibrary(NamedTuple):
    """A library taken from a folder of LD_LIBRARY_PATH, in place of the one that it would be else."""

    name: str
    taken: str
    meant: str


class NotExamined(NamedTuple):
    """A library that was not examined: its name, the path of the one that needs it, and why."""

    name: str
    wanted_by: str
    why: Unknown


class Outcome(NamedTuple):
    """What comes of loading one library, with all that it needs. ``unreadable`` is the library itself.

    ``unseen`` are libraries that may be missing, or may lack what is used: it is unknown.
    """

    path: str
    missing: tuple[MissingLibrary, ...] = ()
    undefined: tuple[UndefinedSymbol, ...] = ()
    versions: tuple[MissingVersion, ...] = ()
    shadowed: tuple[ShadowedLibrary, ...] = ()
    unreadable: Unreadable | None = None
    unseen: tuple[NotExamined, ...] = ()

    @property
    def loads(self) -> bool:
        """Whether nothing that was examined keeps it from loading."""
        return not (self.missing or self.undefined or self.versions or self.unreadable)

    @property
    def answer(self) -> bool | Unknown:
        """Whether it loads, as far as all that it needs was examined."""
        if not self.loads:
            return False
        return self.unseen[0].why if self.unseen else True


class Lookups:
    """The budget of one process: how many symbols are looked up in how many libraries."""

    def __init__(self) -> None:
        self._left = _LOOKUPS

    @property
    def spent(self) -> bool:
        """Whether no more are done: what is not looked up stays unknown."""
        return self._left < 0

    def defines(self, symbols: Symbols | Unreadable, name: str, version: str = "") -> bool | Unreadable:
        """As ``Symbols.defines``; Unreadable, which is true as a condition, where the budget is spent."""
        if isinstance(symbols, Unreadable):
            return symbols
        self._left -= 1
        if self.spent:
            return Unreadable("", f"more than {_LOOKUPS} symbols would have to be looked up", unknown=True)
        return symbols.defines(name, version)


def unknown_file(found: Unreadable, path: str, wanted_by: str) -> NotExamined | None:
    """A library that we cannot read, though a loader may; None if no loader can.

    ``path`` is where it lies: there may be no permission to read it, which its user has.
    """
    name = os.path.basename(found.path)
    if found.unknown:
        return NotExamined(name, wanted_by, Unknown(f"it cannot be read: {found.reason}"))
    if files.is_file(path) and not os.access(path, os.R_OK):
        return NotExamined(name, wanted_by, Unknown("there is no permission to read it"))
    return None


def without_symbols(binary: Binary, reason: Unreadable) -> NotExamined:
    """A library whose symbol table cannot be read, so that what it uses is unknown."""
    because = f"its symbols cannot be read: {reason.reason}"
    return NotExamined(os.path.basename(binary.path), binary.path, Unknown(because))
