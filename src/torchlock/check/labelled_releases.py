"""A release with the label of a build, or from the page of one build, of which an installer found no file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check import known_wheels as wheels
from torchlock.check.asked_releases import family_words, other_python, relabelled
from torchlock.check.installer_findings import Told, install_again, requirement_words, words_of
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.indexes import classify_index, page_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from torchlock.check.asked_releases import Asked
    from torchlock.check.context import CheckContext
    from torchlock.finding import Command


def with_label(context: CheckContext, asked: Asked) -> Told | None:
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


def _no_builds_for_macos(context: CheckContext, asked: Asked) -> Told:
    what = describe_build(asked.label) if asked.label != "cpu" else "the label +cpu"
    message = f"there is no {asked.pinned} for macOS: {what} does not exist for macOS, whose wheels have no label"
    there = wheels.releases_with(asked.name, "", asked.target)
    version = asked.version if asked.version in there else wheels.nearest(there, asked.version)
    summary = f"Install {asked.name} {version}, without a label and without the page of a build."
    plain = [each.partition("+")[0] for each in family_words(asked)]
    words = plain if version == asked.version else requirement_words(asked.name, version)
    return Told("TL212", message, Remedy(summary, commands=install_again(context, words)))


def _never_published(context: CheckContext, asked: Asked) -> Told:
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
    words = relabelled(asked, others[0])
    remedy = Remedy(f"Install the build {others[0]}.", commands=install_again(context, words))
    return Told("TL204", message, remedy, because)


def _page_not_asked(context: CheckContext, asked: Asked, *, certain: bool) -> Told:
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


def _split(context: CheckContext, asked: Asked, words: list[str]) -> tuple[Command, ...]:
    """Install the torch family from the page of its build, and all else of the command after it."""
    family = install_again(context, relabelled(asked, asked.label))
    others = [each for each in words if not each.startswith("-") and re.split(r"[=<>!~\[]", each)[0] not in FAMILY]
    others = [each for each in others if "://" not in each]
    rest = {each.tool: each.line for each in install_again(context, others)}
    return tuple(
        each._replace(line=" && ".join(filter(None, [each.line, rest.get(each.tool)]))) for each in family
    )


def _other_target(context: CheckContext, asked: Asked) -> Told:
    """A build that exists, and not for this Python or this platform."""
    pythons = wheels.pythons_with(asked.name, asked.version, asked.label, asked.target)
    if pythons:
        return other_python(context, asked, pythons)
    message = f"{asked.pinned} has no wheel for {asked.place}"
    there = wheels.releases_with(asked.name, asked.label, asked.target)
    others = wheels.other_labels(asked.name, asked.version, asked.label, asked.target)
    if others:
        commands = install_again(context, relabelled(asked, others[0]))
        return Told("TL212", message, Remedy(f"Install the build {others[0]}.", commands=commands))
    if there:
        version = wheels.nearest(there, asked.version)
        words = relabelled(asked._replace(log=asked.log._replace(command="")), asked.label)
        words[-1] = f"{asked.name}=={wheels.written(asked.name, version, asked.label, asked.target)}"
        return Told(
            "TL212", message, Remedy(f"Install {asked.name} {version}.", commands=install_again(context, words))
        )
    summary = "Install the build of the public index, without a label."
    plain = asked.version in wheels.releases_with(asked.name, "", asked.target)
    words = [each.partition("+")[0] for each in family_words(asked)] if plain else []
    return Told("TL212", message, Remedy(summary, commands=install_again(context, words)))


def of_page(context: CheckContext, asked: Asked, label: str) -> Told | None:
    """Only the page of one build was asked."""
    build = asked._replace(label=label)
    if label not in set(wheels.known_labels()):
        near = wheels.other_labels(asked.name, asked.version, label, asked.target)
        message = f"the PyTorch index has no page {label}: no build for {describe_build(label)} is known"
        commands = install_again(context, relabelled(build, near[0])) if near else ()
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
            f"Install the build {near[0]}.", commands=install_again(context, relabelled(build, near[0]))
        )
    else:
        remedy = Remedy("Install it from the public index.", commands=install_again(context, [asked.pinned]))
    return Told("TL205", message, remedy)
