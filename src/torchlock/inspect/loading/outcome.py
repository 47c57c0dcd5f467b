"""What comes of loading a library: the words that the three loaders answer in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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


class Outcome(NamedTuple):
    """What comes of loading one library, with all that it needs. ``unreadable`` is the library itself."""

    path: str
    missing: tuple[Missing, ...] = ()
    undefined: tuple[Undefined, ...] = ()
    versions: tuple[Unmet, ...] = ()
    shadowed: tuple[Shadowed, ...] = ()
    unreadable: Unreadable | None = None

    @property
    def loads(self) -> bool:
        """Whether nothing stands against it."""
        return not (self.missing or self.undefined or self.versions or self.unreadable)
