"""The versions of releases, and what a specifier set says about them."""

from __future__ import annotations

from operator import gt, lt
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.knowledge.rules import specifier_set
from torchlock.solve.candidates import parsed
from torchlock.standards.versions import plain_clauses, plain_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.knowledge.releases import Release
    from torchlock.solve.candidates import Candidate


def admitted(candidates: Iterable[Candidate], specifier: str) -> int:
    """The candidates that a specifier set admits.

    Final releases are compared with ordinary clauses as tuples, which takes a tenth of the instructions.
    """
    clauses = plain_clauses(specifier)
    mask = 0
    for index, candidate in enumerate(candidates):
        release = candidate.release
        key = None if clauses is None or release is None else plain_key(release.version)
        if key is not None and clauses is not None:
            holds = all(compare(key, bound) for compare, bound in clauses)
        else:
            holds = specifier_set(specifier).contains(candidate.version)
        if holds or candidate.unversioned:
            mask |= 1 << index
    return mask


def latest(releases: Sequence[Release]) -> Version:
    """The latest version of some releases; 0 if there are none."""
    return max(map(_version, releases), default=Version("0"))


def _version(release: Release) -> Version:
    try:
        return parsed(release.version)
    except ValueError:
        return parsed("0")


def names_later(specifier: str, latest: Version) -> bool:
    """Whether a specifier set names a later version than the latest one, except to exclude it."""
    clauses, key = plain_clauses(specifier), plain_key(str(latest))
    if clauses is not None and key is not None:
        return any(
            compare is not lt and (bound > key or (compare is gt and bound == key)) for compare, bound in clauses
        )
    for clause in SpecifierSet(specifier):
        try:
            version = Version(clause.version.removesuffix(".*"))
        except ValueError:
            continue
        if clause.operator != "<" and (version > latest or (clause.operator == ">" and version == latest)):
            return True
    return False
