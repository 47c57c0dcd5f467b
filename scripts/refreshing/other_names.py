"""Bring compat_data/names/others/ up to date, from the wheels on an index.

A table has the last patch release of each release (5.24). It says only what some of them have and others lack, so
that a new one needs the wheels of all. These are kept unpacked in the cache.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from packaging.version import Version

from refreshing.changed_names import changed, read_release
from torchlock.gathering.pages import read_page
from torchlock.gathering.storage import write_if_changed
from torchlock.index.archives import open_zip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.gathering.asking import Asker
    from torchlock.gathering.pages import File, Project

# The most bytes that are fetched of one wheel.
_WHOLE = 256 << 20
_SOURCES = (".py", ".pyi")
_COMPILED = (".so", ".pyd")


def table_text(folders: Sequence[Path]) -> bytes:
    """The table of a project. A folder has the unpacked files of one release and its version as its name."""
    table = changed([read_release(each) for each in folders])
    table["releases"] = [each.name for each in folders]
    return (json.dumps(table, separators=(",", ":"), sort_keys=True) + "\n").encode()


def add_new(data: Path, asker: Asker, cache: Path) -> list[str]:
    """Compute the tables anew of which a project has a new release; returns a sentence for each release.

    ``data`` is like ``compat_data``; ``cache`` is the folder for unpacked wheels.

    Raises:
        TorchlockError: the index fails, or a wheel cannot be read.
    """
    said = []
    for path in sorted((data / "names" / "others").glob("*.json")):
        project, known = path.stem, json.loads(path.read_bytes())["releases"]
        page = read_page(asker.index, project)
        wheels = {} if page is None else last_of_each(page, known[0])
        new = [version for version in wheels if version not in known]
        gone = [version for version in known if _series(version) not in map(_series, wheels)]
        if gone:
            said.append(f"The names of {project} are as they were: the index has no wheel of {', '.join(gone)}.")
        elif new:
            folders = [_unpacked(asker, file, cache / project / version) for version, file in wheels.items()]
            write_if_changed(path, table_text(folders), dry=False)
            said += [
                f"The names of {project} {version} were read from {wheels[version].filename}." for version in new
            ]
    return said


def last_of_each(page: Project, first: str) -> dict[str, File]:
    """A wheel of the last patch release of each release, from that of ``first`` on, oldest first.

    Wheels for other systems have other compiled modules, so all are for one system where there are such: for any
    one, else for Linux. Of these it is the smallest.
    """
    found: dict[tuple[int, ...], tuple[Version, File]] = {}
    for release in page.releases:
        wheels = [file for file in release.wheels if file.yanked is None]
        if wheels and not release.version.is_prerelease and _series(str(release.version)) >= _series(first):
            chosen = min(wheels, key=lambda file: (_rank(file), file.size or 0, file.filename))
            found[_series(str(release.version))] = release.version, chosen  # releases come oldest first
    return {str(version): file for _, (version, file) in sorted(found.items())}


def _rank(file: File) -> int:
    """The place of the system of a wheel in the order in which they are preferred."""
    systems = (("any", ""), ("linux", "x86_64"))
    return systems.index(file.platform) if file.platform in systems else len(systems)


def _series(version: str) -> tuple[int, ...]:
    return (*Version(version).release, 0)[:2]


def _unpacked(asker: Asker, file: File, folder: Path) -> Path:
    """The folder with the sources of a wheel, which is read unless it is there."""
    if not folder.is_dir():
        assert file.listed is not None
        asker.count()
        beside = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(beside, ignore_errors=True)
        asker.index.within(file.listed, partial(_unpack, folder=beside), _WHOLE)
        beside.rename(folder)
    return folder


def _unpack(content: IO[bytes], folder: Path) -> None:
    """Write the sources of a wheel, and of compiled modules that they are there."""
    with open_zip(content) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if path.suffix not in (*_SOURCES, *_COMPILED) or path.is_absolute() or ".." in path.parts:
                continue
            place = folder.joinpath(*path.parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(member) if path.suffix in _SOURCES else b"")
