"""The locks of the scenarios in tests/scenarios/lock."""

from __future__ import annotations

from typing import Any

from support.fixed_source import FixedSource
from torchlock.errors import UnknownPackage
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict, Lock, Options, lock
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
