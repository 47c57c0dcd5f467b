"""Search, and where that is not enough propagate, search again, search completely; then verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.solve.complete import newest_first
from torchlock.solve.problem import straight, violations
from torchlock.solve.propagate import Wipeout, propagate
from torchlock.solve.search import search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.solve.problem import Need, Problem, Solution


def resolve(problem: Problem, roots: Sequence[Need], limits: Mapping[str, int]) -> Solution | None:
    """The newest-first solution, verified; None if there is none.

    The first search works out only the candidates it meets, which is all that most inputs need. Propagation
    looks at every candidate within reach, and alone settles nearly all inputs that cannot be solved.

    Raises:
        GaveUp: the search reached its limit.
    """
    solution = search(problem, roots, limits)
    if solution is not None and straight(problem, roots, limits, solution):
        return solution
    try:
        domains = propagate(problem, roots, limits)
    except Wipeout:
        return None
    solution = search(problem, roots, domains.left)
    if solution is None or not straight(problem, roots, domains.left, solution):
        solution = newest_first(problem, roots, domains)
    if solution is not None and (wrong := list(violations(problem, roots, limits, solution))):
        raise AssertionError(f"the solver contradicts itself: {'; '.join(wrong)}")
    return solution
