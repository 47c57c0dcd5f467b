"""Every file of tests/scenarios/lock: a request, a target, and what the lock or the refusal must say."""

from __future__ import annotations

from pathlib import Path

from packaging.specifiers import SpecifierSet

from support.scenario_locks import KEYS, solve
from support.scenarios import read_toml, scenarios
from torchlock.lock import Conflict, Lock
from torchlock.lock.explain import explain
from torchlock.lock.suggest import suggestions_for

MOST_VISITS = 400


@scenarios("lock")
def test_scenario(path: Path) -> None:
    scenario = read_toml(path, KEYS)
    result = solve(scenario)
    if scenario.get("refused"):
        assert isinstance(result, Conflict), f"locked: {pins(result)}"
        explanation = explain(result)
        text = "\n".join([*explanation.steps, *(source.address for source in explanation.sources)])
        assert explanation.steps
        for words in scenario.get("says", ()):
            assert words in text
        suggestions = "\n".join(suggestions_for(result, explanation.units))
        for words in scenario.get("suggests", ()):
            assert words in suggestions
        return
    assert isinstance(result, Lock), explain(result).steps
    assert result.visited <= MOST_VISITS
    found = pins(result)
    for name, wanted in scenario["lock"].items():
        expect(found.get(name), name, wanted)
    assert all(pin.files for pin in result.pins)
    host = {(note.kind, note.library) for note in result.host}
    for entry in scenario.get("host", ()):
        assert tuple(entry.split()) in host
    for entry in scenario.get("silent", ()):
        assert tuple(entry.split()) not in host


def expect(version: str | None, name: str, wanted: str) -> None:
    """``wanted`` is a specifier, ``absent``, or a specifier followed by ``or absent``."""
    specifier = wanted.removesuffix("or absent").strip()
    if version is None:
        assert "absent" in wanted, f"{name} is missing"
    else:
        assert specifier != "absent", f"{name} {version} is in"
        assert SpecifierSet(specifier).contains(version, prereleases=True), f"{name} {version} is not {specifier}"


def pins(result: Lock | Conflict) -> dict[str, str]:
    assert isinstance(result, Lock)
    return {pin.name: pin.version for pin in result.pins}
