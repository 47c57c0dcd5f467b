"""A walk; if that is not enough, a straight run, propagation, a run again, a complete search; then verify."""

from __future__ import annotations

from torchlock.solve.problem import newest, order, violations
from torchlock.solve.propagate import DomainWipeout, propagate, shave
from torchlock.solve.walk import walk_or_run
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.solve.learning import Search
    from torchlock.solve.problem import Need, Problem, Solution


def resolve(
    problem: Problem,
    roots: Sequence[Need],
    limits: Mapping[str, int],
    anchored: Problem | None = None,
) -> Solution | None:
    """The newest-first solution, verified; None if there is none.

    ``anchored`` is the same problem with fewer needs, so it is cheap: candidates that are impossible there are
    removed first, so that the run rarely meets a conflict. The run works out only the candidates it meets,
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
        solution = walk_or_run(problem, roots, limits, learn=True)
        if solution is not None and newest(problem, roots, limits, solution):
            return solution
        solution = _settle(problem, roots, limits)
    except DomainWipeout:
        return None
    if solution is not None and (wrong := list(violations(problem, roots, limits, solution))):
        raise AssertionError(f"the solver contradicts itself: {'; '.join(wrong)}")
    return solution


def _settle(problem: Problem, roots: Sequence[Need], limits: Mapping[str, int]) -> Solution | None:
    """The newest solution, after propagation over all that is within reach.

    The needs of releases on live indexes may be known only in part. If a solution contains such a release, its
    needs are fetched, and the domains and what was learned from conflicts are kept: needs only remove solutions.
    """
    from torchlock.solve.complete import newest_first, searching
    from torchlock.solve.counting import overfull
    from torchlock.solve.straight import straight

    domains = propagate(problem, roots, limits)
    search: Search | None = None
    while True:
        solution = straight(problem, roots, domains.left, learn=False)
        if solution is None or not newest(problem, roots, domains.left, solution):
            if overfull(problem, domains):
                return None
            search = search or searching(problem, roots, domains)
            solution = newest_first(search, order(problem, roots, domains.left), domains)
        if solution is None or not problem.learn(solution):
            return solution
        renewed = domains.renew(solution)
        if search is not None:
            search.renew(renewed)
