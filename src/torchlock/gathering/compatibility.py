"""The compatibility table: which releases of the stack fit which torch, and where, from catalogue and rules.

Nothing is stated here: every bit is an answer of the judge on two pins, or of the filter of candidates that the
solver uses. ``scripts/compile_compatibility.py`` writes the bundled table, ``torchlock data update`` one for the
user.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.gathering.pairs import PARTNERS, Kept, shared
from torchlock.knowledge.judge import violations
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import STACK
from torchlock.knowledge.unchanged import State
from torchlock.solve.candidates import CandidateFilter, Policy
from torchlock.target import PLATFORMS, PYTHONS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.gathering.pairs import Known, Pair
    from torchlock.knowledge.releases import Catalogue, CatalogueRelease
    from torchlock.knowledge.rules import Matrix
    from torchlock.solve.candidates import Candidate
    from torchlock.standards.dependency import Dependency

_LABEL = re.compile(r"\+[\w.]+")


def text_of(catalogue: Catalogue, matrix: Matrix, known: Known | None = None) -> str:
    """The file of the table. Releases in ``known``, of which the data say the same, are not judged.

    The text is the same without ``known``.
    """
    return json.dumps(digest(catalogue, matrix, known), separators=(",", ":")) + "\n"


def judged(catalogue: Catalogue, name: str, platform: str = "") -> list[CatalogueRelease]:
    """The releases of a project of which the data say what they work with, on a platform or on any."""
    judged = (release for release in catalogue.releases(name) or () if release.is_judged)
    return [release for release in judged if not platform or platform not in release.lacks]


class Pinned(NamedTuple):
    """A candidate, with only what one question is about: its build, or what it declares, may be left out."""

    name: str
    version: Version
    text: str
    tags: str
    build: str | Unknown | None
    dependencies: Sequence[Dependency]
    unversioned: bool = False


class Cell(NamedTuple):
    """One Python on one platform, with the candidates of every package there."""

    target: Target
    platform: int
    bit: int
    candidates: dict[str, dict[str, Candidate]]


def cells(catalogue: Catalogue) -> Iterator[Cell]:
    """Every cell: bit ``platform * len(PYTHONS) + python``."""
    policy = Policy(all_pre=True, pinned=STACK)
    for platform, name in enumerate(PLATFORMS):
        for python, minor in enumerate(PYTHONS):
            target = Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(name))
            candidate_filter = CandidateFilter(target, policy)
            candidates = {
                package: {
                    candidate.release.version: candidate
                    for candidate in candidate_filter.sort(package, judged(catalogue, package, name))[0]
                    if candidate.release is not None
                }
                for package in STACK
            }
            yield Cell(target, platform, platform * len(PYTHONS) + python, candidates)


def digest(catalogue: Catalogue, matrix: Matrix, known: Known | None = None) -> dict[str, Any]:
    """The whole table."""
    order = {name: [release.version for release in judged(catalogue, name)] for name in STACK}
    order = {name: sorted(set(versions), key=Version) for name, versions in order.items()}
    available = {name: dict.fromkeys(versions, 0) for name, versions in order.items()}
    builds: dict[str, dict[str, list[Any]]] = {
        name: {version: [None] * len(PLATFORMS) for version in versions} for name, versions in order.items()
    }
    kept = Kept(known, State(catalogue, matrix), order["torch"])
    pairs = {name: {version: kept.pair(name, version) for version in order[name]} for name in PARTNERS}
    for cell in cells(catalogue):
        for name in STACK:
            for version, candidate in cell.candidates[name].items():
                available[name][version] |= 1 << cell.bit
                build = candidate.build
                builds[name][version][cell.platform] = None if isinstance(build, Unknown) else build
        places = {version: place for place, version in enumerate(order["torch"])}
        torches = {places[version]: _forms(torch) for version, torch in cell.candidates["torch"].items()}
        for name in PARTNERS:
            for version, partner in cell.candidates[name].items():
                pair = pairs[name][version]
                new = {place: torch for place, torch in torches.items() if not pair.known >> place & 1}
                if new or not pair.known:
                    _judge(pair, _forms(partner), cell, new, matrix)
    packages = {name: _package(catalogue, name, order[name], available[name], builds[name]) for name in STACK}
    return {
        "pythons": list(PYTHONS),
        "platforms": list(PLATFORMS),
        "packages": packages,
        "pairs": {name: [pair.row() for pair in pairs[name].values()] for name in PARTNERS},
    }


class _Forms(NamedTuple):
    """A candidate for each question: without build and metadata, with its build, and with its metadata."""

    bare: Pinned
    built: Pinned
    declaring: Pinned


def _forms(candidate: Candidate) -> _Forms:
    return _Forms(
        _pinned(candidate, build=None, declares=False),
        _pinned(candidate, build=candidate.build, declares=False),
        _pinned(candidate, build=None),
    )


def _judge(pair: Pair, partner: _Forms, cell: Cell, torches: Mapping[int, _Forms], matrix: Matrix) -> None:
    pair.asks = pair.asks or any(dependency.name == "torch" for dependency in partner.declaring.dependencies)
    for place, torch in torches.items():
        bit = 1 << place
        allowed = bit if _allows(partner.declaring, torch.bare, cell) else 0
        if _together((torch.bare, partner.bare), cell, matrix):
            pair.works |= bit
            pair.fits |= allowed
        metadata = _violations((torch.declaring, partner.declaring), cell, matrix)
        if not any(violation.statement is None for violation in metadata):
            pair.declared[cell.platform] |= bit
        if _together((torch.built, partner.built), cell, matrix):
            pair.loads[cell.platform] |= allowed


def _allows(partner: Pinned, torch: Pinned, cell: Cell) -> bool:
    """Whether metadata allows this torch, whatever label it asks for (``torch==2.0.0+cu117``)."""
    asked = (each for each in partner.dependencies if each.name == "torch" and cell.target.holds(each.marker))
    return all(specifier_set(_LABEL.sub("", each.specifier)).contains(torch.version) for each in asked)


def _together(pins: Iterable[Pinned], cell: Cell, matrix: Matrix) -> bool:
    return not _violations(pins, cell, matrix)


def _violations(pins: Iterable[Pinned], cell: Cell, matrix: Matrix) -> list[Any]:
    names = {pin.name: pin for pin in pins}
    return [
        violation
        for violation in violations(names, cell.target, matrix, complete=False)
        if (violation.dependency is None and violation.pinned.name in names)
        or (violation.dependency is not None and violation.dependency.name in (*names, "build-cuda"))
    ]


def _declared(candidate: Candidate) -> Sequence[Dependency]:
    """What a candidate declares; nothing for a source distribution, which is judged by rules alone."""
    declared = candidate.dependencies
    return () if isinstance(declared, Unknown) else declared


def _pinned(candidate: Candidate, *, build: str | Unknown | None, declares: bool = True) -> Pinned:
    dependencies = _declared(candidate) if declares else ()
    return Pinned(candidate.name, candidate.version, candidate.text, candidate.tags, build, dependencies)


def _package(
    catalogue: Catalogue,
    name: str,
    versions: Sequence[str],
    available: dict[str, int],
    builds: dict[str, list[Any]],
) -> dict[str, Any]:
    releases = {release.version: release for release in judged(catalogue, name)}
    return {
        "versions": list(versions),
        "cells": [available[version] for version in versions],
        "yanked": [index for index, version in enumerate(versions) if releases[version].yanked is not None],
        "builds": [shared(builds[version]) for version in versions],
        "date": max(release.date for release in releases.values()),
        "unproven": {version: _places(release) for version, release in releases.items() if release.lacks},
    }


def _places(release: CatalogueRelease) -> list[int]:
    """The platforms on which it is not known what a release works with."""
    return [index for index, name in enumerate(PLATFORMS) if name in release.lacks]
