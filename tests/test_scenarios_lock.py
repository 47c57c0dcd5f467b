"""Every file of tests/scenarios/lock: a request, a target, and what the lock or the refusal must say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from support.fixed_source import FixedSource
from support.scenarios import read_toml, scenarios
from torchlock.errors import UnknownPackage
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict, Lock, Options, lock
from torchlock.lock.explain import explain
from torchlock.lock.suggest import suggestions_for
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.target import Platform, PythonVersion, Target
from torchlock.terms import Inputs, Origin

KEYS = {
    "about",
    "request",
    "python",
    "platform",
    "libraries",
    "refused",
    "says",
    "suggests",
    "lock",
    "host",
    "silent",
}
MOST_VISITS = 400

MATRIX = Matrix()
CATALOGUE = Catalogue()


def releases(name: str) -> Any:
    found = CATALOGUE.releases(name)
    if found is None:
        raise UnknownPackage(name, f"{name}: not in the catalogue")
    return found


def solve(scenario: dict[str, Any]) -> Lock | Conflict:
    requirements = [parse_requirement(text, Origin(None, None, text)) for text in scenario["request"]]
    libraries = {name: version or None for name, version in scenario.get("libraries", {}).items()}
    target = Target(
        PythonVersion.parse(scenario["python"]), Platform.parse(scenario["platform"]), libraries=libraries
    )
    return lock(Inputs(requirements=requirements), target, Options(), MATRIX, FixedSource(releases))


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
