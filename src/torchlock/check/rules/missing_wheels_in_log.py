"""An installer found no file of the requested release: TL403, TL204, TL205, TL212, TL502, TL507, else TL528.

The bundled tables decide why: the build never was, its page was not asked, or no wheel is for this Python or
platform. What they do not know is said to be unknown (TL528).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.check import known_wheels as wheels
from torchlock.check.installer_findings import (
    Told,
    finding_of,
    in_python,
    install_again,
    is_there,
    requirement_words,
    words_of,
)
from torchlock.check.installer_log import read_installation
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.indexes import BUILDS, PUBLIC, classify_index, page_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.target import PythonVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log
    from torchlock.finding import Command, Finding
    from torchlock.target import Target

_SHOWN_BY = ("TL403", "TL528", "TL527")
_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}


class _Asked(NamedTuple):
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
        platform = self.target.platform
        return f"{_SYSTEMS[platform.system]} ({platform.machine})"


@rule("TL403", "TL204", "TL205", "TL212", "TL502", "TL507", "TL528", on="log")
def no_file(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Why an installer found no file of a release, and the command that finds one."""
    first = log.first
    if first is None or first.rules[0] not in _SHOWN_BY:
        return
    asked = read_installation(log.text, first.line)
    if first.rules[0] == "TL527" and not asked.is_absent:
        return
    if not asked.name or is_there(context, asked) or "PackagesNotFoundError" in first.text:
        return
    yield finding_of(context, found, asked, first.text, _told(context, asked))


def _told(context: CheckContext, asked: Installation) -> Told:
    target = context.target
    if target is None or asked.name not in FAMILY:
        return _unknown(context, asked)
    version, _, label = asked.version.partition("+")
    pinned = _Asked(asked.name, version, label, target, asked)
    if target.platform.libc == "musl":
        return _musl(pinned)
    if not version:
        return _of_range(context, asked, pinned)
    return (_with_label(context, pinned) if label else _without_label(context, pinned)) or _unknown(context, asked)


def _musl(asked: _Asked) -> Told:
    message = (
        f"no wheel of {asked.name} is for this system: it has the C library musl (Alpine), and all "
        f"wheels need glibc"
    )
    return Told("TL403", message, Remedy("Use an image with glibc, such as python:3.12-slim (Debian)."))


def _of_range(context: CheckContext, asked: Installation, pinned: _Asked) -> Told:
    """A requirement without an exact version: which releases have wheels here at all."""
    there = wheels.releases_with(asked.name, "", pinned.target)
    allowed = (
        [each for each in there if specifier_set(asked.specifier).contains(each)] if asked.specifier else there
    )
    if allowed:
        return _unknown(context, asked)
    what = f"no release of {asked.requirement} has a wheel for Python {pinned.target.python} on {pinned.place}"
    if there:
        words = requirement_words(asked.name, there[-1])
        summary = f"Use {asked.name} {there[0]} to {there[-1]}, which have wheels here; or a Python of that time."
        return Told("TL403", what, Remedy(summary, commands=install_again(context, words)))
    return Told(
        "TL403",
        what,
        Remedy(f"Use another Python: no {asked.name} is known for Python {pinned.target.python} here."),
    )


def _with_label(context: CheckContext, asked: _Asked) -> Told | None:
    """A pin with the label of a build."""
    if kind_of(asked.label) is None:
        return None
    if asked.target.platform.system == "macos":
        return _no_builds_for_macos(context, asked)
    published = build_table().published(asked.name, asked.version, asked.label)
    if published is False:
        return _never_published(context, asked)
    here = wheels.installs(asked.name, asked.version, asked.label, asked.target)
    if here is False:
        return _other_target(context, asked)
    if any(classify_index(each).label == asked.label for each in asked.log.indexes):
        return None
    if here is not True and not wheels.pythons_with(asked.name, asked.version, asked.label, asked.target):
        return None
    return _page_not_asked(context, asked, certain=here is True)


def _no_builds_for_macos(context: CheckContext, asked: _Asked) -> Told:
    what = describe_build(asked.label) if asked.label != "cpu" else "the label +cpu"
    message = f"there is no {asked.pinned} for macOS: {what} does not exist for macOS, whose wheels have no label"
    there = wheels.releases_with(asked.name, "", asked.target)
    version = asked.version if asked.version in there else wheels.nearest(there, asked.version)
    summary = f"Install {asked.name} {version}, without a label and without the page of a build."
    plain = [each.partition("+")[0] for each in _family_words(asked)]
    words = plain if version == asked.version else requirement_words(asked.name, version)
    return Told("TL212", message, Remedy(summary, commands=install_again(context, words)))


def _never_published(context: CheckContext, asked: _Asked) -> Told:
    others = wheels.other_labels(asked.name, asked.version, asked.label, asked.target)
    message = (
        f"{asked.pinned} was never published: {asked.name} {asked.version} has no build for "
        f"{describe_build(asked.label)}"
    )
    every = build_table().labels(asked.name, asked.version)
    listed = "" if isinstance(every, Unknown) else ", ".join(sorted(each for each in every if each))
    because = f"the PyTorch index has it as {listed}" if listed else None
    if not others:
        return Told("TL204", message, Remedy("Ask for a build that exists."), because)
    words = _relabelled(asked, others[0])
    remedy = Remedy(f"Install the build {others[0]}.", commands=install_again(context, words))
    return Told("TL204", message, remedy, because)


def _family_words(asked: _Asked) -> list[str]:
    """The pins of the torch family in the command that failed; else the requirement itself."""
    words = [each for each in words_of(asked.log) if each.partition("=")[0] in FAMILY and "==" in each]
    return words if any(each.startswith(f"{asked.name}==") for each in words) else [asked.pinned]


def _relabelled(asked: _Asked, label: str) -> list[str]:
    """The pins of the torch family, all from the page of one build; nothing that is known not to be there."""
    found = []
    for word in _family_words(asked):
        name, _, version = word.partition("==")
        public = version.lstrip("=").partition("+")[0]
        if wheels.installs(name, public, label, asked.target) is not False:
            found.append(f"{name}=={wheels.written(name, public, label, asked.target)}")
    return ["--index-url", page_of(label), *found]


def _page_not_asked(context: CheckContext, asked: _Asked, *, certain: bool) -> Told:
    message = (
        f"{asked.pinned} is only on the page of its build, and the installer did not ask it: "
        "the public index has no labels"
    )
    doubt = (
        ""
        if certain
        else f"; it is not certain that it has a wheel for Python {asked.target.python} on {asked.place}"
    )
    words = words_of(asked.log)
    if any(each in ("-r", "--requirement") for each in words):
        commands = install_again(context, ["--extra-index-url", page_of(asked.label), *words])
    else:
        commands = _split(context, asked, words)
    return Told("TL507", message, Remedy(f"Install it from {page_of(asked.label)}{doubt}.", commands=commands))


def _split(context: CheckContext, asked: _Asked, words: list[str]) -> tuple[Command, ...]:
    """Install the torch family from the page of its build, and all else of the command after it."""
    family = install_again(context, _relabelled(asked, asked.label))
    others = [each for each in words if not each.startswith("-") and re.split(r"[=<>!~\[]", each)[0] not in FAMILY]
    others = [each for each in others if "://" not in each]
    rest = {each.tool: each.line for each in install_again(context, others)}
    return tuple(
        each._replace(line=" && ".join(filter(None, [each.line, rest.get(each.tool)]))) for each in family
    )


def _other_target(context: CheckContext, asked: _Asked) -> Told:
    """A build that exists, and not for this Python or this platform."""
    pythons = wheels.pythons_with(asked.name, asked.version, asked.label, asked.target)
    if pythons:
        return _other_python(context, asked, pythons)
    message = f"{asked.pinned} has no wheel for {asked.place}"
    there = wheels.releases_with(asked.name, asked.label, asked.target)
    others = wheels.other_labels(asked.name, asked.version, asked.label, asked.target)
    if others:
        commands = install_again(context, _relabelled(asked, others[0]))
        return Told("TL212", message, Remedy(f"Install the build {others[0]}.", commands=commands))
    if there:
        version = wheels.nearest(there, asked.version)
        words = _relabelled(asked._replace(log=asked.log._replace(command="")), asked.label)
        words[-1] = f"{asked.name}=={wheels.written(asked.name, version, asked.label, asked.target)}"
        return Told(
            "TL212", message, Remedy(f"Install {asked.name} {version}.", commands=install_again(context, words))
        )
    return Told("TL212", message, Remedy("Install the build of the public index, without a label."))


def _other_python(context: CheckContext, asked: _Asked, pythons: list[str]) -> Told:
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
    words = _relabelled(there, asked.label) if asked.label else _family_words(asked)
    remedy = Remedy(f"Use Python {best}{instead}.", commands=in_python(context, best, words, asked.log.tool))
    return Told("TL403", message, remedy)


def _for_this_python(asked: _Asked, *, later: bool) -> str:
    """The nearest release with a wheel for the Python of the target, in the direction that it lies; "" if none."""
    there = wheels.releases_with(asked.name, asked.label, asked.target)
    if later:
        return next((each for each in there if Version(each) > Version(asked.version)), "")
    return next((each for each in reversed(there) if Version(each) < Version(asked.version)), "")


def _minor(python: str) -> int:
    return int(python.partition(".")[2].rstrip("t"))


def _without_label(context: CheckContext, asked: _Asked) -> Told | None:
    """A pin without a label, of the public index or of the pages that the log names."""
    pages = {
        found.label for each in asked.log.indexes if (found := classify_index(each)).kind == BUILDS and found.label
    }
    if pages and not any(classify_index(each).kind == PUBLIC for each in asked.log.indexes):
        return _of_page(context, asked, min(pages))
    tags = wheels.public_tags(asked.name)
    if asked.version not in tags:
        return _no_such_release(context, asked, list(tags))
    if wheels.installs(asked.name, asked.version, "", asked.target) is not False:
        return None
    pythons = wheels.pythons_with(asked.name, asked.version, "", asked.target)
    return _other_python(context, asked, pythons) if pythons else _other_platform(context, asked)


def _no_such_release(context: CheckContext, asked: _Asked, versions: list[str]) -> Told | None:
    if not wheels.is_final(asked.version) or not isinstance(
        build_table().labels(asked.name, asked.version), Unknown
    ):
        return None
    final = [each for each in versions if wheels.is_final(each)]
    if not final or Version(asked.version) > Version(final[-1]):
        return None  # It may be newer than the tables.
    there = wheels.releases_with(asked.name, "", asked.target)
    other = wheels.nearest(there, asked.version)
    message = f"{asked.name} {asked.version} was never published"
    remedy = Remedy(
        f"Install {asked.name} {other}.", commands=install_again(context, requirement_words(asked.name, other))
    )
    return Told("TL502", message, remedy if other else None)


def _other_platform(context: CheckContext, asked: _Asked) -> Told:
    """A release of the public index without a wheel for this platform, in any Python."""
    from torchlock.check.fix.fitting import fitting
    from torchlock.check.fix.plan import planned

    there = wheels.releases_with(asked.name, "", asked.target)
    message = f"{asked.name} {asked.version} has no wheel for {asked.place}"
    if not there:
        return Told(
            "TL403", message, Remedy(f"Leave {asked.name} out: no release of it has a wheel for {asked.place}.")
        )
    if asked.name != "torch" and "torch" in context.pins and (plan := planned(context, wanted={asked.name})):
        return Told("TL403", message, fitting(context, plan))
    other = wheels.nearest(there, asked.version)
    span = f"{there[0]} to {there[-1]}" if len(there) > 1 else there[0]
    summary = (
        f"Install {asked.name} {other}: on {asked.place}, releases {span} have wheels for Python "
        f"{asked.target.python}."
    )
    words = [f"{asked.name}=={other}", *_numpy_beside(asked, other)]
    return Told("TL403", message, Remedy(summary, commands=install_again(context, words)))


def _numpy_beside(asked: _Asked, version: str) -> list[str]:
    """NumPy 1 for a torch that was compiled against it."""
    return ["numpy<2"] if asked.name == "torch" and Version(version) < Version("2.3") else []


def _of_page(context: CheckContext, asked: _Asked, label: str) -> Told | None:
    """Only the page of one build was asked."""
    build = asked._replace(label=label)
    if label not in set(wheels.known_labels()):
        near = wheels.other_labels(asked.name, asked.version, label, asked.target)
        message = f"the PyTorch index has no page {label}: no build for {describe_build(label)} is known"
        commands = install_again(context, _relabelled(build, near[0])) if near else ()
        summary = (
            f"Install the build {near[0]}."
            if near
            else f"Name the page of a build that {asked.name} {asked.version} has."
        )
        return Told("TL205", message, Remedy(summary, commands=commands))
    here = wheels.installs(asked.name, asked.version, label, asked.target)
    if here is not False:
        return None
    if build_table().serves(asked.name, asked.version, label) is not False:
        return _other_target(context, build)
    near = wheels.other_labels(asked.name, asked.version, label, asked.target)
    message = f"the page {page_of(label)} does not have {asked.name} {asked.version}"
    if near:
        remedy = Remedy(
            f"Install the build {near[0]}.", commands=install_again(context, _relabelled(build, near[0]))
        )
    else:
        remedy = Remedy("Install it from the public index.", commands=install_again(context, [asked.pinned]))
    return Told("TL205", message, remedy)


def _unknown(context: CheckContext, asked: Installation) -> Told:
    """What the log says, and what the tables say; why no file was found is not known."""
    tool = asked.tool or "the installer"
    message = f"{tool} found no file of {asked.requirement or asked.name} for this Python and platform"
    target = context.target
    there = wheels.releases_with(asked.name, "", target) if target is not None and asked.name in FAMILY else []
    if asked.offered:
        summary = f"Ask for a release that it lists: the newest is {asked.offered[-1]}."
    elif there and target is not None:
        summary = (
            f"The public index has {asked.name} {there[-1]} for {target}: update pip, ask the public "
            f"index, and use a "
            "64-bit CPython."
        )
    else:
        summary = "Check the name, the Python, and which index is asked."
    return Told("TL528", message, Remedy(summary))
