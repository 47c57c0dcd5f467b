"""The straight run, by resolvelib: pick the best candidate of each package, again where a later need excludes it.

Every pick is the best candidate that the needs known so far allow and whose own needs they allow. Packages are
picked in the order in which they were first needed, which is breadth first from the roots. ``problem.newest`` says
whether the result is the newest solution, as it mostly is. When a package has no candidates left, the run stops
resolvelib: on cyclic graphs its backjumping has returned wrong mappings and missed solutions
(sarugaku/resolvelib#206), and it does not learn from conflicts.

resolvelib copies its state for each pick and looks at all packages to find the next one: for 1,000 packages that
one package needs, this took 4.9 s of processor time. A run that never goes back needs no copies. Here resolvelib
works on one state (``picks.Picks``), which shows it the next package alone, and the same run takes 0.06 s. The
methods that do so are resolvelib's own and not public, so its version is limited in pyproject.toml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible
from resolvelib.resolvers import Criterion, RequirementsConflicted, Resolution, ResolutionTooDeep
from resolvelib.structs import RequirementInformation, State

from torchlock.records import NamedTuple
from torchlock.solve.picks import Picks, joined
from torchlock.solve.problem import Need

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.solve.picks import Wish
    from torchlock.solve.problem import Problem, Solution

# The most picks for each package that was met, before the run ends without a solution.
_MOST_PICKS = 20
_MAX_ROUNDS = 10_000_000


class Chosen(NamedTuple):
    """A candidate for resolvelib."""

    identifier: str
    number: int


def straight(
    problem: Problem,
    roots: Sequence[Need],
    left: Mapping[str, int],
    *,
    learn: bool,
    wish: Wish | None = None,
) -> Solution | None:
    """A solution found without going back; None if the run found none, which proves nothing.

    ``left`` limits domains; an identifier that is not in it is unlimited. With ``learn``, every candidate that is
    looked at is asked for all it needs. ``wish`` names the candidate to try first.
    """
    picks = Picks(problem, left, wish)
    first = joined(roots)
    needs = [Need(identifier, mask) for identifier, mask in first.items()]
    try:
        _Run(_Provider(problem, learn=learn), picks).resolve(needs, max_rounds=_MAX_ROUNDS)
    except (_Stopped, ResolutionImpossible, ResolutionTooDeep):
        return None
    return picks.reached(first)


class _Stopped(Exception):
    """resolvelib is about to backtrack, or has picked too often."""


class _Provider(AbstractProvider[Need, Chosen, str]):
    """Answers resolvelib's questions about one candidate; ``Picks`` answers those about all."""

    def __init__(self, problem: Problem, *, learn: bool) -> None:
        self._problem = problem
        self._learn = learn

    def identify(self, requirement_or_candidate: Need | Chosen) -> str:
        return requirement_or_candidate.identifier

    def get_preference(self, identifier: str, *args: object, **kwargs: object) -> int:
        return 0  # the state shows one package at a time

    def find_matches(self, identifier: str, *args: object, **kwargs: object) -> list[Chosen]:
        return []  # the state has the candidates of the package that it shows

    def is_satisfied_by(self, requirement: Need, candidate: Chosen) -> bool:
        return bool(requirement.mask >> candidate.number & 1)

    def get_dependencies(self, candidate: Chosen) -> list[Need]:
        if self._learn:
            self._problem.learn({candidate.identifier: candidate.number})
        needs = joined(self._problem.needs(candidate.identifier, candidate.number))
        return [Need(identifier, mask) for identifier, mask in needs.items()]


class _Reporter(BaseReporter[Need, Chosen, str]):
    """Stops resolvelib where it would backtrack."""

    def __init__(self, picks: Picks) -> None:
        self._picks = picks

    def starting_round(self, index: int) -> None:
        if index > _MOST_PICKS * len(self._picks):
            raise _Stopped

    def resolving_conflicts(self, causes: Any) -> None:
        raise _Stopped


class _Run(Resolution[Need, Chosen, str]):
    """resolvelib's resolution over a state that it does not copy."""

    def __init__(self, provider: _Provider, picks: Picks) -> None:
        super().__init__(provider, _Reporter(picks))
        self._picks = picks
        self._only: State[Need, Chosen, str] = State(_Pins(picks), _Criteria(picks), [])  # type: ignore[arg-type]

    @property
    def state(self) -> State[Need, Chosen, str]:
        return self._only

    def _push_new_state(self) -> None:
        """No earlier state is kept: the run never goes back."""

    def _add_to_criteria(self, criteria: Any, requirement: Need, parent: Chosen | None) -> None:
        """Add a need of the user, or of a candidate that resolvelib tries.

        Raises:
            RequirementsConflicted: the picks so far allow no candidate for it, or it excludes its own parent.
        """
        allowed = self._picks.allowed(requirement.identifier) & requirement.mask
        own = parent is not None and parent.identifier == requirement.identifier
        if not allowed or (own and parent and not allowed >> parent.number & 1):
            raise RequirementsConflicted(_criterion((), requirement, parent))
        criteria[requirement.identifier] = requirement

    def _get_updated_criteria(self, candidate: Chosen) -> Any:
        """The needs of a candidate. Raises RequirementsConflicted if one of them is impossible."""
        needs: dict[str, Need] = {}
        for need in self._p.get_dependencies(candidate=candidate):
            self._add_to_criteria(needs, need, candidate)
        return needs


class _Criteria:
    """What resolvelib reads and writes instead of all criteria: those of the next package, and new needs."""

    def __init__(self, picks: Picks) -> None:
        self._picks = picks

    def __getitem__(self, identifier: str) -> Criterion[Need, Chosen]:
        candidates = (Chosen(identifier, index) for index in self._picks.in_turn(identifier))
        return _criterion(candidates, Need(identifier, self._picks.allowed(identifier)), None)

    def __setitem__(self, identifier: str, need: Need) -> None:
        self._picks.ask(identifier, need.mask)

    def update(self, needs: Mapping[str, Need]) -> None:
        for identifier, need in needs.items():
            self[identifier] = need

    def keys(self) -> tuple[str, ...]:
        """The packages that resolvelib has to look at after a pick: none, ``Picks`` withdraws what is excluded."""
        return ()

    def items(self) -> Iterator[tuple[str, Criterion[Need, Chosen]]]:
        identifier = self._picks.next()
        if identifier is not None:
            yield identifier, self[identifier]


class _Pins:
    """What resolvelib reads and writes instead of all pins: the package that it is shown has none."""

    def __init__(self, picks: Picks) -> None:
        self._picks = picks

    def __getitem__(self, identifier: str) -> Chosen:
        raise KeyError(identifier)

    def __setitem__(self, identifier: str, candidate: Chosen) -> None:
        self._picks.pick(identifier, candidate.number)

    def pop(self, identifier: str, default: None) -> None:
        """The package has no pin."""


def _criterion(candidates: Iterable[Chosen], need: Need, parent: Chosen | None) -> Criterion[Need, Chosen]:
    """A criterion of one need."""
    return Criterion(candidates, [RequirementInformation(need, parent)], [])
