"""The terms of the solver: packages are identifiers, candidates are numbers, requirements are bitmasks.

A domain lists the candidates of one identifier, best first; bit *i* of a mask stands for candidate *i*. A need
says: if its owner is chosen, the candidate of the identifier must be one of the mask.
"""

from __future__ import annotations

from torchlock.knowledge.masks import bits, full
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Need(NamedTuple):
    """``identifier`` must be one of ``mask``; ``reason`` is only for the explanation."""

    identifier: str
    mask: int
    reason: Any = None


class Problem(Protocol):
    """A universe of candidates. Answers may be computed when needed."""

    def size(self, identifier: str) -> int:
        """The number of candidates."""

    def needs(self, identifier: str, index: int) -> Sequence[Need]:
        """The known needs of the candidate. Called often: implementations should cache."""

    def learn(self, solution: Mapping[str, int]) -> bool:
        """Fetch all requirements of these candidates; return whether new needs were found."""


# The chosen candidate of every identifier that is needed.
Solution = dict[str, int]


class Unsolvable(Exception):
    """No choice of candidates keeps every need. Never leaves this package: the caller gets a value."""


class GaveUp(Exception):
    """The search reached its limit without an answer.

    ``tries`` counts the choices that proved impossible, ``contested`` has the identifiers that most of them failed
    on, most often first.
    """

    def __init__(self, tries: int = 0, contested: Sequence[str] = ()) -> None:
        super().__init__(tries, contested)
        self.tries = tries
        self.contested = contested


def newest(
    problem: Problem, roots: Sequence[Need], limits: Mapping[str, int], solution: Mapping[str, int]
) -> bool:
    """Whether a solution is correct, and provably the newest in some order of dependents before dependencies.

    For each package in turn, every candidate that is better than the chosen one and allowed by the packages
    before it must have a need for which these packages leave no candidate. Then no solution with the same earlier
    packages contains a better one.
    """
    allowed = dict(limits)

    def hold(needs: Iterable[Need]) -> None:
        for need in needs:
            known = allowed.get(need.identifier, -1) & full(problem.size(need.identifier))
            allowed[need.identifier] = known & need.mask

    def impossible(identifier: str, index: int) -> bool:
        return any(not need.mask & allowed.get(need.identifier, -1) for need in problem.needs(identifier, index))

    hold(roots)
    for identifier in order(problem, roots, {name: 1 << index for name, index in solution.items()}):
        chosen = solution[identifier]
        better = allowed[identifier] & full(chosen)
        if any(not impossible(identifier, index) for index in bits(better)):
            return False
        hold(problem.needs(identifier, chosen))
    return not any(violations(problem, roots, limits, solution))


def order(problem: Problem, roots: Sequence[Need], left: Mapping[str, int]) -> list[str]:
    """The reachable identifiers, dependents before dependencies, else in the order of writing.

    A depth-first walk, last first, in reverse postorder; in a cycle the edge that closes it is passed over.
    """
    finished: dict[str, None] = {}
    entered: set[str] = set()
    stack = [(root.identifier, False) for root in roots]
    while stack:
        identifier, leaving = stack.pop()
        if leaving:
            finished[identifier] = None
        elif identifier not in entered:
            entered.add(identifier)
            stack.append((identifier, True))
            below = {
                need.identifier: None
                for index in bits(left[identifier])
                for need in problem.needs(identifier, index)
            }
            stack += [(name, False) for name in below if name not in entered]
    return list(reversed(finished))


def violations(
    problem: Problem, roots: Sequence[Need], limits: Mapping[str, int], solution: Mapping[str, int]
) -> Iterator[str]:
    """The errors of a solution, in words. Uses no other part of the solver."""
    needed = set()
    waiting = [("the roots", need) for need in roots]
    while waiting:
        parent, need = waiting.pop()
        index = solution.get(need.identifier)
        if index is None:
            yield f"{need.identifier}, needed by {parent}, is missing"
        elif not need.mask >> index & 1:
            yield f"{need.identifier} #{index} does not satisfy {parent}"
        elif need.identifier not in needed:
            needed.add(need.identifier)
            if not limits.get(need.identifier, -1) >> index & 1:
                yield f"{need.identifier} #{index} breaks a constraint"
            waiting += [(need.identifier, further) for further in problem.needs(need.identifier, index)]
    yield from (f"{identifier} is not needed" for identifier in solution if identifier not in needed)
