"""What the releases that pip lists say of its Python and machine: pip lists those that have a file for both.

``ERROR: Could not find a version that satisfies the requirement … (from versions: 2.9.0, 2.9.1)``
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.installer_findings import Told
from torchlock.finding import Remedy
from torchlock.knowledge.indexes import BUILDS, PUBLIC, classify_index
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.target import LAST_PATCH, PLATFORMS, PYTHONS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log

_ARM = "linux-aarch64"
_LISTED = re.compile(
    r"requirement (?P<asked>\S{1,80}) (?:\(from [^)\n]{1,80}\) )?\(from versions: (?P<all>[^)\n]{1,1800})"
)
# The archives of 2017 and 2018 that the public index has under the name of torch: they do not build.
_ARCHIVES = re.compile(r"0\.1\.2(?:\.post[12])?")


def lists_others(asked: Installation, target: Target) -> bool:
    """Whether pip lists a release that has no file for a target: it ran with another Python or elsewhere."""
    is_known = asked.name in FAMILY
    return is_known and any(wheels.installs(asked.name, each, "", target) is False for each in plain_listed(asked))


def lists_too_few(asked: Installation, target: Target) -> bool:
    """Whether pip, which asked the public index, lists others than the releases for a target, or too few."""
    if lists_others(asked, target):
        return True
    listed = plain_listed(asked)
    is_told = any(classify_index(each).kind == PUBLIC for each in asked.indexes)
    has_others = len(listed) < len(asked.offered or ()) and not is_told
    if asked.name not in FAMILY or not listed or has_others or not asks_public(asked):
        return False
    newest = Version(listed[-1])
    there = [each for each in wheels.releases_with(asked.name, "", target) if Version(each) <= newest]
    return len(set(there) - set(listed)) > 1


def plain_listed(asked: Installation) -> list[str]:
    """The final releases without a label that pip lists, oldest first."""
    listed = (each for each in asked.offered or () if "+" not in each and wheels.is_final(each))
    return sorted(listed, key=Version)


def older_than_listed(asked: Installation, python: PythonVersion | None) -> Told | None:
    """A release before all that pip lists, of a project that no table has; None for others.

    pip lists what has a file for its Python and platform: earlier releases are most often for earlier Pythons.
    """
    there = plain_listed(asked)
    if asked.tool != "pip" or asked.name in FAMILY or not there or not wheels.is_final(asked.version):
        return None
    if Version(asked.version) >= Version(asked.offered[0] if asked.offered else there[0]):
        return None
    here = f"Python {python}" if python is not None else "its Python"
    message = (
        f"pip found no file of {asked.requirement} for {here} and platform: {there[0]} is the oldest final release"
        " that it lists"
    )
    summary = (
        f"Use an earlier Python, if {asked.name} {asked.version} has a file for one; or install {there[0]} or "
        "later. The usual reason is a Python that is newer than the release: its page on the index shows "
        "for which Pythons its files are."
    )
    return Told("TL528", message, Remedy(summary))


def newest_allowed(asked: Installation) -> str:
    """The version that was asked for, with its label; else the newest release that the requirement allows."""
    if asked.version or not asked.specifier:
        return asked.version
    allowed = specifier_set(asked.specifier)
    return next((each for each in reversed(wheels.final_releases(asked.name)) if each in allowed), "")


def pythons_listed(asked: Installation, platforms: list[Platform]) -> Iterator[tuple[str, Platform]]:
    """The Pythons and platforms of which pip lists the oldest release and no release that they do not have."""
    final = plain_listed(asked)
    for minor in PYTHONS:
        for platform in platforms:
            cell = Target(PythonVersion(3, minor, LAST_PATCH.get(minor, 0)), platform)
            known = wheels.releases_with(asked.name, "", cell)
            is_allowed = all(wheels.installs(asked.name, each, "", cell) is True for each in final)
            if known[:1] == final[:1] and is_allowed:
                yield f"3.{minor}", platform


def with_list(log: Log, asked: Installation) -> Installation:
    """An installation with the releases that pip lists elsewhere in the log for the same requirement."""
    if asked.offered is not None or not asked.version:
        return asked
    listed = {match["all"] for match in _LISTED.finditer(log.text) if match["asked"] == asked.requirement} - {
        "none"
    }
    return asked._replace(offered=tuple(min(listed).split(", "))) if len(listed) == 1 else asked


def of_archives(asked: Installation, system: str) -> Told | None:
    """pip lists no release of torch with wheels: none is for its Python and machine. None if it lists others.

    ``system`` is the operating system that the log shows; "" if it does not.
    """
    if asked.name != "torch" or not asked.offered or not all(map(_ARCHIVES.fullmatch, asked.offered)):
        return None
    version, _, label = newest_allowed(asked).partition("+")
    pythons = {
        each for name in PLATFORMS if name.startswith(system) for each in _all(asked.name, version, label, name)
    }
    there = sorted(pythons, key=Version)
    wanted = f"Python {wheels.ranges(there)}" if there else "a Python"
    message = (
        f"pip lists no release of torch that has wheels, only archives of 2017 ({asked.offered[0]}): none that "
        "its index has is for its Python and machine"
    )
    summary = (
        f"Use {wanted} of 64 bits, for which {asked.requirement} has wheels (python -VV shows both). If that is "
        "the Python, its pip is another one: run python -m pip."
    )
    return Told("TL403", message, Remedy(summary))


def _all(name: str, version: str, label: str, platform: str) -> list[str]:
    if not version:
        return []
    return wheels.pythons_with(name, version, label, Target(PythonVersion(3, 12, 0), Platform.parse(platform)))


def of_plain_wheels(asked: Installation) -> Told | None:
    """A build with a label, where pip lists only releases without one on its page: those of other machines.

    The pages of the PyTorch index have wheels without labels for ARM (Linux) and macOS. None if it is not so, or
    if another index was asked, too: its releases have no labels.
    """
    version, _, label = asked.version.partition("+")
    pages = {classify_index(each).label for each in asked.indexes if classify_index(each).kind == BUILDS}
    listed = asked.offered or ()
    alone = all(classify_index(each).kind == BUILDS for each in asked.indexes)
    if not label or pages != {label} or not alone or not listed or any("+" in each for each in listed):
        return None
    having = [
        each for each in PLATFORMS if not each.startswith("macos") and _all(asked.name, version, label, each)
    ]
    if not having or _ARM in having:
        return None
    places = " and ".join(dict.fromkeys(_place(each) for each in having))
    message = (
        f"{asked.requirement} has wheels for {places} only, and pip runs on another machine: on the page of "
        f"{label} it lists only releases without a label, which are those for ARM (Linux) and for macOS"
    )
    summary = "Use a machine with x86_64; on a Mac, build the image for one (docker build --platform linux/amd64)."
    if _all(asked.name, version, "", _ARM):
        summary += (
            f" Or install {asked.name}=={version} without the label from the public index, which has wheels of "
            "the CPU for this machine."
        )
    return Told("TL403", message, Remedy(summary))


def compiled_for_another(asked: Installation) -> str:
    """What to do without a build whose label says what it was compiled for; "" for other requirements.

    Releases without such a label were compiled for something else (``k2==1.24.4+cuda12.4.torch2.5.1``).
    """
    public, _, label = asked.version.partition("+")
    if asked.name in FAMILY or not label or any("+" in each for each in asked.offered or ()):
        return ""
    pages = [each for each in asked.indexes if classify_index(each).kind != PUBLIC]
    where = pages[0] if pages else f"the page of {asked.name} that has the label"
    return (
        f"See on {where} for which Pythons and machines it has {asked.name} {public}+{label}: none is for this "
        f"one (often only x86_64 is there). Otherwise compile {asked.name} against the installed torch; the "
        "listed releases have no label, so they are not known to be compiled for it."
    )


def _place(platform: str) -> str:
    system, _, machine = platform.partition("-")
    return f"{system.capitalize()} ({machine})"


def asks_public(asked: Installation) -> bool:
    """Whether the public index was asked, alone or with others; it is, if no page of builds was asked instead."""
    kinds = {classify_index(each).kind for each in asked.indexes}
    return PUBLIC in kinds or BUILDS not in kinds
