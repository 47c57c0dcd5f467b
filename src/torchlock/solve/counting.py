"""The proof by counting: more packages than there are others, each of which only one of them can have.

A search that learns needs exponentially many conflicts for such a proof (Haken 1985: the pigeonhole principle);
a matching needs a few steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.knowledge.masks import bits
from torchlock.records import NamedTuple

if TYPE_CHECKING:
    from torchlock.solve.problem import Problem
    from torchlock.solve.propagate import Domains


class Overfull(NamedTuple):
    """Each of ``packages`` needs one of ``shared`` in a release that suits no other of them, and they are more."""

    packages: tuple[str, ...]
    shared: tuple[str, ...]


def overfull(problem: Problem, domains: Domains) -> Overfull | None:
    """Packages of every solution that exclude each other by their number; None if counting shows nothing."""
    needs = _needs(problem, domains)
    exclusive = _exclusive(needs)
    edges = {
        package: dict.fromkeys(name for each in candidates for name in each if name in exclusive)
        for package, candidates in needs.items()
        if all(any(name in exclusive for name in each) for each in candidates)
    }
    holder: dict[str, str] = {}
    for package in edges:
        reached = _place(package, edges, holder)
        if reached is not None:
            return reached
    return None


def _needs(problem: Problem, domains: Domains) -> dict[str, list[dict[str, int]]]:
    """What each remaining candidate of the packages of every solution needs: a mask for each identifier."""
    found: dict[str, list[dict[str, int]]] = {}
    for package in domains.must:
        found[package] = []
        for index in bits(domains.left[package]):
            mine: dict[str, int] = {}
            for need in problem.needs(package, index):
                left = domains.left[need.identifier]
                mine[need.identifier] = mine.get(need.identifier, left) & need.mask
            found[package].append(mine)
    return found


def _exclusive(needs: dict[str, list[dict[str, int]]]) -> set[str]:
    """The identifiers of which several packages need releases, and no two of them the same."""
    users: dict[str, dict[str, int]] = {}
    for package, candidates in needs.items():
        for each in candidates:
            for name, mask in each.items():
                asked = users.setdefault(name, {})
                asked[package] = asked.get(package, 0) | mask
    return {name for name, asked in users.items() if len(asked) > 1 and _disjoint(asked)}


def _disjoint(masks: dict[str, int]) -> bool:
    seen = 0
    for mask in masks.values():
        if seen & mask:
            return False
        seen |= mask
    return True


def _place(package: str, edges: dict[str, dict[str, None]], holder: dict[str, str]) -> Overfull | None:
    """Give a package one of the identifiers that it can have, and move others if need be (an augmenting path).

    Returns what was reached if that is impossible: these packages are more than these identifiers.
    """
    wanted_by: dict[str, str] = {}
    waiting = [package]
    for each in waiting:
        for name in edges[each]:
            if name in wanted_by:
                continue
            wanted_by[name] = each
            if name not in holder:
                _move(name, package, wanted_by, holder)
                return None
            waiting.append(holder[name])
    return Overfull(tuple(waiting), tuple(wanted_by))


def _move(name: str, package: str, wanted_by: dict[str, str], holder: dict[str, str]) -> None:
    """Hand each identifier on the path to the package that wants it."""
    given = {holding: each for each, holding in holder.items()}
    while True:
        taker = wanted_by[name]
        before = given.get(taker)
        holder[name] = taker
        if taker == package or before is None:
            return
        name = before
