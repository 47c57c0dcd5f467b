"""What a release file states of wheels, in the form in which wheels are read: they need not be read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import DataError
from torchlock.gathering.pages import File, sort_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torchlock.gathering.pages import Project, Release


class Seed(NamedTuple):
    """What is known of wheels by their SHA-256: as ``read_metadata`` and ``read_build`` give it.

    None: the wheel was read before, and does not say it.
    """

    metadata: dict[str, dict[str, list[str]] | None]
    builds: dict[str, dict[str, Any] | None]

    def of(self, kind: str) -> Mapping[str, dict[str, Any] | None]:
        """The part of this name."""
        return self.metadata if kind == "metadata" else self.builds


def release_file(folder: Path, name: str) -> Path:
    """The file of a project in a folder of release files."""
    return folder / f"{name}.json"


def load_table(path: Path) -> dict[str, Any] | None:
    """A release file as JSON; None if there is none.

    Raises:
        DataError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        table: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"damaged ({error})", path=str(path)) from error
    return table


def seed_of(table: Mapping[str, Any], project: Project) -> Seed:
    """What the release file of a project states of the wheels on its page.

    A wheel is known by its hash. A file without hashes (``compat_data/dependents``) knows the wheels of a release
    if the page lists the same ones, by their tags: an index does not give a name to other bytes.
    """
    seed = Seed({}, {})
    texts = [_text(*row) for row in table["requirements"]]
    sets = [[texts[at] for at in items] for items in table["requires"]]
    for release in project.releases:
        version = str(release.version)
        record = table["releases"].get(version)
        if record is None:
            continue
        extra = record.get("invalid", [])
        for at, sha256 in _known(table, version, record, release):
            requires, build = _per_wheel(record, "requires", at), _per_wheel(record, "build", at)
            declared = None if requires is None else [*sets[requires], *extra]
            seed.metadata[sha256] = (
                None if declared is None else {"requires": declared, "extras": record.get("extras", [])}
            )
            seed.builds[sha256] = {"declared": build, "label": None, "linked": None} if build else None
    return seed


def files_stated(table: Mapping[str, Any]) -> Iterator[File]:
    """The files of a release file, as a page lists them."""
    for version, record in table["releases"].items():
        for at, (name, sha256, size, uploaded, address) in enumerate(table["files"][version]):
            stated = record.get("python")
            python = stated if not isinstance(stated, list) else stated[at] if at < len(stated) else None
            yield File(name, address, sha256, size, uploaded, python, record.get("yanked"))


def joined(table: Mapping[str, Any], page: Project) -> Project:
    """The files of a page, and those that a release file has beyond it.

    An index may have only a part of the public one. Under a name that both have, the file keeps its hash.
    """
    files = {file.filename: file for file in files_stated(table)}
    listed = [file for release in page.releases for file in release.files]
    files.update((file.filename, file) for file in listed if files.get(file.filename, file).sha256 == file.sha256)
    return sort_files(page.name, files.values())


def _known(
    table: Mapping[str, Any], version: str, record: Mapping[str, Any], release: Release
) -> Iterator[tuple[int, str]]:
    """The wheels that the record is about: position in the record, and hash."""
    rows = table["files"].get(version)
    if rows is not None:
        yield from ((at, rows[at][1]) for at in range(len(record["wheels"])))
    elif [table["tags"][tag] for tag in record["wheels"]] == [wheel.tag for wheel in release.wheels]:
        yield from ((at, wheel.sha256) for at, wheel in enumerate(release.wheels))


def _per_wheel(record: Mapping[str, Any], key: str, at: int) -> Any:
    value = record.get(key)
    return value[at] if isinstance(value, list) else value


def _text(name: str, specifier: str = "", marker: str = "", extras: tuple[str, ...] = ()) -> str:
    """A row of ``requirements`` as Requires-Dist has it."""
    asked = f"[{','.join(extras)}]" if extras else ""
    return f"{name}{asked}{specifier}" + (f" ; {marker}" if marker else "")
