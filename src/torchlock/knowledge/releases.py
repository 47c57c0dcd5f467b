"""Releases, and the bundled catalogue of them: a snapshot of the public index on the date of the data."""

from __future__ import annotations

import os
import re
from functools import cached_property

from torchlock.answers import Unknown
from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.release_table import Table
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.standards.filenames import platform_in
from torchlock.standards.index_file import File
from torchlock.typed import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
    from pathlib import Path

    from torchlock.answers import Unknown
    from torchlock.knowledge.kinds import Kind
    from torchlock.knowledge.overlay import Overlay
    from torchlock.knowledge.rules import Statement
    from torchlock.standards.dependency import Dependency

# The file with the date of the data.
DATE = "DATE"
# The origin of an sdist's requirements, if its wheels all declare the same ones.
OF_WHEELS = "its wheels for other targets, which all declare the same"


def are_various(tags: Sequence[str]) -> bool:
    """Whether wheels with these tags were built for several platforms or several versions of Python 3.

    A requirement that all of them declare very likely does not depend on the machine.
    """
    parts = [tag.split("-") for tag in tags]
    modern = {(part[0], part[-1]) for part in parts if re.search(r"(?:^|\.)(?:cp|py)3", part[0])}
    return len({python for python, _ in modern}) > 1 or len({platform for _, platform in modern}) > 1


class Provenance(NamedTuple):
    """Where the releases of a project come from.

    ``where`` names the indexes that were asked; "" for the public index. ``as_of`` is the date of a snapshot of it
    (YYYY-MM-DD), or "" if the index was asked just now. ``unasked`` names a source that may have more releases but
    was not asked. ``folder`` names the folder of the PyTorch index that alone counts for the project, or is "".
    """

    where: str = ""
    as_of: str = ""
    unasked: str = ""
    folder: str = ""

    @property
    def dated(self) -> str:
        """`` in FOLDER as of DATE``, to end a statement about existing releases.

        Without a date if the index was asked just now.
        """
        return (f" in {self.folder}" if self.folder else "") + (f" as of {self.as_of}" if self.as_of else "")


class Release(Protocol):
    """One release of a project, as one index or the bundled catalogue serves it.

    Methods take a wheel by its index in ``tags``, the (compressed) tag parts of the wheels' names; -1 is the
    source distribution. ``origin`` names the file with its requirements. ``live``: its dependencies are read over
    the network. ``unversioned``: its version is unknown (a repository, for example), and it satisfies every
    requirement. ``shape`` is equal for releases whose wheels have the same tags and the same Requires-Python, and
    of which the same wheels have metadata; None if that is not known. ``kind`` is equal for releases that also are
    alike in all that candidates depend on, except for their uploads. ``unproven`` says why the data do not cover
    a wheel of the torch family; ``statements`` are facts that were read from that wheel.
    """

    unversioned: bool
    name: str
    version: str

    @property
    def live(self) -> bool: ...
    @property
    def shape(self) -> Hashable: ...
    @property
    def kind(self) -> Kind | None: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def yanked(self) -> str | None: ...
    @property
    def date(self) -> str: ...
    @property
    def has_sdist(self) -> bool: ...
    @property
    def invalid(self) -> Sequence[str]: ...
    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]: ...
    def requires_python(self, wheel: int) -> str: ...
    def build(self, wheel: int) -> str | Unknown | None: ...
    def unproven(self, wheel: int) -> Unknown | None: ...
    def statements(self, wheel: int) -> Sequence[Statement]: ...
    def dependencies(self, wheel: int) -> list[Dependency] | Unknown: ...
    def origin(self, wheel: int) -> str: ...
    def files(self) -> list[File]: ...


class CatalogueRelease:
    """One release of a project as the bundled catalogue holds it (see ``Release``)."""

    __slots__ = ("_names", "_table", "kind", "name", "number", "version")

    live = False
    unversioned = False

    def __init__(self, table: Table, number: int, kind: Kind, names: Collection[str] | None = None) -> None:
        self._table = table
        self.number = number
        self._names = names
        self.kind = kind
        self.name: str = table.name
        self.version = table.versions[number]

    def among(self, names: Collection[str]) -> CatalogueRelease:
        """The same release without its requirements on any other packages than these."""
        return CatalogueRelease(self._table, self.number, self.kind, names)

    @property
    def shape(self) -> Hashable:
        """What ``ranks`` and ``requires_python`` depend on (see ``Release``)."""
        return self.kind

    @property
    def _requires(self) -> int | list[int | None] | None:
        """The number of the set of requirements, or those of each wheel."""
        return self._table.requires[self.number]

    @property
    def _record(self) -> dict[str, Any]:
        return self._table.record(self.number)

    @property
    def tags(self) -> Sequence[str]:
        """The tag part of each wheel's name."""
        kind = self.kind
        if kind.tags is None:
            tags = self._table.tags
            kind.tags = [tags[index] for index in kind.wheels]
        return kind.tags

    def by_metadata(self) -> list[tuple[int, list[str]]]:
        """The tags of the wheels with the same requirements and Requires-Python, each with the first of them."""
        tags, stated = list(self.tags), (self._requires, self.kind.python)
        if not any(isinstance(each, list) for each in stated):
            return [(0, tags)] if tags else []
        groups: dict[tuple[Any, ...], tuple[int, list[str]]] = {}
        for wheel, text in enumerate(tags):
            key = tuple(_of_wheel(each, wheel) for each in stated)
            groups.setdefault(key, (wheel, []))[1].append(text)
        return list(groups.values())

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        """The rank of each of ``tags``; None for a wheel that does not install, or has no metadata.

        For the PyTorch index, missing requirements do not mean that the wheel has no metadata.
        """
        if self._table.fitting(rank).isdisjoint(self.kind.wheels):
            return [None] * len(self.kind.wheels)
        ranks = self._table.ranks(rank)
        found = [ranks[index] for index in self.kind.wheels]
        if self.kind.described is not None and self._table.build is None:
            return [rank if known else None for rank, known in zip(found, self.kind.described, strict=True)]
        return found

    @property
    def yanked(self) -> str | None:
        """The reason for yanking the release (PEP 592; may be empty), or None."""
        if not self.kind.is_yanked:
            return None
        reason = self._record["yanked"]
        return "" if reason is True else str(reason)

    @property
    def date(self) -> str:
        """The date of the first upload, YYYY-MM-DD, or an empty string."""
        return str(self._record.get("date", ""))[:10]

    @property
    def has_sdist(self) -> bool:
        return self.kind.has_sdist

    @property
    def invalid(self) -> Sequence[str]:
        """Declared requirements that are not valid."""
        if not self.kind.is_invalid:
            return ()
        invalid: Sequence[str] = self._record["invalid"]
        return invalid

    def requires_python(self, wheel: int) -> str:
        """Requires-Python of the wheel with this index in ``tags`` (-1: the sdist), or an empty string."""
        return _of_wheel(self.kind.python, wheel) or ""

    def build(self, wheel: int) -> str | Unknown | None:
        """The build of a wheel (``cpu``, ``cu130``, …).

        None outside of the torch family, for an sdist (-1), and for a wheel without compiled code.
        """
        build = _of_wheel(self.kind.build, wheel)
        if build is not None:
            return str(build)
        if self.name not in FAMILY or wheel < 0 or self.tags[wheel].endswith("-any"):
            return None
        if self._table.build:
            return self._table.build
        return Unknown("its build was not available when the catalogue was made")

    def unproven(self, wheel: int) -> Unknown | None:
        """Why the data do not cover this wheel: its build is not recorded, or it is not proven what the release
        works with. None if they cover it.
        """
        if self.lacks and (why := self.lack_on(self.tags[wheel] if wheel >= 0 else "")):
            return Unknown(why)
        build = self.build(wheel)
        return build if isinstance(build, Unknown) else None

    @property
    def is_judged(self) -> bool:
        """Whether the data say what this release works with, on any platform."""
        return not self.lacks or not all(map(self.lack_on, self.tags or ("",)))

    @property
    def lacks(self) -> Mapping[str, str]:
        """Why it is not known what this release works with, by platform; with "" as the key: anywhere."""
        return self._table.unproven.get(self.version, {})

    def lack_on(self, tags: str) -> str:
        """Why it is not known what a wheel with these tags works with; "" if nothing is missing."""
        return (self.lacks.get("") or self.lacks.get(platform_in(tags), "")) if self.lacks else ""

    def statements(self, wheel: int) -> Sequence[Statement]:
        """Empty: the facts about catalogue releases are in the rules."""
        return ()

    def dependencies(self, wheel: int) -> list[Dependency] | Unknown:
        """Requires-Dist of a wheel, or of the sdist (-1); for an sdist the index may be asked.

        Raises:
            TorchlockError: the index cannot be asked, or its answer is not valid.
        """
        index = _of_wheel(self._requires, wheel) if wheel >= 0 else self._of_wheels
        if index is not None:
            found = self._table.requirement_set(index)
            return found if self._names is None else [each for each in found if each.name in self._names]
        if wheel >= 0:
            unread = "its metadata was not available when the catalogue was made"
            return Unknown(unread if self._table.build is None else "no source says what this build requires")
        served = self._table.sdist(self.version)
        return served if isinstance(served, Unknown) else served.dependencies(-1)

    def origin(self, wheel: int) -> str:
        """The source of the requirements of the sdist (-1); empty for a wheel."""
        if wheel >= 0:
            return ""
        if self._of_wheels is not None:
            return OF_WHEELS
        served = self._table.sdist(self.version)
        return "" if isinstance(served, Unknown) else served.origin(-1)

    @property
    def _of_wheels(self) -> int | None:
        """The requirements that all wheels declare, if the wheels were built for several kinds of machine.

        Without wheels, those that the table states for the source distribution.
        """
        stated = self._record.get("sdist_requires")
        if isinstance(stated, int):
            return stated
        requires = self._requires
        alike = requires if not isinstance(requires, list) else requires[0] if len(set(requires)) == 1 else None
        return alike if isinstance(alike, int) and are_various(self.tags) else None

    def files(self) -> list[File]:
        """Every wheel, in the order of ``tags``, then the sdist if there is one."""
        known = self._table.files.get(self.version)
        if known is None:
            yanked = self.yanked
            known = self._table.files[self.version] = [
                File(filename, address, {"sha256": sha256} if sha256 else {}, size, uploaded, None, yanked)
                for filename, sha256, size, uploaded, address, *_ in self._table.rows(self.version)
            ]
        return known


def _of_wheel(value: Any, wheel: int) -> Any:
    """One value for all wheels, or the item of a wheel; None for another file."""
    if not isinstance(value, list):
        return value
    return value[wheel] if 0 <= wheel < len(value) else None


class Releases(list[CatalogueRelease]):
    """The releases of a project, oldest first; ``latest`` is the latest version of them.

    ``admitted`` is that of their table; ``is_compiled``: there are compiled wheels.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(CatalogueRelease(table, number, kind) for number, kind in enumerate(table.kinds))
        self.latest = table.latest
        self.admitted = table.admitted
        self.is_compiled = any(not tags.endswith("-any") for tags in table.tags)


def _unasked(name: str, version: str) -> Unknown:
    return Unknown(f"the catalogue has no requirements of the source distribution of {name} {version}")


class Catalogue:
    """All bundled releases. The file of a project is read when the project is first looked up.

    ``sdist`` takes a name and a version and returns the release as an index serves it, with its source
    distribution. ``date`` is the file with the date of the data, if it is not in ``root``. Without ``root``, the
    tables of ``overlay`` count instead of the bundled ones; by default, those of ``torchlock data update``.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        sdist: Callable[[str, str], Release | Unknown] = _unasked,
        date: Path | str | None = None,
        overlay: Overlay | None = None,
    ) -> None:
        self._sdist = sdist
        self._overlay = overlay or (tables.overlay() if root is None else None)
        self._root = str(root or tables.bundled("releases"))
        self._date = str(date or os.path.join(self._root, DATE))
        self._tables: dict[str, tuple[Table, Releases] | None] = {}

    def releases(self, name: str) -> list[CatalogueRelease] | None:
        """All releases of the project with this normalised name, oldest first; None if it is not in the catalogue.

        Raises:
            DataError: the project's file is damaged.
        """
        found = self._table(name)
        return None if found is None else found[1]

    def rows(self, name: str, version: str) -> list[list[Any]]:
        """The rows of ``files`` of a release (compat_data/README.md); empty if the catalogue does not have it.

        Raises:
            DataError: the project's file is damaged.
        """
        found = self._table(name)
        return found[0].rows(version) if found is not None and version in found[0].versions else []

    def _table(self, name: str) -> tuple[Table, Releases] | None:
        if name not in self._tables:
            self._tables[name] = self._opened(name) if self.holds(name) else None
        return self._tables[name]

    def _opened(self, name: str) -> tuple[Table, Releases]:
        overlay = self._overlay
        path = overlay.path(f"releases/{name}.json") if overlay else None
        unproven = overlay.unproven.get(name, {}) if overlay else {}
        bundled = os.path.join(self._root, f"{name}.json")
        table = Table(name, str(path or bundled), self._sdist, unproven)
        return table, Releases(table)

    @cached_property
    def date(self) -> str:
        """The date of the bundled snapshot, YYYY-MM-DD.

        Raises:
            DataError: the file with the date is missing.
        """
        try:
            with open(self._date, "rb") as file:
                return file.read().decode("ascii").strip()
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read ({error})", path=self._date) from error

    def date_of(self, name: str) -> str:
        """The date on which the releases of a project were last asked for, YYYY-MM-DD.

        Raises:
            DataError: the file with the date is missing.
        """
        return (self._overlay.dates.get(name) if self._overlay else None) or self.date

    def source_of(self, name: str) -> str:
        """The index of the last update, if its releases of a project count; "" for the bundled ones."""
        overlay = self._overlay
        is_there = overlay is not None and f"releases/{name}.json" in overlay.files
        return f"{overlay.source} (torchlock data update)" if overlay is not None and is_there else ""

    def holds(self, name: str) -> bool:
        """Whether the project is in the catalogue."""
        return name in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.names())

    def names(self) -> list[str]:
        """The normalised names of all projects in the catalogue, sorted."""
        names = {name.removesuffix(".json") for name in os.listdir(self._root) if name.endswith(".json")}
        added = self._overlay.files if self._overlay else ()
        names.update(table[len("releases/") : -len(".json")] for table in added if table.startswith("releases/"))
        return sorted(names)
