"""The table of one folder and package of the PyTorch wheel index, byte for byte.

It has the format of a release file (compat_data/README.md). What a wheel declares is its own metadata where that
was read, else what ``build_requirements`` knows of its build. Requires-Python and the extras are those of the
public index's release of the same version.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from refreshing.build_requirements import requirements_of
from refreshing.build_rows import ROOT_FOLDER, Wheel
from torchlock.gathering.rendering import compact, entries, lines, one_or_all
from torchlock.gathering.requirements import Row, compact_row, parse_row
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    # package, version without label, folder, platform → Requires-Dist, or None if it is unknown
    RequirementsOf = Callable[[str, str, str, str], Sequence[str] | None]


class PublicRelease:
    """One release of the public index, as ``compat_data/releases`` has it."""

    def __init__(self, table: dict[str, Any], version: str) -> None:
        self._record: dict[str, Any] = table["releases"].get(version, {})
        self._files: list[list[Any]] = table["files"].get(version, [])

    @property
    def python(self) -> str | None:
        """Requires-Python, if all wheels have the same."""
        python = self._record.get("python")
        return python if isinstance(python, str) else None

    @property
    def extras(self) -> list[str]:
        return list(self._record.get("extras", ()))

    def build_of(self, sha256: str | None) -> str | None:
        """The build that was read from the wheel with this hash; None if the release has no such wheel."""
        return self._builds.get(sha256 or "")

    @cached_property
    def _builds(self) -> dict[str, str | None]:
        builds = self._record.get("build")
        each = builds if isinstance(builds, list) else [builds] * len(self._record.get("wheels", ()))
        return {row[1]: build for row, build in zip(self._files, each, strict=False)}


class Renderer:
    """Renders tables. ``releases`` is the folder of the release files."""

    def __init__(self, releases: Path, requirements_of: RequirementsOf = requirements_of) -> None:
        self._releases = releases
        self._requirements_of = requirements_of
        self._tables: dict[str, dict[str, Any]] = {}
        self._sets: dict[tuple[str, str, str, str], tuple[Row, ...] | None] = {}

    def __call__(self, folder: str, package: str, wheels: list[Wheel]) -> bytes:
        """The content of ``files/<folder>/<package>.json``; ``wheels`` are sorted, oldest version first."""
        tags = sorted({wheel.tag for wheel in wheels})
        found = {rows for wheel in wheels if (rows := self._requirements(folder, wheel)) is not None}
        distinct = sorted({row for one in found for row in one})
        row_at = {row: at for at, row in enumerate(distinct)}
        ordered = sorted(found, key=lambda one: [row_at[row] for row in one])
        releases: dict[str, list[Wheel]] = {}
        for wheel in wheels:
            releases.setdefault(wheel.version, []).append(wheel)
        tag_at = {tag: at for at, tag in enumerate(tags)}
        set_at = {one: at for at, one in enumerate(ordered)}
        records = {version: self._record(folder, some, tag_at, set_at) for version, some in releases.items()}
        files = {version: list(map(_cells, some)) for version, some in releases.items()}
        parts = [
            f'"name": {compact(package)}',
            f'"build": {compact(build_of_folder(folder))}',
            f'"tags": {compact(tags)}',
            f'"requirements": {lines("[]", map(compact, map(compact_row, distinct)))}',
            f'"requires": {lines("[]", (compact([row_at[row] for row in one]) for one in ordered))}',
            f'"releases": {lines("{}", entries(records))}',
            f'"files": {lines("{}", entries(files))}',
        ]
        return ("{\n" + ",\n".join(parts) + "\n}\n").encode()

    def build_of(self, folder: str, wheel: Wheel) -> str:
        """The build of a wheel that is listed in this folder; "" if it is unknown.

        Its label says it, if it has one of the index. The folder says it for most others; but the folders have
        some files of other builds, which the public index has too, and whose content was read there.
        """
        label = wheel.version.partition("+")[2]
        if kind_of(label):
            return label
        release = self._public(wheel)
        if wheel.platform.startswith("macos") or wheel.platform == "windows-arm64":
            return "cpu"
        return release.build_of(wheel.sha256) or build_of_folder(folder)

    def _record(
        self, folder: str, wheels: list[Wheel], tags: dict[str, int], sets: dict[tuple[Row, ...], int]
    ) -> dict[str, Any]:
        public = self._public(wheels[0])
        dates = [wheel.uploaded for wheel in wheels if wheel.uploaded]
        required = [self._requirements(folder, wheel) for wheel in wheels]
        builds = [self.build_of(folder, wheel) or None for wheel in wheels]
        alike = wheels[0].package not in FAMILY or set(builds) == {build_of_folder(folder) or None}
        record = {
            "wheels": [tags[wheel.tag] for wheel in wheels],
            "date": min(dates)[:10] if dates else None,
            "python": public.python,
            "requires": one_or_all([None if rows is None else sets[rows] for rows in required]),
            "build": None if alike else one_or_all(builds),
            "extras": public.extras or None,
            "own": [at for at, wheel in enumerate(wheels) if wheel.declared is not None] or None,
        }
        return {key: value for key, value in record.items() if value is not None}

    def _requirements(self, folder: str, wheel: Wheel) -> tuple[Row, ...] | None:
        """What the wheel declares, sorted; None if it is unknown."""
        if wheel.declared is not None:
            return _rows(wheel.declared)
        key = wheel.package, wheel.release, folder, wheel.platform
        if key not in self._sets:
            texts = self._requirements_of(*key) if wheel.platform else None
            self._sets[key] = None if texts is None else _rows(texts)
        return self._sets[key]

    def _public(self, wheel: Wheel) -> PublicRelease:
        if wheel.package not in self._tables:
            path = self._releases / f"{wheel.package}.json"
            empty: dict[str, Any] = {"releases": {}, "files": {}}
            self._tables[wheel.package] = json.loads(path.read_bytes()) if path.exists() else empty
        return PublicRelease(self._tables[wheel.package], wheel.release)


def build_of_folder(folder: str) -> str:
    """The build of a folder: ``cu117`` for ``cu117`` and ``cu117_pypi_cudnn``; "" for the root page."""
    label = re.split(r"[-_]", folder)[0]
    return label if folder != ROOT_FOLDER and kind_of(label) else ""


def _rows(texts: Sequence[str]) -> tuple[Row, ...]:
    return tuple(sorted({row for text in texts if (row := parse_row(text))}))


def _cells(wheel: Wheel) -> list[Any]:
    return [wheel.filename, wheel.sha256, wheel.size, wheel.uploaded, wheel.address, list(wheel.sources)]
