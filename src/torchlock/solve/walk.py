"""The first run: the best candidate of each package, as long as no later need excludes one that was picked.

Most inputs need no more. It picks what the straight run picks (``straight.py``), and stops where that one would
take a pick back. So a lock that needs no resolver does not import one.
"""

from __future__ import annotations

from torchlock.solve.picks import Picks, joined
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.solve.picks import Wish
    from torchlock.solve.problem import Need, Problem, Solution


def walk_or_run(
    problem: Problem,
    roots: Sequence[Need],
    left: Mapping[str, int],
    *,
    learn: bool,
    wish: Wish | None = None,
) -> Solution | None:
    """The solution of a walk, else that of a straight run, which takes picks back; None if neither finds one.

    The arguments are those of ``straight``. Where a package has no candidate left, that run would end as the walk
    does.
    """
    try:
        return walk(problem, roots, left, learn=learn, wish=wish)
    except NoCandidate:
        return None
    except PickExcluded:
        from torchlock.solve.straight import straight

        return straight(problem, roots, left, learn=learn, wish=wish)


class NoCandidate(Exception):
    """The picks so far leave a package no candidate."""


class PickExcluded(Exception):
    """A need excludes a candidate that was picked."""


def walk(
    problem: Problem,
    roots: Sequence[Need],
    left: Mapping[str, int],
    *,
    learn: bool,
    wish: Wish | None = None,
) -> Solution:
    """A solution of best candidates, as ``walk_or_run`` has it.

    Raises:
        NoCandidate: a package has no candidate.
        PickExcluded: a pick would have to be taken back.
    """
    picks = Picks(problem, left, wish)
    first = joined(roots)
    if not all(picks.allowed(name) & mask for name, mask in first.items()):
        raise NoCandidate
    _ask(picks, first)
    while (identifier := picks.next()) is not None:
        for index in picks.in_turn(identifier):
            if learn:
                problem.learn({identifier: index})
            needs = joined(problem.needs(identifier, index))
            if all(picks.allowed(name) & mask for name, mask in needs.items()):
                break
        else:
            raise NoCandidate
        picks.pick(identifier, index)
        if not _ask(picks, needs):
            raise PickExcluded
    return picks.reached(first)


def _ask(picks: Picks, needs: Mapping[str, int]) -> bool:
    """Count these needs; return whether they exclude no pick."""
    return all(picks.ask(name, mask) for name, mask in needs.items())
