"""A release of which an installer found no file, where the log shows the Python or the system, or neither.

The tables say for which Pythons and systems the release has wheels. The message says what is known, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.asked_releases import Asked, place_of
from torchlock.check.installer_findings import Told
from torchlock.check.labelled_releases import with_label
from torchlock.check.listed_releases import asks_public, newest_allowed, plain_listed, pythons_listed
from torchlock.check.other_machines import numpy_beside
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.indexes import page_of
from torchlock.target import PLATFORMS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.inspect.interpreter import Interpreter

_ELSEWHERE = (
    "On another system leave it out: lock again with a release of the package that asks for it which requires it "
    "on these systems only (torch 1.13.0 asks for the NVIDIA packages everywhere, 1.13.1 and later on Linux)."
)
_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}


def partly_known(context: CheckContext, asked: Installation, interpreter: Interpreter, system: str) -> Told | None:
    """What the wheels of a pinned release say about a Python or a system that the log does not show.

    ``system`` is the operating system that the log shows; "" if it does not.
    """
    version, _, label = newest_allowed(asked).partition("+")
    if version not in wheels.public_tags(asked.name) or interpreter.bits == 32:
        return None
    own = interpreter.target_platform
    names = [str(own)] if own is not None else [each for each in PLATFORMS if each.startswith(system)]
    targets = [Target(interpreter.python or PythonVersion(3, 12, 0), Platform.parse(each)) for each in names]
    if not asked.version:
        return _of_oldest(asked, targets) if interpreter.python is None else None
    if label and all(each.platform.system == "macos" for each in targets):
        return _labelled_for_macos(context, asked, targets, version, label)
    if label and kind_of(label) is None:
        return None
    if label and (told := _of_plain_index(context, asked, interpreter, version, label)):
        return told
    targets = [each for each in targets if not label or each.platform.system != "macos"]
    plain = [each for each in targets if label and wheels.written(asked.name, version, label, each) == version]
    targets = [each for each in targets if each not in plain]
    there = {place_of(each): wheels.pythons_with(asked.name, version, label, each) for each in targets}
    python = interpreter.python
    if not label and (told := _of_offered(asked, targets, is_of_python=python is not None)):
        return told
    if python is None and not label and (told := _of_oldest(asked, targets)):
        return told
    if python is None:
        told = _of_system(asked, targets, there, is_known=bool(system) or own is not None)
        return told and _with_plain(asked, told, plain, version, label)
    machines = [each.platform.machine for each in targets if str(python) in there[place_of(each)]]
    if system and 0 < len(machines) < len(targets):
        return _of_machines(asked, targets, machines, system)
    return _of_python(asked, targets, there, str(python))


def _of_plain_index(
    context: CheckContext, asked: Installation, interpreter: Interpreter, version: str, label: str
) -> Told | None:
    """A build that exists, where the installer lists releases without labels alone: it asked the public index."""
    if not asked.offered or any("+" in each for each in asked.offered):
        return None
    for name in PLATFORMS:
        target = Target(interpreter.python or PythonVersion(3, 12, 0), Platform.parse(name))
        pythons = wheels.pythons_with(asked.name, version, label, target)
        if not name.startswith("macos") and pythons and str(target.python) in (*pythons, "3.12"):
            there = Target(PythonVersion.parse(pythons[-1]), target.platform)
            return with_label(context, Asked(asked.name, version, label, there, asked))
    return None


def _of_machines(asked: Installation, targets: list[Target], machines: list[str], system: str) -> Told:
    """The system and the Python are known, and only some machines of that system have a wheel."""
    python, these = targets[0].python, " and ".join(machines)
    message = f"on {_SYSTEMS[system]}, {asked.requirement} has wheels of Python {python} for {these} only"
    parts = [f"On a machine with {' or '.join(machines)}, use a Python that was built for it."]
    parts += _releases_for(asked, [each for each in targets if each.platform.machine not in machines])
    return Told("TL403", message, Remedy(" ".join(parts)))


def _of_offered(asked: Installation, targets: list[Target], *, is_of_python: bool) -> Told | None:
    """The newest release that the installer lists is the last one for a single platform: it is that of the log."""
    final = [each for each in asked.offered or () if wheels.is_final(each)]
    newest = max(final, key=Version, default="")
    if not newest or Version(newest) >= Version(asked.version.partition("+")[0]):
        return None
    there = [each for each in targets if _last(asked.name, each, is_of_python=is_of_python) == newest]
    if len(there) != 1:
        return None
    place = place_of(there[0])
    message = (
        f"{asked.requirement} has no wheel for {place}, and {newest}, the newest release that the installer "
        "lists, is the last one for it"
    )
    is_intel = place == "macOS (x86_64)"
    start = "On Apple silicon, use a Python for arm64. On a Mac with Intel: i" if is_intel else "I"
    words = " and ".join((f"{asked.name} {newest}", *numpy_beside(asked.name, newest)))
    return Told("TL403", message, Remedy(f"{start}nstall {words}."))


def _of_oldest(asked: Installation, targets: list[Target]) -> Told | None:
    """The oldest release that the installer lists is the first one for a single Python: it is that of the log."""
    version = newest_allowed(asked)
    final = plain_listed(asked)
    if not final or not asks_public(asked):
        return None
    if Version(final[0]) <= Version(version):
        return None
    own = list(pythons_listed(asked, [each.platform for each in targets]))
    python = own[0][0] if own else ""
    there = [Target(PythonVersion(3, 12, 0), platform) for _, platform in own]
    having = [each for target in there for each in wheels.pythons_with(asked.name, version, "", target)]
    earlier = sorted({each for each in having if python and Version(each) < Version(python)}, key=Version)
    if len({each for each, _ in own}) != 1 or python in having or not earlier:
        return None
    others = any(python in wheels.pythons_with(asked.name, version, "", each) for each in targets)
    where = " on this platform" if others else ""
    message = (
        f"{asked.requirement} has no wheel for Python {python}{where}, on which the installer in the log runs: "
        f"{final[0]}, the oldest release that it lists, is the first one for Python {python}"
    )
    instead = "" if not asked.version else f", or {asked.name} {final[0]} or later"
    summary = (
        f"Use Python {earlier[-1]} (its own python -m pip, because another Python may be the first one on the "
        f"path){instead}."
    )
    return Told("TL403", message, Remedy(summary))


def _last(name: str, target: Target, *, is_of_python: bool) -> str:
    """The last final release with a wheel for the platform of a target, and for its Python if that is known."""
    if is_of_python:
        return next(reversed(wheels.releases_with(name, "", target)), "")
    releases = reversed(wheels.final_releases(name))
    return next((each for each in releases if wheels.pythons_with(name, each, "", target)), "")


def _releases_for(asked: Installation, targets: list[Target]) -> list[str]:
    """What to install on platforms for which the release has no wheel, in words."""
    parts = []
    for target in targets:
        if having := wheels.releases_with(asked.name, "", target):
            release = wheels.nearest(having, asked.version.partition("+")[0])
            words = " and ".join((f"{asked.name} {release}", *numpy_beside(asked.name, release)))
            parts.append(f"On {place_of(target)}, install {words}.")
    return parts


def _labelled_for_macos(
    context: CheckContext, asked: Installation, targets: list[Target], version: str, label: str
) -> Told | None:
    """A build with a label, which no release has for macOS."""
    for target in reversed(targets):
        if pythons := wheels.pythons_with(asked.name, version, "", target):
            there = Target(PythonVersion.parse(pythons[-1]), target.platform)
            return with_label(context, Asked(asked.name, version, label, there, asked))
    return None


def _of_python(
    asked: Installation, targets: list[Target], there: dict[str, list[str]], python: str
) -> Told | None:
    """The Python is known: no wheel is for it, or only some systems have one."""
    places = [place for place, pythons in there.items() if python in pythons]
    if len(places) == len(there):
        return None
    if len({tuple(each) for each in there.values() if each}) == 1 and places:
        message = f"{asked.requirement} has wheels for {' and '.join(places)} only"
        others = _releases_for(asked, [each for each in targets if place_of(each) not in places])
        return Told("TL403", message, Remedy(" ".join(others) or _ELSEWHERE))
    every = sorted({each for pythons in there.values() for each in pythons}, key=Version)
    if not every:
        return None if "+" in asked.version else _for_no_python(asked, targets)
    best = [each for each in every if Version(each) < Version(python)][-1:] or every[:1]
    summary = f"Use Python {best[0]}, or a release of {asked.name} that has wheels for Python {python}."
    if not places:
        message = f"{asked.requirement} has no wheel for Python {python}: it has wheels for {_said(every)}"
        return Told("TL403", message, Remedy(summary))
    message = f"{asked.requirement} has wheels for Python {python} on {' and '.join(places)} only"
    return Told("TL403", message, Remedy(f"On another system: {summary[0].lower()}{summary[1:]}"))


def _of_system(
    asked: Installation, targets: list[Target], there: dict[str, list[str]], *, is_known: bool
) -> Told | None:
    """The Python is not known: for which Pythons this system has wheels, or which systems have any."""
    having = {place: pythons for place, pythons in there.items() if pythons}
    if is_known and not having:
        return _for_no_python(asked, targets)
    if not having:
        return None
    parts = [f"{place}: {_said(pythons)}" for place, pythons in having.items()]
    message = (
        f"{asked.requirement} has wheels for {'; '.join(dict.fromkeys(parts))}; the installer found none of these"
    )
    if len(set(map(tuple, having.values()))) == 1 and len(having) == len(there):
        message = f"{asked.requirement} has wheels for {_said(next(iter(having.values())))} only"
    others = "".join(
        f" For {place_of(each)}, {asked.name} {last} is the last one."
        for each in targets
        if place_of(each) not in having and (last := _last(asked.name, each, is_of_python=False))
    )
    summary = (
        "Compare this with the Python, the machine and the index of the installer: another Python, one of 32 "
        f"bits, another machine, or an index without {asked.requirement} is the reason.{others} Use what has a "
        "wheel, then lock again."
    )
    return Told("TL403", message, Remedy(summary))


def _with_plain(asked: Installation, told: Told, targets: list[Target], version: str, label: str) -> Told:
    """Name the platforms whose wheels of the build have no label on its page."""
    if not targets or told.remedy is None:
        return told
    places = " and ".join(map(place_of, targets))
    told.remedy.summary += (
        f" On {places}, the wheels of {page_of(label)} have no label: ask for {asked.name}=={version} there."
    )
    return told


def _for_no_python(asked: Installation, targets: list[Target]) -> Told:
    """No wheel of the release is for this system: the releases that have one."""
    places = " and ".join(dict.fromkeys(place_of(each) for each in targets))
    message = f"{asked.requirement} has no wheel for {places}"
    having = [
        each
        for each in wheels.final_releases(asked.name)
        if any(wheels.pythons_with(asked.name, each, "", target) for target in targets)
    ]
    if not having:
        others = dict.fromkeys(
            _SYSTEMS[name.partition("-")[0]]
            for name in PLATFORMS
            if wheels.pythons_with(
                asked.name,
                asked.version.partition("+")[0],
                "",
                Target(PythonVersion(3, 12, 0), Platform.parse(name)),
            )
        )
        only = f": it has wheels for {' and '.join(others)} only" if others else ""
        return Told("TL403", f"{message}{only}", Remedy(_ELSEWHERE))
    nearest = wheels.nearest(having, asked.version.partition("+")[0])
    span = f"{having[0]} to {having[-1]}" if len(having) > 1 else having[0]
    words = " and ".join((f"{asked.name} {nearest}", *numpy_beside(asked.name, nearest)))
    return Told("TL403", message, Remedy(f"Install {words}: there, releases {span} have wheels."))


def _said(pythons: list[str]) -> str:
    return f"Python {wheels.ranges(pythons)}"
