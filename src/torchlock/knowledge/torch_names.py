"""The names of torch by release: from its wheels (``compat_data/names/torch.json``), and from documents."""

from __future__ import annotations

from functools import cache
from typing import Any

from packaging.version import Version

from torchlock.knowledge import tables

_SOURCES = ("torch-names-in-wheels",)
# The releases with a name, those without it, and the sources.
Spans = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def spans_of(dotted: str) -> Spans | None:
    """What is known of a name of torch; None if nothing is. What a document says comes first.

    Raises:
        DataError: a bundled table is damaged.
    """
    said = stated(dotted)
    return said if said is not None else measured(dotted)


def is_unloaded(dotted: str) -> bool:
    """Whether it is a module that the import of torch need not import, in one of the releases that have it.

    Raises:
        DataError: a bundled table is damaged.
    """
    return dotted in _table()["unloaded"] and stated(dotted) is None


def stated(dotted: str) -> Spans | None:
    """What ``names.toml`` says of a name; None if it does not have it.

    Raises:
        DataError: a bundled table is damaged.
    """
    rows: dict[str, Any] = tables.load_compiled("names.json")["torch"]
    if dotted not in rows:
        return None
    since, until, sources = rows[dotted]
    known = [(each, Version(each)) for each in _releases()]
    having = tuple(
        each
        for each, version in known
        if not (since and version < Version(since)) and not (until and version >= Version(until))
    )
    return having, tuple(each for each, _ in known if each not in having), tuple(sources)


def measured(dotted: str) -> Spans | None:
    """What the wheels show of a name; None if they do not.

    Raises:
        DataError: a bundled table is damaged.
    """
    table = _table()
    releases = [_series(each) for each in table["releases"]]
    parent, _, last = dotted.rpartition(".")
    for there, lacking, names in table["changed"].get(parent, ()):
        if last in names.split():
            return _named(releases, there), _named(releases, lacking), _SOURCES
    if last in table["always"].get(parent, "").split():
        return tuple(releases), (), _SOURCES
    return _of_lost_parent(parent)


def _of_lost_parent(parent: str) -> Spans | None:
    """What is known of a part of something that torch removed; a part of something new may be newer still."""
    if "." not in parent:
        return None
    found = spans_of(parent)
    is_removed = found is not None and found[0] and found[1] and Version(found[0][-1]) < Version(found[1][-1])
    return found if is_removed else None


def _named(releases: list[str], spans: Any) -> tuple[str, ...]:
    return tuple(releases[at] for first, last in spans for at in range(first, last + 1))


def _series(version: str) -> str:
    parsed = Version(version).release
    return f"{parsed[0]}.{parsed[1] if len(parsed) > 1 else 0}"


@cache
def _releases() -> tuple[str, ...]:
    rows = tables.load_json(tables.ROOT / "releases" / "torch.json")["releases"]
    return tuple(dict.fromkeys(_series(each) for each in rows if not Version(each).is_prerelease))


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = tables.load_json(tables.ROOT / "names" / "torch.json")
    return table
