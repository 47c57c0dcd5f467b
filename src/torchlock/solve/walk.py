"""The first run: the best candidate of each package, as long as no later need excludes one that was picked.

Most inputs need no more. It picks what the straight run picks (``straight.py``), and stops where that one would
take a pick back. So a lock that needs no resolver does not import one.
"""

from __future__ import annotations

from torchlock.solve.picks import Picks, joined
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.solve.problem import Need, Problem, Solution


def walk(
    problem: Problem, roots: Sequence[Need], left: Mapping[str, int], *, learn: bool = True
) -> Solution | None:
    """A solution of best candidates; None if a pick would have to be taken back, or a package has no candidate.

    ``left`` limits domains. With ``learn``, every candidate that is looked at is asked for all it needs.
    """
    picks = Picks(problem, left)
    first = joined(roots)
    if not _ask(picks, first):
        return None
    while (identifier := picks.next()) is not None:
        for index in picks.in_turn(identifier):
            if learn:
                problem.learn({identifier: index})
            needs = joined(problem.needs(identifier, index))
            if all(picks.allowed(name) & mask for name, mask in needs.items()):
                break
        else:
            return None
        picks.pick(identifier, index)
        if not _ask(picks, needs):
            return None
    return picks.reached(first)


def _ask(picks: Picks, needs: Mapping[str, int]) -> bool:
    """Count these needs; return whether each has a candidate and none excludes a pick."""
    return all(picks.allowed(name) & mask and picks.ask(name, mask) for name, mask in needs.items())
