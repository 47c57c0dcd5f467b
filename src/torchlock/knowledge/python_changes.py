"""What later releases of Python no longer have, or refuse (``compat_data/python.toml``)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from torchlock.knowledge import tables


class Change(NamedTuple):
    """A change of Python: the first release with it (``3.13``), what it is about, and its sources.

    ``what`` is the dotted name of a removed module or function, or words for code that is refused.
    """

    release: str
    what: str
    sources: tuple[str, ...]


def removed(name: str) -> Change | None:
    """The removal of a module or a name of the standard library; None if no release is known that removed it."""
    row = _table()["removed"].get(name)
    return None if row is None else Change(row[0], name, tuple(row[1]))


def removed_names() -> frozenset[str]:
    """All modules and names that a release removed."""
    return frozenset(_table()["removed"])


def looked_at() -> frozenset[str]:
    """Projects of audio code outside the stack of which releases import removed modules."""
    return frozenset(_table().get("looked_at", ()))


def refused(line: str) -> Change | None:
    """The change that makes Python print a line; None if none is known."""
    rows = (row for row in _table()["refused"] if re.search(row[1], line))
    return next((Change(row[0], row[2], tuple(row[3])) for row in rows), None)


def backport(module: str) -> str:
    """The project on the public index that brings a removed module back; "" if none is known."""
    name: str = _table()["backports"].get(module, "")
    return name


def _table() -> dict[str, Any]:
    return tables.load_compiled("python.json")
