"""A page of an index as the cache keeps it: digested once, and read as far as it is needed.

The first line is a table: by project, its releases, oldest first, with all that sorts candidates. Then each
release has a line with its files. A run looks at all releases of a project, and at the files of a few.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchlock.index.page_values import entry_of, finished
from torchlock.standards import filenames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from packaging.version import Version

    from torchlock.standards.index_file import File

_Place = tuple[int, int]


class ReleaseFiles:
    """The files of one release: what sorts candidates at once, the files themselves when they are asked for.

    ``tags`` has the tags of each wheel, ``pythons`` the Requires-Python of each wheel ("" without one), then of
    the source distribution if there is one. ``yanked`` as in ``IndexRelease``.
    """

    __slots__ = ("_files", "_load", "has_sdist", "pythons", "tags", "version", "yanked")

    def __init__(
        self,
        version: str,
        tags: Sequence[str],
        pythons: Sequence[str],
        yanked: str | None,
        has_sdist: bool,
        load: Callable[[], list[File]],
    ) -> None:
        """``load`` returns the wheels in the order of ``tags``, then the source distributions, best first."""
        self.version = version
        self.tags = tags
        self.pythons = pythons
        self.yanked = yanked
        self.has_sdist = has_sdist
        self._load = load
        self._files: list[File] | None = None

    @classmethod
    def of(cls, version: str, files: Iterable[File]) -> ReleaseFiles:
        """The same of files that are there."""
        arranged = _arranged(files)
        tags, pythons, yanked, has_sdist = _outline(arranged)
        return cls(version, tags, pythons, yanked, has_sdist, lambda: arranged)

    def files(self) -> list[File]:
        """The wheels in the order of ``tags``, then the source distributions, best first."""
        if self._files is None:
            self._files = self._load()
        return self._files


class ProjectPage:
    """What a page lists. ``content`` is its form in the cache."""

    def __init__(self, content: bytes) -> None:
        """
        Raises:
            ValueError: this is not the content of a page.
        """
        self.content = content
        self._start = content.index(b"\n") + 1
        table = json.loads(content[: self._start])
        if not isinstance(table, dict) or not isinstance(table.get("releases"), dict):
            raise ValueError("not a table of releases")
        self._releases: dict[str, list[Any]] = table["releases"]
        self._variants: dict[str, list[Any]] = table["variants"]
        self._rest: _Place = tuple(table["rest"])

    @classmethod
    def of(cls, files: Iterable[File]) -> ProjectPage:
        """The digest of the files that ``listed`` reads from a page."""
        projects, variants, rest = _grouped(files)
        lines: list[bytes] = []
        place = 0

        def written(files: Iterable[File]) -> _Place:
            nonlocal place
            lines.append(json.dumps(list(files), separators=(",", ":")).encode())
            start, place = place, place + len(lines[-1]) + 1
            return start, place - 1

        def rows(known: _Projects) -> dict[str, list[Any]]:
            return {
                name: [_row(*each, written) for each in sorted(held.items())] for name, held in projects.items()
            }

        table = {"releases": rows(projects), "variants": rows(variants), "rest": written(rest)}
        return cls(b"\n".join([json.dumps(table, separators=(",", ":")).encode(), *lines]))

    def releases(self, name: str) -> list[ReleaseFiles]:
        """The releases of a project, oldest first."""
        return [self._release(row) for row in self._releases.get(name, ())]

    def variants(self, name: str) -> list[ReleaseFiles]:
        """The variant wheels (PEP 825) of a project by release, oldest first; installers pass them by."""
        return [self._release(row) for row in self._variants.get(name, ())]

    def files(self) -> list[File]:
        """Every file, by project and release; at the end variant wheels, and names that installers refuse."""
        projects = (*self._releases.values(), *self._variants.values())
        places = [tuple(row[-2:]) for rows in projects for row in rows]
        return [file for place in (*places, self._rest) for file in self._at(place)]

    def _release(self, row: Sequence[Any]) -> ReleaseFiles:
        version, tags, pythons, yanked, has_sdist, start, stop = row
        if isinstance(pythons, str):
            pythons = [pythons] * (len(tags) + has_sdist)
        return ReleaseFiles(version, tags, pythons, yanked, has_sdist, lambda: self._at((start, stop)))

    def _at(self, place: _Place) -> list[File]:
        start, stop = place
        entries = json.loads(self.content[self._start + start : self._start + stop])
        return [finished(entry_of(entry)) for entry in entries]


def _row(version: Version, files: Iterable[File], written: Callable[[Iterable[File]], _Place]) -> list[Any]:
    """The row of a release in the table of a page."""
    arranged = _arranged(files)
    tags, pythons, yanked, has_sdist = _outline(arranged)
    shared = pythons[0] if len(set(pythons)) == 1 else pythons
    return [str(version), tags, shared, yanked, has_sdist, *written(arranged)]


_Projects = dict[str, dict["Version", list["File"]]]


def _grouped(files: Iterable[File]) -> tuple[_Projects, _Projects, list[File]]:
    """The files by project and version, variant wheels so as well, and the files whose names installers refuse.

    Most names differ in their tags alone from one before; then they are not parsed.
    """
    projects: _Projects = {}
    variants: _Projects = {}
    rest: list[File] = []
    known: dict[tuple[str, str], list[File]] = {}
    for file in files:
        common = filenames.ordinary_wheel(file.filename)
        found = None if common is None else known.get(common)
        if found is None:
            parsed = filenames.parse(file.filename)
            kind = variants if parsed and filenames.is_variant(file.filename) else projects
            found = rest if parsed is None else kind.setdefault(parsed[0], {}).setdefault(parsed[1], [])
            if common is not None:
                known[common] = found
        found.append(file)
    return projects, variants, rest


def _arranged(files: Iterable[File]) -> list[File]:
    """Wheels, then source distributions. Of two archives, the gzipped one follows the standard (PEP 625)."""
    wheels: list[File] = []
    sdists: list[File] = []
    for file in files:
        (wheels if file.filename.endswith(".whl") else sdists).append(file)
    return [*wheels, *sorted(sdists, key=lambda file: not file.filename.endswith(".tar.gz"))]


def _outline(arranged: Sequence[File]) -> tuple[list[str], list[str], str | None, bool]:
    """The tags, the Pythons, the reason of yanking, and whether there is a source distribution."""
    tags = [filenames.tags_of(file.filename) for file in arranged if file.filename.endswith(".whl")]
    has_sdist = len(arranged) > len(tags)
    pythons = [file.requires_python or "" for file in arranged[: len(tags) + has_sdist]]
    return tags, pythons, _yanked(arranged), has_sdist


def _yanked(files: Sequence[File]) -> str | None:
    """A release is yanked if all its files are; its reason is the first non-empty one."""
    reasons = [file.yanked for file in files if file.yanked is not None]
    return None if len(reasons) < len(files) else next(filter(None, reasons), "")
