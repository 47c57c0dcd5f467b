"""What comes of loading a library: the words that the three loaders answer in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.inspect import files

if TYPE_CHECKING:
    from torchlock.inspect.binaries import Binary
    from torchlock.inspect.files import Unreadable


class Missing(NamedTuple):
    """A library that is found nowhere: its name, the path of the one that asks for it."""

    name: str
    wanted_by: str


class Undefined(NamedTuple):
    """A symbol that a library uses, and nothing that is loaded defines."""

    symbol: str
    wanted_by: str


class Unmet(NamedTuple):
    """A symbol version (``GLIBC_2.34``) that the library there does not define; ``newest`` is what it has."""

    version: str
    provider: str
    wanted_by: str
    newest: str = ""


class Shadowed(NamedTuple):
    """A library taken from a folder of LD_LIBRARY_PATH, in place of the one that it would be else."""

    name: str
    taken: str
    meant: str


class Unseen(NamedTuple):
    """A library that was not examined: its name, the path of the one that needs it, and why."""

    name: str
    wanted_by: str
    why: Unknown


class Outcome(NamedTuple):
    """What comes of loading one library, with all that it needs. ``unreadable`` is the library itself.

    ``unseen`` are libraries that may be missing, or may lack what is used: it is unknown.
    """

    path: str
    missing: tuple[Missing, ...] = ()
    undefined: tuple[Undefined, ...] = ()
    versions: tuple[Unmet, ...] = ()
    shadowed: tuple[Shadowed, ...] = ()
    unreadable: Unreadable | None = None
    unseen: tuple[Unseen, ...] = ()

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


def is_closed(path: str) -> bool:
    """Whether a file exists that we have no permission to read, though the owner may have it."""
    return files.is_file(path) and not os.access(path, os.R_OK)


def closed(path: str, wanted_by: str) -> Unseen:
    """A library at this path that we have no permission to read."""
    return Unseen(os.path.basename(path), wanted_by, Unknown("there is no permission to read it"))


def without_symbols(binary: Binary, reason: Unreadable) -> Unseen:
    """A library whose symbol table cannot be read, so that what it uses is unknown."""
    because = f"its symbols cannot be read ({reason.reason})"
    return Unseen(os.path.basename(binary.path), binary.path, Unknown(because))
