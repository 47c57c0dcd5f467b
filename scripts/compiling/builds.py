"""``builds/published.toml``: the builds of each release on the PyTorch wheel index."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from compiling.build_files import SOURCE, Cell, read_cells, rows_of
from compiling.values import (
    TableError,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    tables_of,
    text_of,
    texts_of,
)
from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.releases import Catalogue

_BUILDS_KEYS = {"package", "complete", "index", "kind", "sources", "checked", "rows", "never"}
_PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-amd64", "windows-arm64", "macos-arm64", "macos-x86_64")


def _pythons(text: str) -> list[str]:
    """``2.7 3.5-3.7`` → 2.7, 3.5, 3.6, 3.7."""
    found = []
    for word in text.split():
        match = re.fullmatch(r"(\d)\.(\d+)(?:-\1\.(\d+))?(t?)", word)
        if not match:
            raise TableError(f"{word!r} is not like 3.9, 3.9-3.13 or 3.13t")
        last = int(match[3] or match[2])
        found += [f"{match[1]}.{minor}{match[4]}" for minor in range(int(match[2]), last + 1)]
    return found


# A release with its platforms, Pythons and builds.
_Release = tuple[str, list[list[str]]]


def _build_row(row: Any) -> list[_Release]:
    """One row of builds: each release with its platforms, Pythons and builds."""
    if not isinstance(row, list) or len(row) != 4 or not all(isinstance(cell, str) for cell in row):
        raise TableError("must be a list of four texts: releases, platforms, Pythons, builds")
    releases, platforms, pythons, builds = (cell.split() for cell in row)
    if not releases or not builds:
        raise TableError("must name a release and a build")
    _check_platforms(platforms)
    for build in builds:
        if build != "plain" and not kind_of(build.removeprefix("plain=")):
            raise TableError(f"{build!r} is not like cpu, cu118, rocm6.2, xpu, plain or plain=cu102")
    return [(_release(release), [platforms, _pythons(" ".join(pythons)), builds]) for release in releases]


def _check_platforms(platforms: list[str]) -> None:
    for platform in platforms:
        if platform not in _PLATFORMS:
            raise TableError(f"{platform!r} is not one of {', '.join(_PLATFORMS)}")


def _never_row(item: Any) -> list[_Release]:
    """One row of builds that never were: each release with all of them, and the platforms (none: all)."""
    if not isinstance(item, list) or len(item) != 3 or not all(isinstance(cell, str) for cell in item):
        raise TableError("must be a list of three texts: releases, platforms, builds")
    releases, platforms, builds = (cell.split() for cell in item)
    _check_platforms(platforms)
    for build in builds:
        if not kind_of(build):
            raise TableError(f"{build!r} is not like cpu, cu118, rocm6.2 or xpu")
    return [(_release(release), [platforms, [], [f"!{build}" for build in builds]]) for release in releases]


def _release(text: str) -> str:
    try:
        if Version(text).local is None:
            return text
    except InvalidVersion:
        pass
    raise TableError(f"{text!r} is not a version without a label")


def _builds(table: dict[str, Any]) -> tuple[str, dict[str, Any], list[_Release]]:
    """One table of builds: its package, its grounds, its rows one for each release."""
    refuse_unknown(table, _BUILDS_KEYS)
    group: dict[str, Any] = {
        "kind": evidence_kind_of(table),
        "sources": texts_of(table, "sources"),
        "checked": date_of(table, "checked"),
    }
    if "complete" in table:
        group["complete"] = table["complete"] if table["complete"] is True else texts_of(table, "complete")
        if group["complete"] is not True and not set(group["complete"]) <= {"cpu", "cuda", "rocm", "xpu"}:
            raise TableError("must be true, or some of cpu, cuda, rocm, xpu", "complete")
    if "index" in table:
        group["index"] = text_of(table, "index")
    rows = []
    for number, row in enumerate(table.get("rows", ())):
        try:
            rows += _build_row(row)
        except TableError as error:
            raise error.under(f"rows[{number}]") from None
    for number, item in enumerate(table.get("never", ())):
        try:
            rows += _never_row(item)
        except TableError as error:
            raise error.under(f"never[{number}]") from None
    return canonicalize_name(text_of(table, "package")), group, rows


def read_builds(root: Path, sources: dict[str, dict[str, str]], folder: Path) -> dict[str, Any]:
    """``builds/``: groups of grounds, and by package and release the rows that rest on them.

    The rows are those of ``published.toml``, and those of the tables of files for what it does not have.
    ``partners`` is taken from the metadata of the wheels, in ``folder``: the torch that a release was built with.

    Raises:
        TableError: a table is not of the form, or a source is not known.
    """
    groups, packages = _read_published(root / "published.toml", sources)
    catalogue = Catalogue(folder) if folder.is_dir() else None
    cells = read_cells(root / "files") - _certain_cells(groups, packages)
    if cells:
        if SOURCE not in sources:
            raise TableError(f"{SOURCE!r} is not in sources.toml", "files")
        date = (root / "DATE").read_text(encoding="ascii").strip()
        for package, releases in rows_of(cells, len(groups)).items():
            for release, rows in releases.items():
                packages.setdefault(package, {}).setdefault(release, []).extend(rows)
        groups.append({"kind": "reported", "sources": [SOURCE], "checked": date})
    cited = {source for group in groups for source in group["sources"]}
    return {
        "groups": groups,
        "packages": packages,
        "partners": {package: partners(catalogue, package) if catalogue else {} for package in packages},
        "sources": {source: sources[source] for source in cited},
    }


# Package → release → rows [group, platforms, Pythons, builds].
_Packages = dict[str, dict[str, list[list[Any]]]]


def _read_published(path: Path, sources: dict[str, dict[str, str]]) -> tuple[list[dict[str, Any]], _Packages]:
    """The groups of grounds of ``published.toml``, and its rows."""
    groups: list[dict[str, Any]] = []
    packages: _Packages = {}
    table = read_toml(path)
    try:
        refuse_unknown(table, {"builds"})
        for number, item in enumerate(tables_of(table, "builds")):
            try:
                package, group, rows = _builds(item)
                for source in group["sources"]:
                    if source not in sources:
                        raise TableError(f"{source!r} is not in sources.toml", "sources")
            except TableError as error:
                raise error.under(f"builds[{number}]") from None
            for release, cells in rows:
                packages.setdefault(package, {}).setdefault(release, []).append([len(groups), *cells])
            groups.append(group)
    except TableError as error:
        error.file = path.name
        raise
    return groups, packages


def _certain_cells(groups: list[dict[str, Any]], packages: _Packages) -> set[Cell]:
    """The cells that lists of all builds already have: a file adds nothing to those."""
    return {
        Cell(package, release, build, platform, python)
        for package, releases in packages.items()
        for release, rows in releases.items()
        for group, platforms, pythons, builds in rows
        if "complete" in groups[group]
        for build in builds
        for platform in platforms
        for python in pythons
    }


def partners(catalogue: Catalogue, package: str) -> dict[str, str]:
    """Release → the one release of torch that it was built with: that which each of its wheels declares."""
    found = {}
    for release in catalogue.releases(package) or ():
        declared = [release.dependencies(wheel) for wheel in range(len(release.tags))]
        needs = [each for each in declared if not isinstance(each, Unknown)]
        pins = {need.specifier for each in needs for need in each if need.name == "torch"}
        pin = re.fullmatch(r"==([\d.]+)(?:\+\w+)?", pins.pop()) if len(pins) == 1 else None
        if pin:
            found[release.version] = pin[1]
    return found
