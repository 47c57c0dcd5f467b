"""The solver against brute force, over thousands of random universes, cyclic ones among them."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from support.amount import amount
from support.call_count import calls
from support.resolvelib_search import search
from support.universe import Universe
from torchlock.knowledge.masks import full
from torchlock.solve import problem
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import Need, order, violations
from torchlock.solve.propagate import DomainWipeout, propagate
from torchlock.solve.straight import straight

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

if TYPE_CHECKING:
    from collections.abc import Iterator


def random_universe(rng: random.Random, *, cyclic: bool) -> tuple[Universe, list[Need], dict[str, int]]:
    names = [f"p{number}" for number in range(rng.randint(2, 6))]
    sizes = {name: rng.randint(0 if rng.random() < 0.1 else 1, 4) for name in names}

    def need(name: str) -> Need:
        return Need(name, rng.getrandbits(4) & full(sizes[name]) or (1 << rng.randrange(4)) & full(sizes[name]))

    candidates: dict[str, list[list[Need]]] = {}
    for position, name in enumerate(names):
        others = [other for other in (names if cyclic else names[position + 1 :]) if other != name]
        candidates[name] = [
            [need(other) for other in rng.sample(others, rng.randint(0, min(3, len(others))))]
            for _ in range(sizes[name])
        ]
    roots = [need(name) for name in rng.sample(names, rng.randint(1, min(3, len(names))))]
    limits = {name: rng.getrandbits(4) for name in names if rng.random() < 0.1}
    return Universe(candidates), roots, limits


def solutions(universe: Universe, roots: list[Need], limits: dict[str, int]) -> Iterator[dict[str, int]]:
    """Every solution, by trying every choice of every package, absent included."""
    names = list(universe.candidates)
    for choice in itertools.product(*([None, *range(universe.size(name))] for name in names)):
        solution = {name: index for name, index in zip(names, choice, strict=True) if index is not None}
        if not any(violations(universe, roots, limits, solution)):
            yield solution


def newest(universe: Universe, roots: list[Need], limits: dict[str, int]) -> dict[str, int] | None:
    found = list(solutions(universe, roots, limits))
    if not found:
        return None
    names = order(universe, roots, propagate(universe, roots, limits).left)
    return min(found, key=lambda solution: [solution.get(name, 99) for name in names])


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(8, quick=2)))
def test_acyclic_universes_are_solved_newest_first(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(400):
        universe, roots, limits = random_universe(rng, cyclic=False)
        assert resolve(universe, roots, limits) == newest(universe, roots, limits)


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(8, quick=2)))
def test_cyclic_universes_are_solved_exactly_when_they_can_be(seed: int) -> None:
    rng = random.Random(1000 + seed)
    for _ in range(300):
        universe, roots, limits = random_universe(rng, cyclic=True)
        solution = resolve(universe, roots, limits)
        possible = next(solutions(universe, roots, limits), None)
        assert (solution is None) == (possible is None)
        if solution is not None:
            assert not list(violations(universe, roots, limits, solution))


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(8, quick=2)))
def test_the_straight_run_makes_the_picks_of_resolvelib(seed: int) -> None:
    """Wherever these are the newest: resolvelib does not take back what a withdrawn pick needed."""
    rng = random.Random(4000 + seed)
    agreed = 0
    for _ in range(400):
        universe, roots, limits = random_universe(rng, cyclic=False)
        theirs = search(universe, roots, limits, learn=True)
        if theirs is not None and problem.newest(universe, roots, limits, theirs):
            assert straight(universe, roots, limits, learn=True) == theirs
            agreed += 1
    assert agreed > 100


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(4, quick=1)))
def test_a_narrower_view_changes_no_answer(seed: int) -> None:
    """The same universe with some needs left out, looked at first: only what is impossible anyway may go."""
    rng = random.Random(3000 + seed)
    for _ in range(300):
        universe, roots, limits = random_universe(rng, cyclic=False)
        narrow = Universe(
            {
                name: [[need for need in needs if rng.random() < 0.6] for needs in candidates]
                for name, candidates in universe.candidates.items()
            }
        )
        assert resolve(universe, roots, limits, narrow) == newest(universe, roots, limits)


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(4, quick=1)))
def test_propagation_never_strikes_out_part_of_a_solution(seed: int) -> None:
    rng = random.Random(2000 + seed)
    for _ in range(200):
        universe, roots, limits = random_universe(rng, cyclic=True)
        found = list(solutions(universe, roots, limits))
        try:
            left = propagate(universe, roots, limits).left
        except DomainWipeout:
            assert not found
            continue
        assert all(left[name] >> index & 1 for solution in found for name, index in solution.items())


def leaves(count: int, versions: int) -> dict[str, list[list[Need]]]:
    return {f"leaf{number}": [[] for _ in range(versions)] for number in range(count)}


def none_left(problem: Universe, roots: list[Need]) -> None:
    assert resolve(problem, roots, {}) is None


def test_sixty_unrelated_leaves_do_not_multiply_an_impossible_input() -> None:
    """``app`` needs a low torch in every release, the user a high one; the leaves have nothing to do with it."""
    universe = leaves(60, 10)
    needs = [Need(name, full(10)) for name in universe]
    universe["torch"] = [[] for _ in range(50)]
    universe["app"] = [[*needs, Need("torch", full(50) ^ full(25))] for _ in range(29)]
    problem = Universe(universe)
    roots = [Need("app", full(29)), Need("torch", full(25))]
    assert calls(lambda: none_left(problem, roots)) < 1_000_000  # the plain search makes billions


def test_a_conflict_that_propagation_cannot_see_does_not_multiply_with_the_leaves() -> None:
    """Three packages of two candidates, any two of which exclude each other's equal: no pair of arcs is empty."""
    universe = leaves(60, 10)
    a, b = 0b01, 0b10
    universe["x"] = [[Need("y", b), Need("z", b)], [Need("y", a), Need("z", a)]]
    universe["y"] = [[Need("z", b)], [Need("z", a)]]
    universe["z"] = [[], []]
    roots = [Need(name, full(10)) for name in universe if name.startswith("leaf")]
    roots += [Need(name, full(2)) for name in ("x", "y", "z")]
    assert calls(lambda: none_left(Universe(universe), roots)) < 1_000_000


def test_a_chain_longer_than_the_stack_is_no_obstacle() -> None:
    universe = {f"p{number}": [[Need(f"p{number + 1}", 1)]] for number in range(1500)}
    universe["p1500"] = [[]]
    solution = resolve(Universe(universe), [Need("p0", 1)], {})
    assert solution is not None
    assert len(solution) == 1501


def test_a_straight_solution_visits_only_its_own_candidates() -> None:
    universe = leaves(20, 50)
    universe["app"] = [[Need(name, full(50)) for name in universe]] * 40
    problem = Universe(universe)
    assert resolve(problem, [Need("app", full(40))], {})
    assert len(problem.visited) == 21


def straight_calls(packages: int) -> int:
    """The work of a straight run over packages that all need the same hub, and over a chain."""
    universe = {
        f"p{number}": [[Need(f"p{number + 1}", 0b11), Need("hub", 0b111)]] * 2 for number in range(packages)
    }
    universe |= {f"p{packages}": [[], []], "hub": [[], [], []]}
    problem = Universe(universe)
    return calls(lambda: straight(problem, [Need("p0", 0b11)], {}, learn=True))


def test_the_straight_run_is_linear_in_packages() -> None:
    assert straight_calls(2000) < 10.5 * straight_calls(200)
