"""The complete search, for problems that arc consistency and the straight run do not solve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.knowledge.masks import full
from torchlock.solve.learning import Search
from torchlock.solve.problem import GaveUp, Solution, order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.solve.problem import Need, Problem
    from torchlock.solve.propagate import Domains

MOST_CONFLICTS = 20_000


def searching(problem: Problem, roots: Sequence[Need], domains: Domains, most: int = MOST_CONFLICTS) -> Search:
    """A search within these domains; it decides packages in the order of ``problem.order``."""
    names = order(problem, roots, domains.left)
    search = Search(problem, domains.left, {name: rank for rank, name in enumerate(names)}, most=most)
    for root in roots:
        search.require(root.identifier, root.mask)
    return search


def newest_first(search: Search, names: Sequence[str], domains: Domains) -> Solution | None:
    """The solution whose packages are each the best possible, taken in the order of ``names``; or None.

    The first package gets the best candidate of any solution, the second the best of any solution with that,
    and so on. If the search for a better candidate gives up, the one that was found stays.

    Raises:
        GaveUp: too many conflicts, and no solution so far.
    """
    found = search.solve()
    if found is None:
        return None
    for name in names:
        while name in found and (better := domains.left[name] & full(found[name])):
            try:
                improved = search.solve((name, better))
            except GaveUp:
                break
            if improved is None:
                break
            found = improved
        if name in found:
            search.fix(name, 1 << found[name])
    return found
