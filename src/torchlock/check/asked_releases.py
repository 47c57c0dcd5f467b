"""A release of the torch family that an installer was asked for, and its wheels for other Pythons and builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.installer_findings import Told, in_python, words_of
from torchlock.finding import Remedy
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.stack import FAMILY
from torchlock.records import replace
from torchlock.target import PythonVersion

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.target import Target

_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}


class Asked(NamedTuple):
    """A pinned release of the torch family: its version without label, the label of the build, and the target."""

    name: str
    version: str
    label: str
    target: Target
    log: Installation

    @property
    def pinned(self) -> str:
        return f"{self.name}=={self.version}" + (f"+{self.label}" if self.label else "")

    @property
    def place(self) -> str:
        """The platform in words."""
        return place_of(self.target)


def place_of(target: Target) -> str:
    """The platform of a target in words: ``Linux (x86_64)``."""
    return f"{_SYSTEMS[target.platform.system]} ({target.platform.machine})"


def family_words(asked: Asked) -> list[str]:
    """The pins of the torch family in the command that failed; else the requirement itself."""
    words = [each for each in words_of(asked.log) if each.partition("=")[0] in FAMILY and "==" in each]
    return words if any(each.startswith(f"{asked.name}==") for each in words) else [asked.pinned]


def relabelled(asked: Asked, label: str) -> list[str]:
    """The pins of the torch family, all from the page of one build; nothing that is known not to be there."""
    found = []
    for word in family_words(asked):
        name, _, version = word.partition("==")
        public = version.lstrip("=").partition("+")[0]
        if wheels.installs(name, public, label, asked.target) is not False:
            found.append(f"{name}=={wheels.written(name, public, label, asked.target)}")
    return ["--index-url", page_of(label), *found]


def left_out(asked: Asked, label: str) -> list[str]:
    """The packages of the failed command, that the page of a build is known not to have in this release."""
    asks = {word.partition("=")[0] for word in family_words(asked)}
    return sorted(asks - {word.partition("=")[0] for word in relabelled(asked, label)})


def without_labels(asked: Asked) -> list[str]:
    """The pins of the torch family for the public index; empty if one of them is not known to be there."""
    words = [each.partition("+")[0] for each in family_words(asked)]
    pins = [each.partition("==")[::2] for each in words]
    return words if all(wheels.installs(name, version, "", asked.target) is True for name, version in pins) else []


def other_python(context: CheckContext, asked: Asked, pythons: list[str]) -> Told:
    """The release has wheels for other Pythons: take one of these, or a release for this Python."""
    own = asked.target.python
    message = (
        f"{asked.pinned} has no wheel for Python {own} on {asked.place}: it has wheels for Python "
        f"{wheels.ranges(pythons)}"
    )
    older = [each for each in pythons if _minor(each) < own.minor]
    best = older[-1] if older else pythons[0]
    other = _for_this_python(asked, later=bool(older))
    instead = f"; or install {asked.name} {other}, which has a wheel for Python {own}" if other else ""
    there = asked._replace(target=replace(asked.target, python=PythonVersion.parse(best)))
    words = relabelled(there, asked.label) if asked.label else family_words(asked)
    remedy = Remedy(
        f"Use Python {best}{instead}.", commands=in_python(context, best, words, asked.log.tool, asked.target)
    )
    return Told("TL403", message, remedy)


def _for_this_python(asked: Asked, *, later: bool) -> str:
    """The nearest release with a wheel for the Python of the target, in the direction that it lies; "" if none."""
    there = [*wheels.releases_with(asked.name, asked.label, asked.target), *_offered(asked)]
    there = sorted(dict.fromkeys(there), key=Version)
    if later:
        return next((each for each in there if Version(each) > Version(asked.version)), "")
    return next((each for each in reversed(there) if Version(each) < Version(asked.version)), "")


def _offered(asked: Asked) -> list[str]:
    """The final releases of this build that the installer listed: they have a file for the target."""
    pairs = [each.partition("+")[::2] for each in asked.log.offered or ()]
    return [version for version, label in pairs if label == asked.label and wheels.is_final(version)]


def _minor(python: str) -> int:
    return int(python.partition(".")[2].rstrip("t"))
