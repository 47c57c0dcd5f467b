"""What each wheel on the PyTorch wheel index requires.

Two sources are joined. The rows of ``compat_data/builds/requirements.toml`` say what a build requires of its
accelerator (nvidia-*, cuda-*, triton, intel-* and the like); the wheels of the public index say what a release
requires besides, and all of it where they are that very build.
"""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.markers import InvalidMarker, Marker
from packaging.version import Version

from compiling.values import (
    TableError,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    requirement_row,
    tables_of,
    text_of,
    texts_of,
    true_of,
)
from torchlock.gathering.requirements import may_hold_on
from torchlock.knowledge.releases import Catalogue, CatalogueRelease
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.dependency import Dependency
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TABLE = Path(__file__).resolve().parents[2] / "compat_data" / "builds" / "requirements.toml"
_KEYS = {
    "package",
    "releases",
    "folders",
    "platforms",
    "kind",
    "sources",
    "checked",
    "because",
    "marker",
    "requires",
    "whole",
}
# The projects that a build requires for its accelerator. No wheel requires them for another reason.
_ACCELERATOR = ("cuda-", "nvidia-", "pytorch-triton", "triton")
# Projects whose builds differ in their code alone: every wheel of a release on one platform requires the same.
_ALIKE = (*(name for name in FAMILY if name != "torch"), "triton")
# A folder of repacked builds with this suffix has the build that the public index has.
_AS_PUBLIC = "_pypi_cudnn"

_TAGS = {"linux": ("linux", "manylinux"), "macos": ("macosx",), "windows": ("win",)}


class Row(NamedTuple):
    """What the wheels of one table require. ``whole``: that is all; else the release's common requirements too."""

    requires: tuple[Dependency, ...]
    kind: str
    sources: tuple[str, ...]
    checked: str
    whole: bool = False


Cell = tuple[str, str, str, str]


def requirements_of(package: str, version: str, folder: str, platform: str) -> list[str] | None:
    """All that a wheel requires, as PEP 508 texts, those of its extras included; None if it is not known.

    ``package`` is normalised, ``version`` has no label, ``folder`` is one of the index (``cu128``; ``root``),
    ``platform`` is like ``linux-x86_64``. Requirements that can hold on no machine of that platform are left out:
    wheels state many for other platforms. Where the wheels for one Python require more than those for another,
    the marker says so.

    Raises:
        TableError: the table of requirements is damaged.
    """
    rows, catalogue = read_rows(TABLE), _catalogue()
    row = rows.get((package, version, folder, platform)) or rows.get((package, version, "*", platform))
    public = _public_wheels(catalogue, package, version, platform)
    if row and row.whole:
        return _texts(row.requires, platform)
    if not public:
        return None
    if row:
        common = [(python, _common(needs)) for python, _, needs in public]
        return _texts([*_joined(common), *row.requires], platform)
    if package not in _ALIKE and {build for _, build, _ in public} != {folder.removesuffix(_AS_PUBLIC)}:
        return None
    return _texts(_joined([(python, needs) for python, _, needs in public]), platform)


@functools.cache
def read_rows(path: Path) -> dict[Cell, Row]:
    """The rows of ``requirements.toml``, by package, release, folder (``*``: any) and platform.

    Raises:
        TableError: the table is not of the form, or two rows are about one cell.
    """
    rows: dict[Cell, Row] = {}
    for number, table in enumerate(tables_of(read_toml(path), "requirements")):
        try:
            row = _row(table)
            for cell in _cells(table):
                if cell in rows:
                    raise TableError(f"another table is about {' '.join(cell)} too")
                rows[cell] = row
        except TableError as error:
            raise error.under(f"requirements[{number}]") from None
    return rows


def _cells(table: dict[str, Any]) -> Iterator[Cell]:
    package = text_of(table, "package")
    releases, folders, platforms = (text_of(table, key).split() for key in ("releases", "folders", "platforms"))
    for release, folder, platform in itertools.product(releases, folders, platforms):
        if platform not in PLATFORMS:
            raise TableError(f"{platform!r} is not one of {', '.join(PLATFORMS)}", "platforms")
        yield package, release, folder, platform


def _row(table: dict[str, Any]) -> Row:
    refuse_unknown(table, _KEYS)
    if "because" in table:
        text_of(table, "because")
    return Row(
        tuple(_requirements(table)),
        evidence_kind_of(table),
        tuple(texts_of(table, "sources")),
        date_of(table, "checked"),
        "whole" in table and true_of(table, "whole"),
    )


def _requirements(table: dict[str, Any]) -> Iterator[Dependency]:
    """The requirements of a table; those without a marker get the marker of the table."""
    marker = _marker_of(table) if "marker" in table else ""
    for number, text in enumerate(texts_of(table, "requires") if table.get("requires") != [] else []):
        try:
            need = Dependency.from_row(requirement_row(text))
        except TableError as error:
            raise error.under(f"requires[{number}]") from None
        yield need if need.marker else need._replace(marker=marker)


def _marker_of(table: dict[str, Any]) -> str:
    try:
        return str(Marker(text_of(table, "marker")))
    except InvalidMarker as error:
        raise TableError(f"is not a marker: {error}", "marker") from None


# A wheel: its Python (``3.12``), its build, what it requires.
_Wheel = tuple[str, str, list[Dependency]]


def _public_wheels(catalogue: Catalogue, package: str, version: str, platform: str) -> list[_Wheel]:
    """The wheels of the public index for this platform whose requirements are known, oldest Python first."""
    found = []
    for release in catalogue.releases(package) or ():
        if release.version == version:
            found = [wheel for at in range(len(release.tags)) if (wheel := _wheel(release, at, platform))]
    return sorted(found, key=lambda wheel: Version(wheel[0]))


def _wheel(release: CatalogueRelease, at: int, platform: str) -> _Wheel | None:
    python, _, platforms = release.tags[at].split("-")
    needs, build = release.dependencies(at), release.build(at)
    if not _is_for(platforms, platform) or not isinstance(needs, list):
        return None
    return _python_of(python), build if isinstance(build, str) else "", needs


def _is_for(tags: str, platform: str) -> bool:
    """Whether a wheel with these platform tags is for ``linux-x86_64`` or the like."""
    system, _, machine = platform.partition("-")
    return any(
        tag == "any" or (tag.startswith(_TAGS.get(system, ())) and tag.endswith(f"_{machine}"))
        for tag in tags.split(".")
    )


def _python_of(tag: str) -> str:
    """``cp312`` → 3.12; ``py3`` → 3."""
    digits = tag.split(".")[0].lstrip("cpy")
    return f"{digits[0]}.{digits[1:]}" if digits[1:] else digits


def _common(needs: Sequence[Dependency]) -> list[Dependency]:
    return [need for need in needs if not need.name.startswith(_ACCELERATOR)]


def _joined(wheels: Sequence[tuple[str, Sequence[Dependency]]]) -> list[Dependency]:
    """What all wheels require, and, with a marker for their Pythons, what only some of them do."""
    pythons = sorted({python for python, _ in wheels}, key=Version)
    having: dict[Dependency, set[str]] = {}
    for python, needs in wheels:
        for need in needs:
            having.setdefault(need, set()).add(python)
    return [
        need if len(some) == len(pythons) else _for_pythons(need, some, pythons) for need, some in having.items()
    ]


def _for_pythons(need: Dependency, some: set[str], pythons: list[str]) -> Dependency:
    """The requirement with a marker that holds for some of these Pythons: the newest of them, or one by one."""
    oldest = pythons[-len(some)]
    if some == set(pythons[-len(some) :]):
        marker = f'python_version >= "{oldest}"'
    else:
        marker = " or ".join(f'python_version == "{python}"' for python in pythons if python in some)
        marker = f"({marker})" if len(some) > 1 and need.marker else marker
    return need._replace(marker=f"{need.marker} and {marker}" if need.marker else marker)


def _texts(needs: Sequence[Dependency], platform: str) -> list[str]:
    return sorted({str(need) for need in needs if may_hold_on(need.marker, platform)})


@functools.cache
def _catalogue() -> Catalogue:
    return Catalogue(TABLE.parents[1] / "releases")
