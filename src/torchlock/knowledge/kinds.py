"""What releases of one project have in common, so that they are sorted kind by kind and not one by one.

Two releases are of one kind if they differ only in version, date, requirements and the texts about them. The
catalogue knows 7,000 releases of 3,000 kinds. ``compiled/kinds.json`` has the kinds of the bundled tables, so that
a lock need not parse the tables themselves (see compat_data/README.md).
"""

from __future__ import annotations

import json
import os
from functools import lru_cache

from torchlock.errors import DataError
from torchlock.standards.ordering import are_ordered, is_prerelease, latest, normal
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = "kinds.json"
# The flags of a kind, one letter each.
_SDIST, _YANKED, _INVALID, _EARLY, _UNUSUAL = "syieu"


class Kind:
    """What is equal for releases of one kind.

    ``wheels`` are indexes into the tags of the project. ``python`` is Requires-Python, or that of each wheel;
    ``described`` says which wheels have metadata (None: all). ``has_sdist``; ``is_yanked``; ``is_invalid``: a
    requirement is not valid; ``is_early``: the version is a pre-release; ``is_unusual``: it is not in normal form.
    ``build``: of the torch family, the build of its wheels, or of each wheel.
    """

    __slots__ = (
        *("build", "described", "has_sdist", "is_early", "is_invalid", "is_unusual", "is_yanked", "python"),
        *("tags", "wheels"),
    )

    def __init__(
        self, wheels: list[int], python: Any = None, flags: str = "", described: Any = None, build: Any = None
    ) -> None:
        self.wheels = wheels
        self.tags: list[str] | None = None  # made when they are first asked for
        self.python: str | list[str | None] | None = python
        self.described: list[bool] | None = described
        self.build: str | list[str | None] | None = build
        self.has_sdist = _SDIST in flags
        self.is_yanked = _YANKED in flags
        self.is_invalid = _INVALID in flags
        self.is_early = _EARLY in flags
        self.is_unusual = _UNUSUAL in flags


def digest_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """The kinds of the releases of a table, as JSON.

    ``versions`` are separated by spaces, ``of`` has the kind of each one, ``requires`` its set of requirements, or
    those of each wheel, ``latest`` the latest version; ``ordered``: each version is common, the oldest first.

    Raises:
        KeyError, TypeError, AttributeError: the table is damaged.
    """
    kinds: dict[str, int] = {}
    of = [kinds.setdefault(_row(version, record), len(kinds)) for version, record in table["releases"].items()]
    return {
        **({"build": table["build"]} if "build" in table else {}),
        "tags": table["tags"],
        "versions": " ".join(table["releases"]),
        "kinds": [json.loads(kind) for kind in kinds],
        "of": of,
        "requires": [record.get("requires") for record in table["releases"].values()],
        "latest": latest(list(table["releases"])),
        "ordered": are_ordered(table["releases"]),
    }


def _row(version: str, record: Mapping[str, Any]) -> str:
    """The arguments of the kind of a release, as JSON."""
    given = {
        _SDIST: bool(record.get("sdist")),
        _YANKED: record.get("yanked") is not None,
        _INVALID: bool(record.get("invalid")),
        **_flags_of_version(version),
    }
    stated = record.get("requires")
    described = [each is not None for each in stated] if isinstance(stated, list) and None in stated else None
    flags = "".join(flag for flag, is_set in given.items() if is_set)
    row = [record["wheels"], record.get("python"), flags, described, record.get("build")]
    while row[-1] is None:
        del row[-1]
    return json.dumps(row, separators=(",", ":"))


def _flags_of_version(version: str) -> dict[str, bool]:
    try:
        return {_EARLY: is_prerelease(version), _UNUSUAL: normal(version) != version}
    except ValueError:
        return {_UNUSUAL: True}


class Digests:
    """The digests of the bundled tables. The first line of the file says where each one is."""

    def __init__(self, path: str) -> None:
        self._path = path
        with open(path, "rb") as file:
            self._content = file.read()
        self._start = self._content.index(b"\n")
        self._places: dict[str, list[int]] = json.loads(self._content[: self._start].rstrip(b",") + b"}")["at"]

    def of(self, name: str, size: int) -> dict[str, Any] | None:
        """The digest of the table of a project; None if there is none for a table of this size.

        Raises:
            DataError: the file is damaged.
        """
        of_size, start, end = self._places.get(name, (-1, 0, 0))
        if of_size != size:
            return None
        try:
            digest: dict[str, Any] = json.loads(self._content[self._start + start : self._start + end])
        except ValueError as error:
            raise DataError(f"damaged ({error})", path=self._path) from error
        return digest


@lru_cache(maxsize=2)
def digests(root: str) -> Digests | None:
    """The digests beside a folder of release tables; None if they are not there or cannot be read."""
    try:
        return Digests(os.path.join(os.path.dirname(root), "compiled", TABLE))
    except (OSError, ValueError, KeyError):
        return None


def rendered(found: Mapping[str, tuple[int, dict[str, Any]]]) -> str:
    """The text of the file: by name the size of the table in bytes, and its digest."""
    places, lines, at = {}, [], 1
    for name, (size, digest) in sorted(found.items()):
        text = json.dumps(digest, separators=(",", ":"))
        key = f"{json.dumps(name)}: "
        places[name] = [size, at + len(key), at + len(key) + len(text)]
        lines.append(key + text)
        at += len(lines[-1]) + len(",\n")
    return "\n".join([f'{{"at": {json.dumps(places, separators=(",", ":"))},', ",\n".join(lines) + "}"]) + "\n"
