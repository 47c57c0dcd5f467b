"""Where resolvelib 1.2 goes wrong, one test each: the solver as a whole must not."""

from __future__ import annotations

import pytest
from resolvelib import BaseReporter, ResolutionImpossible, Resolver
from resolvelib.resolvers import ResolutionTooDeep

from support.resolvelib_search import Provider
from support.universe import Universe
from torchlock.knowledge.masks import full
from torchlock.solve.complete import newest_first, searching
from torchlock.solve.counting import overfull
from torchlock.solve.learning import Search
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import GaveUp, Need, order, violations
from torchlock.solve.propagate import propagate
from torchlock.solve.straight import straight

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover


def plain(universe: Universe, roots: list[Need]) -> dict[str, int]:
    """What resolvelib alone answers, with its defaults."""
    result = Resolver(Provider(universe, {}, learn=False), BaseReporter()).resolve(roots)
    return {name: candidate.number for name, candidate in result.mapping.items()}


def test_a_solvable_graph_that_backjumping_calls_impossible() -> None:
    """sarugaku/resolvelib#206: the only solution is p2 1 with p1 1, and a cycle hides it."""
    universe = Universe(
        {
            "p0": [[Need("p2", 0b01)]],  # p0 2 -> p2 ==2
            "p1": [[Need("p0", 0b1)], []],  # p1 2 -> p0; p1 1 -> nothing
            "p2": [[Need("p1", 0)], [Need("p1", 0b11)]],  # p2 2 -> p1 ==3 (there is none); p2 1 -> p1
        }
    )
    roots = [Need("p2", 0b11)]
    with pytest.raises(ResolutionImpossible):
        plain(universe, roots)
    assert resolve(universe, roots, {}) == {"p2": 1, "p1": 1}


def test_more_than_a_hundred_packages() -> None:
    """``max_rounds`` is 100 by default."""
    names = [f"p{number}" for number in range(150)]
    universe = Universe({name: [[]] for name in names})
    roots = [Need(name, 0b1) for name in names]
    with pytest.raises(ResolutionTooDeep):
        plain(universe, roots)
    assert len(resolve(universe, roots, {}) or ()) == 150


def test_the_straight_run_ends_at_its_first_conflict() -> None:
    """A conflict between independent packages would have it retry every leaf in between."""
    universe = Universe(
        {
            "a": [[Need("x", 0b01)], [Need("x", 0b10)]],
            **{f"leaf{number}": [[] for _ in range(20)] for number in range(40)},
            "b": [[Need("x", 0b10)]],
            "x": [[], []],
        }
    )
    leaves = [Need(f"leaf{number}", full(20)) for number in range(40)]
    roots = [Need("a", 0b11), *leaves, Need("b", 0b1)]
    assert straight(universe, roots, {}, learn=True) is None
    solution = resolve(universe, roots, {})
    assert solution is not None
    assert (solution["a"], solution["x"]) == (1, 1)
    assert all(solution[f"leaf{number}"] == 0 for number in range(40))


def test_a_mapping_that_breaks_a_requirement_is_noticed() -> None:
    """On cyclic graphs resolvelib has returned p5 3 with p4 3 although p5 3 needs p4 in {2, 4}."""
    universe = Universe({"p5": [[Need("p4", 0b01)], [Need("p4", 0b10)]], "p4": [[Need("p5", 0b11)], []]})
    roots = [Need("p5", 0b11)]
    assert list(violations(universe, roots, {}, {"p5": 0, "p4": 1}))
    assert not list(violations(universe, roots, {}, resolve(universe, roots, {}) or {}))


def test_a_shared_dependency_follows_the_newest_of_those_that_need_it() -> None:
    """numpy is met before numba, whose newest release caps it: numba stays the newest, numpy gives way."""
    universe = Universe(
        {
            "soundfile": [[Need("numpy", 0b111)]],
            "librosa": [[Need("numba", 0b11)]],
            "numba": [[Need("numpy", 0b110)], [Need("numpy", 0b111)]],  # an old numba does not know its cap
            "numpy": [[], [], []],
        }
    )
    solution = resolve(universe, [Need("soundfile", 0b1), Need("librosa", 0b1)], {})
    assert solution == {"soundfile": 0, "librosa": 0, "numba": 0, "numpy": 1}


def pigeons(holes: int) -> tuple[Universe, list[Need]]:
    """One pigeon more than there are holes: impossible, and exponential to prove by search."""
    candidates = {
        f"p{pigeon}": [[Need(f"h{hole}", 1 << pigeon)] for hole in range(holes)] for pigeon in range(holes + 1)
    }
    candidates |= {f"h{hole}": [[] for _ in range(holes + 1)] for hole in range(holes)}
    return Universe(candidates), [Need(f"p{pigeon}", full(holes)) for pigeon in range(holes + 1)]


@pytest.mark.parametrize("holes", [3, 8, 40])
def test_pigeons_are_counted(holes: int) -> None:
    """A search would need exponentially many conflicts."""
    universe, roots = pigeons(holes)
    assert resolve(universe, roots, {}) is None
    crowd = overfull(universe, propagate(universe, roots, {}))
    assert crowd is not None
    assert (len(crowd.packages), len(crowd.shared)) == (holes + 1, holes)
    assert resolve(universe, roots[1:], {}) is not None


def test_few_pigeons_are_proved_too_many_without_counting() -> None:
    universe, roots = pigeons(5)
    search = searching(universe, roots, propagate(universe, roots, {}))
    assert search.solve() is None
    assert search.conflicts < 200


def test_many_pigeons_are_given_up_after_a_number_of_conflicts() -> None:
    universe, roots = pigeons(8)
    universe.candidates["innocent"] = [[], []]
    roots.append(Need("innocent", 0b11))
    search = searching(universe, roots, propagate(universe, roots, {}), 300)
    with pytest.raises(GaveUp) as gave_up:
        search.solve()
    assert gave_up.value.tries == 301
    assert len({f"p{pigeon}" for pigeon in range(9)} & set(gave_up.value.contested)) > 4
    assert "innocent" not in gave_up.value.contested


def test_a_solution_stays_where_a_better_one_is_not_found_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    universe, roots = pigeons(2)
    universe = Universe({**universe.candidates, "h0": [[], [], []], "h2": [[], [], []]})
    for pigeon in range(3):
        universe.candidates[f"p{pigeon}"].append([Need("h2", 1 << pigeon)])
    roots = [Need(f"p{pigeon}", 0b111) for pigeon in range(3)]
    domains = propagate(universe, roots, {})
    solve, calls = Search.solve, []

    def once(search: Search, also: tuple[str, int] | None = None) -> dict[str, int] | None:
        calls.append(also)
        if len(calls) > 1:
            raise GaveUp
        return solve(search, ("p0", 0b100))

    monkeypatch.setattr(Search, "solve", once)
    names = order(universe, roots, domains.left)
    solution = newest_first(searching(universe, roots, domains), names, domains)
    assert solution is not None
    assert not list(violations(universe, roots, {}, solution))
    assert len(calls) > 1
