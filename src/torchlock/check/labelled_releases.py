"""A release with the label of a build, or from the page of one build, of which an installer found no file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check import known_wheels as wheels
from torchlock.check.asked_releases import family_words, left_out, other_python, relabelled, without_labels
from torchlock.check.installer_findings import Told, install_again, requirement_words, words_of
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.indexes import BUILDS, classify_index, page_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from torchlock.check.asked_releases import Asked
    from torchlock.check.context import CheckContext
    from torchlock.finding import Command

# A step of a Dockerfile, as docker and BuildKit show it.
_IMAGE = re.compile(
    r"\bRUN (?:--\S+ )*\S|^[ \t]{0,40}(?:#\d+ |Step \d+/\d+)|[Dd]ockerfile|\bdocker (?:compose|build)",
    re.MULTILINE,
)


def with_label(context: CheckContext, asked: Asked) -> Told | None:
    """A pin with the label of a build."""
    if kind_of(asked.label) is None:
        return None
    if asked.target.platform.system == "macos":
        return _no_builds_for_macos(context, asked)
    published = build_table().published(asked.name, asked.version, asked.label)
    if published is False:
        return _never_published(context, asked)
    if is_without_label_here(asked):
        return _without_its_label(context, asked)
    here = wheels.installs(asked.name, asked.version, asked.label, asked.target)
    if here is False:
        return _other_target(context, asked)
    if here is not True and (pythons := _other_pythons(asked)):
        return other_python(context, asked, pythons)
    if _was_asked(asked) or (here is not True and not _pythons(asked)):
        return None
    return _page_not_asked(context, asked, certain=here is True)


def is_without_label_here(asked: Asked) -> bool:
    """Whether the wheels of this release on the page have no label, for the platform of the target."""
    written = wheels.written(asked.name, asked.version, asked.label, asked.target)
    return (
        written == asked.version and wheels.installs(asked.name, asked.version, asked.label, asked.target) is True
    )


def _without_its_label(context: CheckContext, asked: Asked) -> Told:
    message = (
        f"{asked.pinned} has no wheel for {asked.place}: on the page {page_of(asked.label)}, the wheel of "
        f"{asked.name} {asked.version} for this platform has no label"
    )
    words = relabelled(asked, asked.label)
    remedy = Remedy(
        f"Ask for {asked.name}=={asked.version} from this page.", commands=install_again(context, words)
    )
    return Told("TL212", message, remedy)


def _was_asked(asked: Asked) -> bool:
    """Whether the installer saw the builds of the page: it names the page, such a label, or the release."""
    pages = map(classify_index, asked.log.indexes)
    offered = asked.log.offered or ()
    return (
        asked.log.is_listed
        or any(each.kind == BUILDS and each.label in ("", asked.label) for each in pages)
        or any(each.partition("+")[2] == asked.label for each in offered)
    )


def _pythons(asked: Asked) -> list[str]:
    return wheels.pythons_with(asked.name, asked.version, asked.label, asked.target)


def _other_pythons(asked: Asked) -> list[str]:
    """The Pythons of a release whose public wheels are for others than that of the target; empty if they fit.

    The builds of one release are made for the same Pythons.
    """
    public = wheels.pythons_with(asked.name, asked.version, "", asked.target)
    return _pythons(asked) or public if public and str(asked.target.python) not in public else []


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
        return Told("TL212", message, _in_another_build(context, asked, others))
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


def _in_another_build(context: CheckContext, asked: Asked, labels: list[str]) -> Remedy:
    """Everything that was asked for, from the page of another build; else from the public index."""
    whole = [each for each in labels if not left_out(asked, each)]
    image = _other_image(asked)
    if not whole and (words := without_labels(asked)):
        name = " and ".join(left_out(asked, labels[0]))
        summary = f"Install them from the public index: the build {labels[0]} has no {name} of this release here"
        return Remedy(f"{summary}{image}.", commands=install_again(context, words))
    label = (whole or labels)[0]
    rest = left_out(asked, label)
    less = f", which has no {' and '.join(rest)} of this release here" if rest else ""
    commands = install_again(context, relabelled(asked, label))
    return Remedy(f"Install the build {label}{less}{image}.", commands=commands)


def _other_image(asked: Asked) -> str:
    """How to build an image for x86-64, if it is built on ARM, and the build has wheels for the other only."""
    platform = asked.target.platform
    if platform.system != "linux" or platform.machine != "aarch64" or not _IMAGE.search(asked.log.near):
        return ""
    there = build_table().published(asked.name, asked.version, asked.label, "linux-x86_64")
    return "; or build the image for x86-64: docker build --platform linux/amd64" if there is True else ""


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
