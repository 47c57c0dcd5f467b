"""Which releases of a project have wheels for the Python of a log, where its projects have no source distribution.

The tables are of one day, and a log may be older: what pip did not see then may be there now. Both are said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.asked_releases import place_of
from torchlock.check.installer_findings import Told, in_python, words_of
from torchlock.finding import Remedy
from torchlock.knowledge.compatibility import torches_beside
from torchlock.knowledge.declared import final_dependents
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.records import replace
from torchlock.target import LAST_PATCH, PLATFORMS, PYTHONS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.inspect.interpreter import Interpreter
    from torchlock.knowledge.releases import CatalogueRelease

_ASKED_BY = re.compile(r"satisfies the requirement [^\n(]{1,120} \(from (?!versions)(?P<name>[\w.-]{1,80})")


def of_python(context: CheckContext, asked: Installation, interpreter: Interpreter, system: str) -> Told | None:
    """Why no file of a project was found: none for this Python, or none in that time; None if it is not so.

    ``system`` is the operating system that the log shows; "" if it does not.
    """
    python, own = interpreter.python, interpreter.target_platform
    if python is None or interpreter.bits == 32:
        return None
    names = [str(own)] if own is not None else [each for each in PLATFORMS if each.startswith(system)]
    targets = [Target(python, Platform.parse(each)) for each in names]
    known = _releases(asked.name)
    allowed = [each for each in known if not asked.specifier or each.version in specifier_set(asked.specifier)]
    if not allowed or any(each.has_sdist or any(map(_is_pure, each.tags)) for each in allowed):
        return None
    listed = {each.version for each in known if each.version in (asked.offered or ())}
    if not listed <= {each.version for each in known if _installs(each, targets)}:
        return None  # The installer ran with another Python.
    having = [each for each in allowed if _installs(each, targets)]
    place = "" if not system and own is None else f" on {_place(targets)}"
    if not having:
        return _never(context, asked, targets, allowed[-1], place)
    return _later(asked, targets, allowed, having[0], place) if asked.offered == () else None


def _never(
    context: CheckContext, asked: Installation, targets: list[Target], newest: CatalogueRelease, place: str
) -> Told | None:
    """No release that is allowed has a wheel for this Python: the Pythons of the newest one."""
    there, own = _pythons(newest, targets), targets[0].python
    earlier = [each for each in there if Version(each) < Version(str(own))]
    if not there:
        return None
    best = (earlier or there[:1])[-1]
    which = "it" if asked.version else newest.version
    message = (
        f"{asked.requirement} has no wheel for Python {own}{place}: {which} has wheels for Python "
        f"{wheels.ranges(there)}"
    )
    by = _ASKED_BY.search(asked.near)
    ways = [f"Use Python {best}"]
    if by is not None:
        ways.append(f"or a release of {by['name']} that allows a later {asked.name}, if there is one")
    elif asked.offered:
        ways.append(f"or ask for {asked.name} {asked.offered[-1]}, which has a wheel for this Python")
    because = f"{by['name']} requires {asked.requirement}, so that no other release counts" if by else None
    commands = in_python(context, best, words_of(asked), asked.tool, targets[0])
    return Told("TL403", message, Remedy(f"{', '.join(ways)}.", commands=commands), because)


def _later(
    asked: Installation,
    targets: list[Target],
    allowed: Sequence[CatalogueRelease],
    first: CatalogueRelease,
    place: str,
) -> Told | None:
    """The first release with a wheel for this Python came later than others that are allowed."""
    before = [each for each in allowed if Version(each.version) < Version(first.version)]
    if not before:
        return None
    own = targets[0].python
    there = [each for each in _pythons(before[-1], targets) if Version(each) < Version(str(own))]
    torches = torches_beside(asked.name, first.version) if asked.name in FAMILY else ()
    made_for = f", made for torch {torches[0]}" if torches else ""
    message = (
        f"{asked.tool or 'the installer'} saw no file of {asked.name} for Python {own}{place}: the first release "
        f"on the public index with such a wheel is {first.version}{made_for}, of {first.date}"
    )
    because = (
        "earlier releases have none, by the tables; the index of the log did not have it yet, or is another one"
    )
    older = f"Use Python {there[-1]}, or install" if there else "Install"
    summary = f"{older} {asked.name} {first.version} or later{made_for}, from the public index."
    if place.startswith(" on Windows"):
        summary += " If pip does not see it there, its Python has 32 bits or is for ARM (python -VV shows it)."
    return Told("TL403", message, Remedy(summary), because)


def _releases(name: str) -> list[CatalogueRelease]:
    """The final releases that the tables have, oldest first."""
    if name not in FAMILY:
        return final_dependents(name)
    return [
        release for version in wheels.final_releases(name) if (release := wheels.public_release(name, version))
    ]


def _is_pure(tags: str) -> bool:
    return tags.endswith("-any")


def _installs(release: CatalogueRelease, targets: Sequence[Target]) -> bool:
    """Whether a wheel of a release installs on one of these."""
    return any(
        target.rank(tags) is not None and target.python.satisfies(release.requires_python(wheel))
        for target in targets
        for wheel, tags in enumerate(release.tags)
    )


def _pythons(release: CatalogueRelease, targets: Sequence[Target]) -> list[str]:
    """The Pythons for which a release has a wheel on these platforms."""
    every = [PythonVersion(3, minor, LAST_PATCH.get(minor, 0)) for minor in PYTHONS]
    return [
        str(each) for each in every if _installs(release, [replace(target, python=each) for target in targets])
    ]


def _place(targets: Sequence[Target]) -> str:
    """The platforms in words; only the system if there are several machines."""
    places = [place_of(each) for each in targets]
    return places[0] if len(places) == 1 else places[0].partition(" ")[0]
