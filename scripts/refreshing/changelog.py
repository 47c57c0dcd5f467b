"""What two states of the release files differ in, in sentences for a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from torchlock.gathering.seeds import load_table
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SYSTEMS = (("linux", "Linux"), ("macosx", "macOS"), ("win", "Windows"), ("any", "any platform"))


def changes(before: Path, after: Path) -> list[str]:
    """A sentence for each difference between two folders of release files, the torch family first.

    Raises:
        DataError: a file is damaged.
    """
    names = {path.stem for folder in (before, after) for path in folder.glob("*.json")}
    return [
        sentence
        for name in sorted(names, key=lambda name: (name not in FAMILY, name))
        for sentence in _of_project(name, load_table(before / f"{name}.json"), load_table(after / f"{name}.json"))
    ]


def _of_project(name: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Iterator[str]:
    if after is None or before is None:
        count = len((after or before or {})["releases"])
        what = "not in the data any more" if after is None else "new in the data"
        yield f"{name} is {what} ({_count(count, 'release')})."
        return
    old, new = before["releases"], after["releases"]
    for version in sorted(new.keys() - old.keys(), key=Version):
        yield _new_release(name, version, after, before)
    for version in sorted(old.keys() - new.keys(), key=Version):
        yield f"{name} {version} is not on the index any more."
    for version in sorted(new.keys() & old.keys(), key=Version):
        yield from _of_release(f"{name} {version}", version, before, after)


def _new_release(name: str, version: str, after: dict[str, Any], before: dict[str, Any]) -> str:
    record = after["releases"][version]
    wheels = [after["tags"][at] for at in record["wheels"]]
    date = f" of {record['date']}" if record.get("date") else ""
    what = f"with {_count(len(wheels), 'wheel')} for {_places(wheels)}" if wheels else "without wheels"
    earlier = [each for each in before["releases"] if before["releases"][each]["wheels"]]
    last = max(earlier, key=Version, default=None)
    return f"{name} {version}{date} is new, {what}.{_needs(record, after, before, last)}"


def _needs(
    record: Mapping[str, Any], after: Mapping[str, Any], before: Mapping[str, Any], last: str | None
) -> str:
    """How its requirements differ from those of the newest release so far, for requirements without an extra."""
    if last is None or not record["wheels"]:
        return ""
    was, now = _texts(before, before["releases"][last]), _texts(after, record)
    parts = [
        f"{verb} {', '.join(sorted(texts))}"
        for verb, texts in (("requires", now - was), ("no longer requires", was - now))
        if texts
    ]
    return f" Unlike {last}, it {' and '.join(parts)}." if parts else ""


def _texts(table: Mapping[str, Any], record: Mapping[str, Any]) -> set[str]:
    requires = record.get("requires")
    sets = [
        table["requires"][at] for at in (requires if isinstance(requires, list) else [requires]) if at is not None
    ]
    rows = [[*table["requirements"][at], "", ""][:3] for items in sets for at in items]
    return {f"{name}{specifier}" for name, specifier, marker in rows if "extra" not in marker}


def _of_release(title: str, version: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What changed in a release that was known."""
    old, new = before["releases"][version], after["releases"][version]
    tags = _tags(before, old), _tags(after, new)
    if added := tags[1] - tags[0]:
        yield f"{title} has {_count(len(added), 'new wheel')}: {', '.join(sorted(added))}."
    if lost := tags[0] - tags[1]:
        yield f"{title} lost {_count(len(lost), 'wheel')}: {', '.join(sorted(lost))}."
    if old.get("yanked") != new.get("yanked"):
        reason = f": {new['yanked']}" if new.get("yanked") else ""
        yield f"{title} {'is not yanked any more' if new.get('yanked') is None else f'was yanked{reason}'}."
    if not added and not lost:
        hashes = [{row[0]: row[1] for row in table["files"].get(version, ())} for table in (before, after)]
        if other := sorted(name for name in hashes[0] if hashes[1].get(name, hashes[0][name]) != hashes[0][name]):
            yield f"{title}: the index serves other bytes as {', '.join(other)}. Find out why before you commit."
        elif _texts(before, old) != _texts(after, new):
            yield f"{title}: what its wheels require was read differently."
        elif (old.get("python"), old.get("build")) != (new.get("python"), new.get("build")):
            yield f"{title}: its Python or its build was read differently."


def _tags(table: Mapping[str, Any], record: Mapping[str, Any]) -> set[str]:
    return {table["tags"][at] for at in record["wheels"]}


def _places(tags: list[str]) -> str:
    """``Python 3.10 to 3.14 on Linux and Windows``."""
    minors = sorted({int(found) for tag in tags for found in re.findall(r"cp3(\d+)t?\b", tag.split("-")[0])})
    systems = [name for start, name in _SYSTEMS if any(part.startswith(start) for part in map(_platform, tags))]
    pythons = "every Python"
    if minors:
        pythons = f"Python 3.{minors[0]}" + (f" to 3.{minors[-1]}" if len(minors) > 1 else "")
    *before, last = systems or ["an unknown platform"]
    return f"{pythons} on {', '.join(before)}{' and ' * bool(before)}{last}"


def _platform(tag: str) -> str:
    return tag.rpartition("-")[2].removeprefix("many").removeprefix("musl")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
