"""Notes on what a lock could not take, and on what it takes although it was withdrawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.lock.lines import dependency_of
from torchlock.matrix import specifier_set
from torchlock.solve.candidates import withdrawal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.solve.candidates import Candidate
    from torchlock.solve.core import Unit
    from torchlock.solve.universe import Universe


def refused_notes(universe: Universe, chosen: Mapping[str, Candidate], units: Sequence[Unit]) -> Iterator[str]:
    """Newer releases of what the user names that the lines admit and their own metadata rules out, newest only."""
    asked: dict[str, list[str]] = {}
    for unit in units:
        if unit.written.requirement is not None:
            dependency = dependency_of(unit.written)
            asked.setdefault(dependency.name, []).append(dependency.specifier)
    roots = {need.identifier for unit in units for need in unit.roots}
    for name in sorted(roots & asked.keys() & chosen.keys()):
        taken = chosen[name].version
        newer = [
            (version, why)
            for version, why in _refused(universe, name)
            if version > taken
            and version.is_prerelease <= taken.is_prerelease
            and all(specifier_set(specifier).contains(version) for specifier in asked[name])
        ]
        if newer:
            version, why = max(newer)
            yield f"{name} {taken} is taken, and not {version}: {why}"


def _refused(universe: Universe, name: str) -> Iterator[tuple[Version, str]]:
    for item in universe.rejected(name):
        if item.why == "unreadable":
            yield Version(item.version), item.detail
    for (other, version), why in universe.unreadable.items():
        if other == name:
            yield Version(version), why


def withdrawn_notes(chosen: Mapping[str, Candidate]) -> Iterator[str]:
    """What is locked although its publisher withdrew it (PEP 592): an exact pin asks for it."""
    for name, candidate in sorted(chosen.items()):
        if candidate.release is not None and candidate.release.yanked is not None:
            yield f"{name} {candidate.version} is {withdrawal(candidate)}"
