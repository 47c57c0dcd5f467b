"""What is known of the wheel files of the PyTorch wheel index, and how two sources are joined.

A hash belongs to a file in a folder, never to a name: wheels without a label have the same name in several
folders. So each row is known by its folder and its file name. Sources never overwrite each other: where they state
different hashes, all are kept (``conflicts.json``), and the row has the one that more repositories state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion

from torchlock.knowledge.build_files import GRADES, grade_of
from torchlock.standards.filenames import platform_in, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable

# The folder of files on the root page of the index.
ROOT_FOLDER = "root"
_MORE = "more repositories state it"
_FIRST = "it was known first, and no more repositories state the other"


class Wheel(NamedTuple):
    """One wheel in one folder of the index.

    ``sha256``, ``size`` and ``uploaded`` (``2025-01-30T01:37:43Z``) are None if no source states them. ``sources``
    are keys of ``sources.json``. ``declared`` is the Requires-Dist of this very wheel; None if it was not read.
    """

    folder: str
    filename: str
    sha256: str | None = None
    size: int | None = None
    uploaded: str | None = None
    sources: tuple[int, ...] = ()
    declared: tuple[str, ...] | None = None

    @property
    def address(self) -> str:
        """The address relative to the root of the index."""
        return quote(self.filename if self.folder == ROOT_FOLDER else f"{self.folder}/{self.filename}")

    @property
    def package(self) -> str:
        """The normalised name of the project."""
        return str(parse_wheel_filename(self.filename)[0])

    @property
    def version(self) -> str:
        """The version as the file name has it, with its label."""
        return self.filename.split("-")[1]

    @property
    def release(self) -> str:
        """The version without its label."""
        return self.version.partition("+")[0]

    @property
    def tag(self) -> str:
        """The (compressed) tags of the name: ``cp312-cp312-manylinux_2_28_x86_64``."""
        return tags_of(self.filename)

    @property
    def platform(self) -> str:
        """The platform as in ``--platform``, ``linux-x86_64``; "" for one that torchlock does not know."""
        return platform_in(self.tag)


class Conflict(NamedTuple):
    """Sources that state different hashes of one file: which is used, why, and who states which."""

    used: str
    why: str
    values: dict[str, tuple[int, ...]]


@dataclass
class Tables:
    """All that is known: the wheels and the conflicts by folder and file name, the sources by number."""

    wheels: dict[tuple[str, str], Wheel] = field(default_factory=dict)
    conflicts: dict[tuple[str, str], Conflict] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)
    date: str = ""

    def source(self, text: str) -> int:
        """The number of a source; a new source gets the next one."""
        known = next((number for number, known in self.sources.items() if known == text), None)
        if known is None:
            known = max(self.sources, default=0) + 1
            self.sources[known] = text
        return known


def is_of_releases(folder: str, filename: str) -> bool:
    """Whether a file is one of a release, under a name that a wheel can have.

    ``test`` and ``nightly`` use the names of releases again, for other bytes.
    """
    if folder.split("/")[0] in ("test", "nightly", "lts") or "/" in folder:
        return False
    try:
        _, version, _, tags = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion):
        return False
    # No interpreter is called cp313t: only its ABI is.
    return not version.is_prerelease and not any(tag.interpreter.endswith("t") for tag in tags)


def add_rows(tables: Tables, rows: Iterable[Wheel], sources: dict[int, str]) -> list[str]:
    """Merge wheels into the tables; returns one sentence for each hash that contradicts a known one.

    ``sources`` says what the numbers in ``rows`` mean. The folder of a wheel is the folder in its address: a page
    also lists files of the root page. Files that are not of releases are left out (``is_of_releases``).
    """
    numbers = {number: tables.source(text) for number, text in sources.items()}
    contradictions = []
    for row in rows:
        if not is_of_releases(row.folder, row.filename):
            continue
        row = row._replace(sources=tuple(sorted({numbers[source] for source in row.sources})))
        key = row.folder, row.filename
        known = tables.wheels.get(key)
        if known is None:
            tables.wheels[key] = row
        elif known.sha256 and row.sha256 and (row.sha256 != known.sha256 or key in tables.conflicts):
            new = row.sha256 not in getattr(tables.conflicts.get(key), "values", {known.sha256})
            tables.wheels[key] = _disagree(tables, known, row)
            if new:
                contradictions.append(f"{row.folder}: {row.filename} is {row.sha256}, not {known.sha256}")
        else:
            tables.wheels[key] = _joined(known, row)
    return contradictions


def _joined(known: Wheel, row: Wheel) -> Wheel:
    """What two rows that agree say together. Only who states the hash is a source of a row with a hash."""
    stated = [wheel.sources for wheel in (known, row) if wheel.sha256 or not (known.sha256 or row.sha256)]
    return known._replace(
        sha256=known.sha256 or row.sha256,
        size=known.size or row.size,
        uploaded=min(filter(None, (known.uploaded, row.uploaded)), default=None),
        sources=tuple(sorted({source for sources in stated for source in sources})),
        declared=row.declared if row.declared is not None else known.declared,
    )


def _disagree(tables: Tables, known: Wheel, row: Wheel) -> Wheel:
    """Keep what both state; the row gets the hash that has the better grade, else the known one."""
    key = row.folder, row.filename
    before = tables.conflicts.get(key)
    values = dict(before.values) if before else {str(known.sha256): known.sources}
    values[str(row.sha256)] = tuple(sorted({*values.get(str(row.sha256), ()), *row.sources}))

    def strength(sha256: str) -> tuple[int, bool]:
        texts = [tables.sources[source] for source in values[sha256]]
        return -GRADES.index(grade_of(sha256, texts)), sha256 == known.sha256

    used = max(values, key=strength)
    kept = before is not None and before.used == used
    why = before.why if before and kept else _FIRST if used == known.sha256 else _MORE
    tables.conflicts[key] = Conflict(used, why, values)
    size = known.size if used == known.sha256 else row.size if used == row.sha256 else None
    return known._replace(sha256=used, size=size, sources=values[used])
