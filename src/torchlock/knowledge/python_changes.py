"""What later releases of Python no longer have or refuse, and earlier ones lack (``compat_data/python.toml``)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from torchlock.knowledge import tables


class Change(NamedTuple):
    """A change of Python: the first release with it (``3.13``), what it is about, and its sources.

    ``what`` is the dotted name of a module or a function that came or went, or words for code.
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


def added(name: str) -> Change | None:
    """The addition of a module or a name of the standard library; None if no release is known that added it."""
    row = _table()["added"].get(name)
    return None if row is None else Change(row[0], name, tuple(row[1]))


def newer_code(error: str, code: str) -> Change | None:
    """What earlier Pythons do not understand in a line of code, by their error; None if none is known."""
    for release, pattern, of_code, text, sources in _table()["newer"]:
        if re.search(pattern, error) and (not of_code or re.search(of_code, code)):
            return Change(release, text, tuple(sources))
    return None


def backport(module: str) -> str:
    """The project on the public index that brings a removed module back; "" if none is known."""
    name: str = _table()["backports"].get(module, "")
    return name


def _table() -> dict[str, Any]:
    return tables.load_compiled("python.json")
