"""A package of a lock and its files, as fetch reads them from every format."""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """A file that a lock names by its address. ``hashes`` are ``algorithm:digest``."""

    filename: str
    url: str
    hashes: tuple[str, ...]
    size: int | None = None


class LockedPackage(NamedTuple):
    """One package of a lock: its files, or the hashes by which an index knows its files.

    ``number`` is its place in the order of the lock; ``path`` and ``line`` (0: unknown) say where it is, which may
    be an included file. ``files`` is empty for a package that an index is asked for.
    """

    name: str
    version: str
    path: str
    line: int
    number: int
    marker: str = ""
    extras: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    files: tuple[Listed, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()
