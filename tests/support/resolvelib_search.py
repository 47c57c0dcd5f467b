"""resolvelib as it is, without backtracking: the straight run of the solver must make the same picks.

It is stopped when a package has no candidates left: on cyclic graphs its backjumping has returned wrong mappings
and missed solutions (sarugaku/resolvelib#206), and it does not learn from conflicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, Resolver
from resolvelib.resolvers import ResolutionTooDeep

from torchlock.knowledge.masks import bits, full
from torchlock.records import NamedTuple
from torchlock.solve.problem import Need, Solution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.solve.problem import Problem

_MAX_ROUNDS = 20_000


class Chosen(NamedTuple):
    """A candidate for resolvelib."""

    identifier: str
    number: int


class _Conflict(Exception):
    """resolvelib is about to backtrack."""


class _Reporter(BaseReporter[Need, Chosen, str]):
    def resolving_conflicts(self, causes: Any) -> None:
        raise _Conflict


class Provider(AbstractProvider[Need, Chosen, str]):
    """Answers resolvelib's questions from bitmasks.

    Preference: the order in which identifiers were first needed, which is breadth first from the roots.
    """

    def __init__(self, problem: Problem, left: Mapping[str, int], *, learn: bool) -> None:
        self._problem = problem
        self._learn = learn
        self._left = left
        self._met: dict[str, int] = {}

    def identify(self, requirement_or_candidate: Need | Chosen) -> str:
        return requirement_or_candidate.identifier

    def get_preference(self, identifier: str, *args: object, **kwargs: object) -> int:
        return self._met.setdefault(identifier, len(self._met))

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Need]],
        incompatibilities: Mapping[str, Iterator[Chosen]],
    ) -> list[Chosen]:
        mask = full(self._problem.size(identifier)) & self._left.get(identifier, -1)
        for need in requirements[identifier]:
            mask &= need.mask
        for candidate in incompatibilities[identifier]:
            mask &= ~(1 << candidate.number)
        return [Chosen(identifier, index) for index in bits(mask)]

    def is_satisfied_by(self, requirement: Need, candidate: Chosen) -> bool:
        return bool(requirement.mask >> candidate.number & 1)

    def get_dependencies(self, candidate: Chosen) -> Sequence[Need]:
        if self._learn:
            self._problem.learn({candidate.identifier: candidate.number})
        needs = self._problem.needs(candidate.identifier, candidate.number)
        for need in needs:
            self._met.setdefault(need.identifier, len(self._met))
        return joined(needs)


def joined(needs: Sequence[Need]) -> Sequence[Need]:
    """One need for each identifier: resolvelib looks at all earlier ones of it again for each that it is given."""
    found: dict[str, Need] = {}
    for need in needs:
        known = found.get(need.identifier)
        found[need.identifier] = need._replace(mask=need.mask & known.mask) if known else need
    return needs if len(found) == len(needs) else list(found.values())


def search(problem: Problem, roots: Sequence[Need], left: Mapping[str, int], *, learn: bool) -> Solution | None:
    """A solution found without backtracking, or None.

    ``left`` limits domains; an identifier that is not in it is unlimited. With ``learn``, every candidate
    picked is asked for all it needs.
    """
    provider = Provider(problem, left, learn=learn)
    for root in roots:
        provider.get_preference(root.identifier)
    try:
        result = Resolver(provider, _Reporter()).resolve(joined(roots), max_rounds=_MAX_ROUNDS)
    except (_Conflict, ResolutionImpossible, ResolutionTooDeep, RecursionError):
        return None
    return {identifier: candidate.number for identifier, candidate in result.mapping.items()}
