"""Requirements on the torch family that no releases meet on this Python, and some do on another one (TL527)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.installer_findings import Told, in_python
from torchlock.check.listed_releases import pythons_listed
from torchlock.errors import TorchlockError
from torchlock.finding import Remedy
from torchlock.index.sources import Sources
from torchlock.knowledge.rules import specifier_set
from torchlock.lock import Lock, Options, lock
from torchlock.records import replace
from torchlock.target import LAST_PATCH, PLATFORMS, PYTHONS, Platform, PythonVersion, Target
from torchlock.terms import Inputs, Origin, ParsedRequirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation

# A single release that was tried says little of the Python.
_ENOUGH = 2


def of_another_python(
    context: CheckContext, asked: Installation, wanted: Mapping[str, str], tried: Mapping[str, Sequence[str]]
) -> Told | None:
    """The Python on which requirements (name → specifier) are met; None if this one does, or no other does.

    ``tried`` are the releases of each companion that the installer tried: they may show another Python.
    """
    target = _shown(context, asked, wanted, tried) or context.target
    if target is None or "torch" not in wanted or len(wanted) < 2 or _releases(context, wanted, target):
        return None
    for python in _others(target.python):
        found = _releases(context, wanted, replace(target, python=python))
        if found and all(specifier_set(wanted[name]).contains(found[name]) for name in wanted):
            return _told(context, asked, wanted, str(python), found, target)
    return None


def _shown(
    context: CheckContext, asked: Installation, wanted: Mapping[str, str], tried: Mapping[str, Sequence[str]]
) -> Target | None:
    """The target whose first release of a companion is the oldest one that was tried; None if it is not certain.

    pip tries all releases before it gives up, so a list with gaps was shortened; a requirement on the companion
    itself would leave out the oldest.
    """
    platform = context.known_platform
    platforms = [platform] if platform is not None else [Platform.parse(each) for each in PLATFORMS]
    for name, versions in tried.items():
        if wanted.get(name) or len(versions) < _ENOUGH:
            continue
        listed = asked._replace(name=name, offered=tuple(versions), indexes=())
        cells = [Target(_newest(python), place) for python, place in pythons_listed(listed, platforms)]
        whole = [each for each in cells if _is_whole(name, versions, each)]
        if len({each.python for each in whole}) == 1:
            return whole[0]
    return None


def _is_whole(name: str, versions: Sequence[str], target: Target) -> bool:
    """Whether these are all releases for a target from their oldest to their newest one."""
    last = max(map(Version, versions))
    return {each for each in wheels.releases_with(name, "", target) if Version(each) <= last} == set(versions)


def _newest(python: str) -> PythonVersion:
    minor = int(python.partition(".")[2])
    return PythonVersion(3, minor, LAST_PATCH.get(minor, 0))


def _others(own: PythonVersion) -> Iterator[PythonVersion]:
    """The Pythons before this one, the nearest first, then those after it."""
    every = [_newest(f"3.{minor}") for minor in PYTHONS]
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
    context: CheckContext,
    asked: Installation,
    wanted: Mapping[str, str],
    python: str,
    found: Mapping[str, str],
    target: Target,
) -> Told:
    lines = [f"{name}{specifier}" for name, specifier in wanted.items()]
    releases = " and ".join(f"{name} {version}" for name, version in found.items())
    message = (
        f"no releases for Python {target.python} meet {' and '.join(lines)} together; on Python {python}, "
        f"{releases} do"
    )
    bound = " and ".join(line for line in lines if line not in wanted)
    loosen = f"; or loosen {bound}" if bound else ""
    words = [f"{name}=={version}" for name, version in found.items()]
    commands = in_python(context, python, words, asked.tool, target)
    because = "; ".join(filter(None, (_wheels(target, name, version) for name, version in found.items())))
    return Told("TL527", message, Remedy(f"Use Python {python}{loosen}.", commands=commands), because or None)


def _wheels(target: Target, name: str, version: str) -> str:
    """The Pythons that a release has wheels for, as a sentence; "" unless it has none for the target."""
    if wheels.installs(name, version, "", target) is not False:
        return ""
    pythons = wheels.ranges(wheels.pythons_with(name, version, "", target))
    return f"{name} {version} has wheels for Python {pythons} only" if pythons else ""
