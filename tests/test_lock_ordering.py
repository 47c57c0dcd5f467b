"""Whole locks, with versions compared as tuples and with ``packaging`` alone: every word is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.scenario_locks import KEYS, solve
from support.scenarios import read_toml, scenarios
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Lock
from torchlock.lock.explain import explain
from torchlock.lock.suggest import suggestions_for
from torchlock.report import lock_json, requirements_txt
from torchlock.standards import ordering

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover


def answer(scenario: dict[str, Any]) -> str:
    """All that a lock, or a refusal, says."""
    result = solve(scenario)
    if not isinstance(result, Lock):
        explanation = explain(result)
        return "\n".join([*explanation.steps, *suggestions_for(result, explanation.units)])
    told = {"data_date": "2026-01-01", "notes": list(result.notes), "indexes": []}
    text = requirements_txt.render(result, command="torchlock lock", data_date="2026-01-01")
    return text + lock_json.render(result, version="1", **told)


def forget() -> None:
    """Forget the answers of ``ordering``, which are cached."""
    for cached in (ordering.clauses_of, ordering.tester):
        getattr(cached, "cache_clear", lambda: None)()


@pytest.fixture
def by_packaging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A function after which no version and no specifier set is a common one."""

    def change() -> None:
        forget()
        monkeypatch.setattr(ordering, "key_of", lambda version: None)
        monkeypatch.setattr(ordering, "clauses_of", lambda specifier: None)
        monkeypatch.setattr("support.scenario_locks.MATRIX", Matrix())

    yield change
    monkeypatch.undo()
    forget()


@scenarios("lock")
def test_a_lock_is_the_same(path: Path, by_packaging: Callable[[], None]) -> None:
    scenario = read_toml(path, KEYS)
    found = answer(scenario)
    by_packaging()
    assert not ordering.is_exact("") and ordering.key_of("1.0") is None
    assert answer(scenario) == found
