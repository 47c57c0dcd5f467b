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
    from torchlock.check.installer_log import Installation
    from torchlock.finding import Command

_PAGE = re.compile(r"https://download\.pytorch\.org/whl/(cpu|cu\d{2,3}|xpu|rocm[\d.]{1,5})(?=[/\s)`'\"]|$)")
# A step of a Dockerfile, as docker and BuildKit show it.
_IMAGE = re.compile(
    r"\bRUN (?:--\S+ )*\S|^[ \t]{0,40}(?:#\d+ |Step \d+/\d+)|[Dd]ockerfile|\bdocker (?:compose|build)",
    re.MULTILINE,
)

# So many releases are called the last ones.
_RECENT = 4


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


def plain_version(asked: Installation) -> Told | None:
    """A release without a label on the page of one build, where such wheels are those for macOS; else None."""
    page = _PAGE.search(asked.near)
    is_for_macos = bool(asked.tags) and all(each.startswith("macosx") for each in asked.tags)
    if page is None or not is_for_macos or asked.name not in FAMILY or "+" in asked.version:
        return None
    message = (
        f"on the page {page[0]}, the wheels of {asked.requirement} without a label are those for macOS: "
        f"the others are {asked.requirement}+{page[1]}"
    )
    again = f"uv lock --upgrade-package {asked.name}" if asked.tool == "uv" else "with a current installer"
    return Told("TL212", message, Remedy(f"Ask for {asked.requirement}+{page[1]}, or lock again ({again})."))


def page_without(asked: Installation) -> Told | None:
    """The log names the page of one build alone, and that page never had this release: for no Python or platform.

    It is asked where the Python or the platform is not known; None if the page has it or may have it.
    """
    named = {classify_index(match[0]).label for match in _PAGE.finditer(asked.near)}
    pages = [classify_index(each) for each in asked.indexes]
    labels = named | {each.label for each in pages if each.kind == BUILDS}
    version, _, own = asked.version.partition("+")
    if asked.name not in FAMILY or not version or own or len(labels) != 1:
        return None
    if any(each.kind != BUILDS for each in pages) or re.search(r"--extra-index-url", asked.near):
        return None
    label = labels.pop()
    has = build_table().serves(asked.name, version, label) if label else True
    page = f"the page {page_of(label)}"
    if has is False:
        return Told("TL205", f"{page} does not have {asked.name} {version}", _of_other_page(asked, label))
    if isinstance(has, Unknown) and _on_page(asked.name, label) and _builds_like(asked, label):
        message = f"{page} is not known to have {asked.name} {version}, and the installer found none there"
        return Told("TL205", message, _of_other_page(asked, label))
    return None


def empty_page(context: CheckContext, asked: Installation) -> Told | None:
    """Only the page of one build was asked, and it has no release of the last years; None if it may have one."""
    pages = [classify_index(each) for each in asked.indexes]
    labels = {each.label for each in pages if each.kind == BUILDS}
    recent = wheels.final_releases(asked.name)[-_RECENT:] if asked.name in FAMILY else []
    if len(labels) != 1 or any(each.kind != BUILDS for each in pages):
        return None
    label = labels.pop()
    known = {each: build_table().serves(asked.name, each, label) for each in recent if label}
    lacking = [each for each, answer in known.items() if answer is False]
    if not lacking or any(answer is True for answer in known.values()):
        return None
    near = _builds_like(asked._replace(specifier=f"=={lacking[-1]}"), label)
    message = (
        f"the page {page_of(label)} has no {asked.name} of the last releases, and the installer found none there"
    )
    if not near:
        return Told("TL205", message, Remedy("Install it from the public index."))
    words = [page_of(near[0]) if classify_index(each).label == label else each for each in words_of(asked)]
    commands = install_again(context, words) if page_of(near[0]) in words else ()
    summary = f"Install all of them from {page_of(near[0])}, which has {asked.name} {lacking[-1]}."
    return Told("TL205", message, Remedy(summary, commands=commands))


def _on_page(name: str, label: str) -> list[str]:
    """The releases with the label of a build that are known, oldest first."""
    return [each for each in wheels.final_releases(name) if build_table().published(name, each, label) is True]


def _builds_like(asked: Installation, label: str) -> list[str]:
    """The known builds of the asked release of the kind of another one, the nearest to that first."""
    labels = build_table().labels(asked.name, asked.version)
    known = [] if isinstance(labels, Unknown) else [each for each in labels if each and each != label]
    same = [each for each in known if kind_of(each) == kind_of(label)]
    return sorted(same, key=lambda each: wheels.distance(each, label))


def _of_other_page(asked: Installation, label: str) -> Remedy:
    """Another build of the same kind that the release has, or a release that the page has."""
    ways = [
        f"install {asked.name} {asked.version} from {page_of(each)}" for each in _builds_like(asked, label)[:1]
    ]
    if there := _on_page(asked.name, label):
        span = f"{there[0]} to {there[-1]}" if len(there) > 1 else there[0]
        nearest = wheels.nearest(there, asked.version)
        ways.append(f"install {asked.name} {nearest} from that page, which has {span}")
    words = "; or ".join(ways) or "install it from the public index"
    return Remedy(f"{words[0].upper()}{words[1:]}.")


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
