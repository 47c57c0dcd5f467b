"""Which wheels of a release are known: for which Pythons, platforms and builds; by the bundled tables."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.check.index_wheels import has_wheels, wheel_version
from torchlock.knowledge.build_labels import kind_of, label_order
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.releases import Catalogue
from torchlock.records import replace
from torchlock.target import LAST_PATCH, PYTHONS, PythonVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.knowledge.releases import CatalogueRelease
    from torchlock.target import Target


@cache
def _catalogue() -> Catalogue:
    return Catalogue()


def catalogue_date() -> str:
    """The date of the tables."""
    return _catalogue().date


@cache
def _catalogue_releases(name: str) -> dict[str, CatalogueRelease]:
    return {each.version: each for each in _catalogue().releases(name) or ()}


def public_tags(name: str) -> dict[str, Sequence[str]]:
    """The releases on the public index, oldest first, with the tags of their wheels; empty if it is not known."""
    return {version: each.tags for version, each in _catalogue_releases(name).items()}


def public_release(name: str, version: str) -> CatalogueRelease | None:
    """A release on the public index; None if it is not known."""
    return _catalogue_releases(name).get(version)


def is_final(version: str) -> bool:
    """Whether this is a final release, whose version can be read."""
    try:
        return not Version(version).is_prerelease
    except ValueError:
        return False


@cache
def _withdrawn(name: str) -> frozenset[str]:
    """The releases that were withdrawn from the public index."""
    return frozenset(each.version for each in _catalogue().releases(name) or () if each.yanked is not None)


def final_releases(name: str) -> list[str]:
    """The final releases on the public index, oldest first; without withdrawn ones."""
    return [each for each in public_tags(name) if is_final(each) and each not in _withdrawn(name)]


def installs(name: str, version: str, label: str, target: Target) -> bool | Unknown:
    """Whether a wheel of this release installs on a target: of the public index ("" as label), or of a build."""
    if label:
        return has_wheels(name, version, label, target)
    release = _catalogue_releases(name).get(version)
    if release is None:
        return Unknown(f"the catalogue does not have {name} {version}", catalogue_date())
    return any(
        target.rank(tags) is not None and target.python.satisfies(release.requires_python(wheel))
        for wheel, tags in enumerate(release.tags)
    )


def pythons_with(name: str, version: str, label: str, target: Target) -> list[str]:
    """The Pythons for which a wheel of this release is known, on the platform of the target."""
    every = (PythonVersion(3, minor, LAST_PATCH.get(minor, 0)) for minor in PYTHONS)
    return [str(each) for each in every if installs(name, version, label, replace(target, python=each)) is True]


def releases_with(name: str, label: str, target: Target) -> list[str]:
    """The final releases of which a wheel for the target is known, oldest first; without withdrawn ones."""
    versions = {*(build_table().releases(name) if label else ()), *public_tags(name)} - _withdrawn(name)
    final = {Version(each): each for each in versions if is_final(each)}
    return [final[each] for each in sorted(final) if installs(name, final[each], label, target) is True]


def nearest(versions: list[str], wanted: str) -> str:
    """The first of these versions (oldest first) after the wanted one, else the last before it; "" if none."""
    later = [each for each in versions if Version(each) >= Version(wanted)]
    return later[0] if later else versions[-1] if versions else ""


def other_labels(name: str, version: str, label: str, target: Target) -> list[str]:
    """The builds of this release that are known to install on the target, the nearest to a label first."""
    labels = build_table().labels(name, version)
    known = [] if isinstance(labels, Unknown) else [each for each in labels if each and kind_of(each)]
    same = [each for each in known if kind_of(each) == kind_of(label)]
    there = [each for each in same if has_wheels(name, version, each, target) is True]
    return sorted(there, key=lambda each: distance(each, label))


def distance(label: str, wanted: str) -> tuple[int, int, object]:
    """A key that puts the builds of one kind that are nearest to a label first: by their major version."""
    one, other = _number(label), _number(wanted)
    return abs(one // 10 - other // 10), abs(one - other), label_order(label)


def _number(label: str) -> int:
    digits = "".join(each for each in label if each.isdigit())
    return int(digits) if digits else 0


def written(name: str, version: str, label: str, target: Target) -> str:
    """The version as a requirement for one build has it: ``2.0.1+cu118``, ``2.8.0`` for wheels without a label."""
    return wheel_version(name, version, label, target) if label else version


def ranges(pythons: list[str]) -> str:
    """Pythons in words: ``3.8 to 3.11``."""
    return "" if not pythons else pythons[0] if len(pythons) == 1 else f"{pythons[0]} to {pythons[-1]}"


def known_labels() -> Iterator[str]:
    """All labels of builds that the table has."""
    yield from build_table().all_labels
