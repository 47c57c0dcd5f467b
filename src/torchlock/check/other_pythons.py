"""Requirements on the torch family that no releases meet on this Python, and some do on another one (TL527)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from torchlock.check import known_wheels as wheels
from torchlock.check.installer_findings import Told, in_python
from torchlock.errors import TorchlockError
from torchlock.finding import Remedy
from torchlock.index.sources import Sources
from torchlock.knowledge.rules import specifier_set
from torchlock.lock import Lock, Options, lock
from torchlock.target import LAST_PATCH, PYTHONS, PythonVersion
from torchlock.terms import Inputs, Origin, ParsedRequirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.target import Target


def of_another_python(context: CheckContext, asked: Installation, wanted: Mapping[str, str]) -> Told | None:
    """The Python on which requirements (name → specifier) are met; None if this one does, or no other does."""
    target = context.target
    if target is None or "torch" not in wanted or len(wanted) < 2 or _releases(context, wanted, target):
        return None
    for python in _others(target.python):
        found = _releases(context, wanted, replace(target, python=python))
        if found and all(specifier_set(wanted[name]).contains(found[name]) for name in wanted):
            return _told(context, asked, wanted, str(python), found)
    return None


def _others(own: PythonVersion) -> Iterator[PythonVersion]:
    """The Pythons before this one, the nearest first, then those after it."""
    every = [PythonVersion(3, minor, LAST_PATCH.get(minor, 0)) for minor in PYTHONS]
    yield from sorted((each for each in every if each.minor < own.minor), key=lambda each: -each.minor)
    yield from sorted((each for each in every if each.minor > own.minor), key=lambda each: each.minor)


def _releases(context: CheckContext, wanted: Mapping[str, str], target: Target) -> dict[str, str]:
    """Releases that meet the requirements together; empty if there are none."""
    lines = [f"{name}{specifier}" for name, specifier in wanted.items()]
    inputs = Inputs([ParsedRequirement(Requirement(line), Origin(None, None, line)) for line in lines], [])
    try:
        found = lock(inputs, target, Options(), context.matrix, Sources(offline=True))
    except TorchlockError:
        return {}
    return {pin.name: pin.version for pin in found.pins if pin.name in wanted} if isinstance(found, Lock) else {}


def _told(
    context: CheckContext, asked: Installation, wanted: Mapping[str, str], python: str, found: Mapping[str, str]
) -> Told:
    own = context.target.python if context.target else ""
    lines = [f"{name}{specifier}" for name, specifier in wanted.items()]
    releases = " and ".join(f"{name} {version}" for name, version in found.items())
    message = (
        f"no releases for Python {own} meet {' and '.join(lines)} together; on Python {python}, {releases} do"
    )
    bound = " and ".join(line for line in lines if line not in wanted)
    loosen = f"; or loosen {bound}" if bound else ""
    words = [f"{name}=={version}" for name, version in found.items()]
    commands = in_python(context, python, words, asked.tool)
    because = "; ".join(filter(None, (_wheels(context, name, version) for name, version in found.items())))
    return Told("TL527", message, Remedy(f"Use Python {python}{loosen}.", commands=commands), because or None)


def _wheels(context: CheckContext, name: str, version: str) -> str:
    """For which Pythons a release has wheels; "" if it has some for this one."""
    if context.target is None or wheels.installs(name, version, "", context.target) is not False:
        return ""
    pythons = wheels.ranges(wheels.pythons_with(name, version, "", context.target))
    return f"{name} {version} has wheels for Python {pythons} only" if pythons else ""
