"""Releases, and the bundled catalogue of them: a snapshot of the public index on the date of the data.

A file of ``compat_data/releases`` is valid JSON with its large part last (see compat_data/README.md). The reader
parses the head; in the tail it parses only the lines of the chosen releases. For a lock of torch and librosa, that
is a fifth of the bytes.
"""

from __future__ import annotations

import json
import re
from functools import cached_property, lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from torchlock.answers import Unknown
from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.standards.dependency import Dependency
from torchlock.standards.filenames import platform_in
from torchlock.standards.index_file import File

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from torchlock.answers import Unknown
    from torchlock.knowledge.overlay import Overlay
    from torchlock.knowledge.rules import Statement

# The file with the date of the data.
DATE = "DATE"
_TAIL = b'\n"files": {'
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
    of which the same wheels have metadata; None if that is not known. ``unproven`` says why the data do not cover
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

    __slots__ = ("_names", "_record", "_shape", "_table", "_tags", "name", "version")

    live = False
    unversioned = False

    def __init__(
        self, table: _Table, version: str, record: dict[str, Any], names: Collection[str] | None = None
    ) -> None:
        self._table = table
        self._record = record
        self._names = names
        self._shape: Hashable = False  # not computed yet
        self._tags: list[str] | None = None
        self.name: str = table.name
        self.version = version

    def among(self, names: Collection[str]) -> CatalogueRelease:
        """The same release without its requirements on any other packages than these."""
        return CatalogueRelease(self._table, self.version, self._record, names)

    @property
    def shape(self) -> Hashable:
        """What ``ranks`` and ``requires_python`` depend on (see ``Release``)."""
        if self._shape is False:
            self._shape = self._table.shape(self._record)
        return self._shape

    @property
    def tags(self) -> Sequence[str]:
        """The tag part of each wheel's name."""
        if self._tags is None:
            tags = self._table.tags
            self._tags = [tags[index] for index in self._record["wheels"]]
        return self._tags

    def by_metadata(self) -> list[tuple[int, list[str]]]:
        """The tags of the wheels with the same requirements and Requires-Python, each with the first of them."""
        tags, stated = list(self.tags), (self._record.get("requires"), self._record.get("python"))
        if not any(isinstance(each, list) for each in stated):
            return [(0, tags)] if tags else []
        groups: dict[tuple[Any, ...], tuple[int, list[str]]] = {}
        for wheel, text in enumerate(tags):
            key = tuple(self._per_wheel(name, wheel) for name in ("requires", "python"))
            groups.setdefault(key, (wheel, []))[1].append(text)
        return list(groups.values())

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        """The rank of each of ``tags``; None for a wheel that does not install, or has no metadata.

        For the PyTorch index, missing requirements do not mean that the wheel has no metadata.
        """
        ranks = self._table.ranks(rank)
        found = [ranks[index] for index in self._record["wheels"]]
        requires = self._record.get("requires")
        if isinstance(requires, list) and self._table.build is None:
            return [None if needs is None else rank for rank, needs in zip(found, requires, strict=True)]
        return found

    @property
    def yanked(self) -> str | None:
        """The reason for yanking the release (PEP 592; may be empty), or None."""
        reason = self._record.get("yanked")
        return "" if reason is True else reason

    @property
    def date(self) -> str:
        """The date of the first upload, YYYY-MM-DD, or an empty string."""
        return str(self._record.get("date", ""))[:10]

    @property
    def has_sdist(self) -> bool:
        return bool(self._record.get("sdist"))

    @property
    def invalid(self) -> Sequence[str]:
        """Declared requirements that are not valid."""
        invalid: Sequence[str] = self._record.get("invalid", ())
        return invalid

    def requires_python(self, wheel: int) -> str:
        """Requires-Python of the wheel with this index in ``tags`` (-1: the sdist), or an empty string."""
        return self._per_wheel("python", wheel) or ""

    def build(self, wheel: int) -> str | Unknown | None:
        """The build of a wheel (``cpu``, ``cu130``, …).

        None outside of the torch family, for an sdist (-1), and for a wheel without compiled code.
        """
        build = self._per_wheel("build", wheel)
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
        return self.lacks.get("") or self.lacks.get(platform_in(tags), "")

    def statements(self, wheel: int) -> Sequence[Statement]:
        """Empty: the facts about catalogue releases are in the rules."""
        return ()

    def dependencies(self, wheel: int) -> list[Dependency] | Unknown:
        """Requires-Dist of a wheel, or of the sdist (-1); for an sdist the index may be asked.

        Raises:
            TorchlockError: the index cannot be asked, or its answer is not valid.
        """
        index = self._per_wheel("requires", wheel) if wheel >= 0 else self._of_wheels
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
        requires = self._record.get("requires")
        alike = requires if not isinstance(requires, list) else requires[0] if len(set(requires)) == 1 else None
        return alike if isinstance(alike, int) and are_various(self.tags) else None

    def files(self) -> list[File]:
        """Every wheel, in the order of ``tags``, then the sdist if there is one."""
        return self._table.files(self.version)

    def _per_wheel(self, key: str, wheel: int) -> Any:
        value = self._record.get(key)
        if not isinstance(value, list):
            return value
        return value[wheel] if 0 <= wheel < len(value) else None


@lru_cache(maxsize=256)
def _mapped(path: Path, inode: int, changed: int, size: int) -> mmap:
    """The file in this state, once for all catalogues of the process: each map holds a file descriptor.

    Raises:
        DataError: the file is empty.
    """
    if not size:
        raise DataError("is empty", path=str(path))
    with path.open("rb") as file:
        return mmap(file.fileno(), size, access=ACCESS_READ)


class _Table:
    """One file of ``compat_data/releases``. Its tail is mapped into memory; most of it is never read."""

    def __init__(
        self,
        path: Path,
        sdist: Callable[[str, str], Release | Unknown],
        unproven: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        self._path = path
        # The releases of which it is not known what they work with, and why: by platform, or for every one ("").
        self.unproven = unproven
        self._ask_sdist = sdist
        self._served: dict[str, Release | Unknown] = {}
        state = path.stat()
        self._content = _mapped(path, state.st_ino, state.st_mtime_ns, state.st_size)
        self._tail = self._content.find(_TAIL)
        if self._tail < 0:
            raise DataError('no line begins with "files"', path=str(path))
        try:
            table = json.loads(self._content[: self._tail].rstrip().rstrip(b",") + b"}")
            self.name: str = table["name"]
            # The build of a folder of the PyTorch index ("" for the root page); None for the public index.
            self.build: str | None = table.get("build")
            self.tags: list[str] = table["tags"]
            self._requirements: list[list[Any]] = table["requirements"]
            self._requires: list[list[int]] = table["requires"]
            self._sets: dict[int, list[Dependency]] = {}
            self._shapes: dict[tuple[Any, ...], object] = {}
            self._ranks: dict[Callable[[str], int | None], list[int | None]] = {}
            self._files: dict[str, list[File]] = {}
            records = table["releases"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"damaged ({error})", path=str(path)) from error
        self.releases = [CatalogueRelease(self, version, record) for version, record in records.items()]

    def shape(self, record: Mapping[str, Any]) -> Hashable:
        """The shape of a release (see ``Release``): one object for all equal ones, which compares fast."""
        python, requires = record.get("python"), record.get("requires")
        described = tuple(each is not None for each in requires) if isinstance(requires, list) else None
        key = tuple(python) if isinstance(python, list) else python, described, *record["wheels"]
        known = self._shapes.get(key)
        if known is None:
            known = self._shapes[key] = object()
        return known

    def sdist(self, version: str) -> Release | Unknown:
        """The release as an index serves it; the catalogue has no requirements of its sdist."""
        if version not in self._served:
            self._served[version] = self._ask_sdist(self.name, version)
        return self._served[version]

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        """The rank of each of ``tags``, computed once for each ranking function."""
        known = self._ranks.get(rank)
        if known is None:
            known = self._ranks[rank] = [rank(tags) for tags in self.tags]
        return known

    def requirement_set(self, index: int) -> list[Dependency]:
        known = self._sets.get(index)
        if known is None:
            known = [Dependency.from_row(self._requirements[item]) for item in self._requires[index]]
            self._sets[index] = known
        return known

    def rows(self, version: str) -> list[list[Any]]:
        """The rows of a release in ``files``: those of its wheels in the order of the record, then the sdist's."""
        content = self._content
        start = content.rfind(b'\n"%b": ' % version.encode(), self._tail)  # new releases come last
        if start < 0:
            raise DataError("no files of this release", path=str(self._path), key=f"files.{version}")
        end = content.find(b"\n", start + 1)
        line = content[start + 1 : end if end >= 0 else len(content)]
        rows: list[list[Any]] = json.loads(line[line.index(b": ") + 2 :].rstrip().rstrip(b",}"))
        return rows

    def files(self, version: str) -> list[File]:
        """The files of a release, read once: they are not to be changed."""
        known = self._files.get(version)
        if known is None:
            record = next(release for release in self.releases if release.version == version)
            yanked = record.yanked
            known = self._files[version] = [
                File(filename, address, {"sha256": sha256} if sha256 else {}, size, uploaded, None, yanked)
                for filename, sha256, size, uploaded, address, *_ in self.rows(version)
            ]
        return known


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
        root: Path | None = None,
        sdist: Callable[[str, str], Release | Unknown] = _unasked,
        date: Path | None = None,
        overlay: Overlay | None = None,
    ) -> None:
        self._sdist = sdist
        self._overlay = overlay or (tables.overlay() if root is None else None)
        self._root = root or tables.ROOT / "releases"
        self._date = date or self._root / DATE
        self._tables: dict[str, _Table | None] = {}

    def releases(self, name: str) -> list[CatalogueRelease] | None:
        """All releases of the project with this normalised name, oldest first; None if it is not in the catalogue.

        Raises:
            DataError: the project's file is damaged.
        """
        table = self._table(name)
        return None if table is None else table.releases

    def rows(self, name: str, version: str) -> list[list[Any]]:
        """The rows of ``files`` of a release (compat_data/README.md); empty if the catalogue does not have it.

        Raises:
            DataError: the project's file is damaged.
        """
        table = self._table(name)
        known = table is not None and any(release.version == version for release in table.releases)
        return table.rows(version) if table is not None and known else []

    def _table(self, name: str) -> _Table | None:
        if name not in self._tables:
            self._tables[name] = self._opened(name) if self.holds(name) else None
        return self._tables[name]

    def _opened(self, name: str) -> _Table:
        overlay = self._overlay
        path = overlay.path(f"releases/{name}.json") if overlay else None
        unproven = overlay.unproven.get(name, {}) if overlay else {}
        return _Table(path or self._root / f"{name}.json", self._sdist, unproven)

    @cached_property
    def date(self) -> str:
        """The date of the bundled snapshot, YYYY-MM-DD.

        Raises:
            DataError: the file with the date is missing.
        """
        try:
            return self._date.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read ({error})", path=str(self._date)) from error

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
        names = {path.name.removesuffix(".json") for path in self._root.iterdir() if path.name.endswith(".json")}
        added = self._overlay.files if self._overlay else ()
        names.update(table[len("releases/") : -len(".json")] for table in added if table.startswith("releases/"))
        return sorted(names)
