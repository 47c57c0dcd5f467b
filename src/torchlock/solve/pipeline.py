"""Search; if that is not enough, propagate, search again, search completely; then verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.solve.complete import newest_first
from torchlock.solve.problem import newest, violations
from torchlock.solve.propagate import DomainWipeout, propagate, shave
from torchlock.solve.straight import straight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.solve.problem import Need, Problem, Solution


def resolve(
    problem: Problem,
    roots: Sequence[Need],
    limits: Mapping[str, int],
    anchored: Problem | None = None,
) -> Solution | None:
    """The newest-first solution, verified; None if there is none.

    ``anchored`` is the same problem with fewer needs, so it is cheap: candidates that are impossible there are
    removed first, so that the search rarely meets a conflict. The search works out only the candidates it meets,
    which is all that most inputs need. Full propagation looks at every candidate within reach, and alone settles
    nearly all of the inputs that are left.

    Raises:
        GaveUp: the search reached its limit.
    """
    try:
        if anchored is not None:
            domains = propagate(anchored, roots, limits)
            shave(domains, dict.fromkeys(root.identifier for root in roots))
            limits = {**limits, **domains.left}
        solution = straight(problem, roots, limits, learn=True)
        if solution is not None and newest(problem, roots, limits, solution):
            return solution
        while (solution := _settle(problem, roots, limits)) is not None and problem.learn(solution):
            pass
    except DomainWipeout:
        return None
    if solution is not None and (wrong := list(violations(problem, roots, limits, solution))):
        raise AssertionError(f"the solver contradicts itself: {'; '.join(wrong)}")
    return solution


def _settle(problem: Problem, roots: Sequence[Need], limits: Mapping[str, int]) -> Solution | None:
    """The newest solution as far as needs are known: those of releases on live indexes may be unknown.

    If a solution contains a release whose needs were known only in part, they are fetched and the search is
    repeated.
    """
    domains = propagate(problem, roots, limits)
    solution = straight(problem, roots, domains.left, learn=False)
    if solution is None or not newest(problem, roots, domains.left, solution):
        solution = newest_first(problem, roots, domains)
    return solution
