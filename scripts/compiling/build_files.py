"""``builds/files``: the tables of wheel files, as rows of the table of builds.

A file shows that a build exists. A missing file shows nothing: the tables have only files that a source states.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.filenames import platform_in, python_in

SOURCE = "index-files"
_ROOT_FOLDER = "root"


class Cell(NamedTuple):
    """One build of a release for one platform and one Python ("": for any), as rows of builds name it."""

    package: str
    release: str
    build: str
    platform: str
    python: str


def read_cells(root: Path) -> set[Cell]:
    """The builds of members of the torch family that the tables in this folder have files of."""
    found: set[Cell] = set()
    for path in sorted(root.glob("*/*.json")):
        if path.stem in FAMILY and (kind_of(path.parent.name) or path.parent.name == _ROOT_FOLDER):
            found.update(_cells_of(path.parent.name, json.loads(path.read_bytes())))
    return found


def _cells_of(folder: str, table: dict[str, Any]) -> set[Cell]:
    found = set()
    for version, record in table["releases"].items():
        release, _, label = version.partition("+")
        builds = record.get("build", table["build"])
        for at, index in enumerate(record["wheels"]):
            tags, build = table["tags"][index], builds[at] if isinstance(builds, list) else builds
            name = label or ("plain" if folder == _ROOT_FOLDER else f"plain={folder}")
            # A folder also has unlabelled files of other builds, and files with labels of another kind.
            known = kind_of(label) if label else folder in (build, _ROOT_FOLDER)
            if known and platform_in(tags):
                found.add(Cell(table["name"], release, name, platform_in(tags), python_in(tags)))
    return found


def rows_of(cells: set[Cell], group: int) -> dict[str, dict[str, list[list[Any]]]]:
    """By package and release the rows ``[group, platforms, pythons, builds]`` that have exactly these cells."""
    pythons: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for cell in cells:
        pythons[cell[:4]].add(cell.python)
    builds: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (package, release, build, platform), several in sorted(pythons.items()):
        stated = () if "" in several else tuple(sorted(several, key=_in_order))
        builds[package, release, platform, stated].append(build)
    platforms: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (package, release, platform, stated), names in sorted(builds.items()):
        platforms[package, release, stated, tuple(names)].append(platform)
    rows: dict[str, dict[str, list[list[Any]]]] = {}
    for (package, release, stated, built), where in sorted(platforms.items()):
        row = [group, where, list(stated), list(built)]
        rows.setdefault(package, {}).setdefault(release, []).append(row)
    return rows


def _in_order(python: str) -> tuple[int, bool]:
    return int(python.rstrip("t").split(".")[1]), python.endswith("t")
