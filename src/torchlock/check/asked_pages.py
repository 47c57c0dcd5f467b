"""An installer found no file of a release on the page of one build: what the page has, and what it lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check import known_wheels as wheels
from torchlock.check.installer_findings import Told, install_again, words_of
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.compatibility import newest_beside
from torchlock.knowledge.indexes import BUILDS, classify_index, page_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation

_OWN_TAG = re.compile(r"You're on [^\n(`]{1,40}\(`(\w{4,60})`")
_PLATFORM = re.compile(r"(?:many|musl)?linux|win|macosx")
_SYSTEMS_OF = {"win": "Windows (sys_platform == 'win32')", "man": "Linux (x86_64)", "lin": "Linux (x86_64)"}
_PAGE = re.compile(r"https://download\.pytorch\.org/whl/(cpu|cu\d{2,3}|xpu|rocm[\d.]{1,5})(?=[/\s)`'\",]|$)")
# A wheel of torch that the installer took from the page of a build.
_TAKEN = re.compile(
    r"/whl/[\w.]{2,12}/torch-(?P<version>\d[\d.]{2,8}\d)(?P<label>(?:%2B|\+)[\w.]{2,12})?"
    r"-cp3(?P<minor>\d{1,2})-\w{3,12}-(?P<tag>\w{3,40})\.whl"
)
# uv says so of a page that the server refuses or does not have.
_NO_PAGE = "was not found in the package registry"
# So many releases are called the last ones.
_RECENT = 4


def plain_version(asked: Installation) -> Told | None:
    """A release without a label on the page of one build, where such wheels are those for other platforms."""
    page, own = _PAGE.search(asked.near), _OWN_TAG.search(" ".join(asked.near.split()))
    is_for_macos = bool(asked.tags) and all(each.startswith("macosx") for each in asked.tags)
    is_for_others = own is not None and bool(asked.tags) and all(_PLATFORM.match(each) for each in asked.tags)
    if page is None or asked.name not in FAMILY or not asked.version or "+" in asked.version:
        return None
    if not is_for_macos and not (is_for_others and own and _has_build_for(asked, own[1], page[1])):
        return None
    message = (
        f"on the page {page[0]}, the wheels of {asked.requirement} without a label are those for "
        f"{'macOS' if is_for_macos else ', '.join(asked.tags[:4])}: the others are {asked.requirement}+{page[1]}"
    )
    again = f"uv lock --upgrade-package {asked.name}" if asked.tool == "uv" else "with a current installer"
    where = "" if is_for_macos else f" for {_SYSTEMS_OF[own[1][:3]]}" if own and own[1][:3] in _SYSTEMS_OF else ""
    return Told(
        "TL212", message, Remedy(f"Ask for {asked.requirement}+{page[1]}{where}, or lock again ({again}).")
    )


def _has_build_for(asked: Installation, tag: str, label: str) -> bool:
    """Whether the build of a page exists for the platform that an installer names; these tags are for others."""
    if any(each.rpartition("_")[2] == tag.rpartition("_")[2] and each[:3] == tag[:3] for each in asked.tags):
        return False
    platform = _platform_of(tag)
    return bool(platform) and build_table().published(asked.name, asked.version, label, platform) is True


def _platform_of(tag: str) -> str:
    """The platform of a wheel's tag, as the tables name it; "" for another one."""
    names = {"win_amd64": "windows-amd64", "win_arm64": "windows-arm64"}
    linux = f"linux-{'aarch64' if tag.endswith('aarch64') else 'x86_64'}"
    return names.get(tag, linux if re.match(r"(?:many)?linux", tag) else "")


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


def unknown_page(asked: Installation) -> Told | None:
    """A page for a CUDA release that the PyTorch index never had, older than its newest; None for any other.

    The server refuses such a page, and the installer sees no file of anything.
    """
    labels = {classify_index(each).label for each in asked.indexes}
    label = next(iter(labels)) if len(labels) == 1 else ""
    known = [each for each in wheels.known_labels() if re.fullmatch(r"cu\d{2,3}", each)]
    saw_none = asked.offered == () or (asked.offered is None and _NO_PAGE in " ".join(asked.near.split()))
    if not saw_none or not re.fullmatch(r"cu\d{1,3}", label) or label in known:
        return None
    if int(label[2:]) > max(int(each[2:]) for each in known):
        return None  # It may be newer than the tables.
    like = sorted((each for each in known if each.startswith(label)), key=lambda each: int(each[2:]))
    near = like[-1] if like else min(known, key=lambda each: (abs(int(each[2:]) - int(label[2:])), each))
    recent = wheels.final_releases(asked.name)[-1:] if asked.name in FAMILY else []
    message = f"the PyTorch index has no page {label}, so that the installer saw no file at all"
    last = _with_label(asked.name, near)
    newest = f", whose last {asked.name} is {last}" if last and last not in recent else ""
    return Told("TL205", message, Remedy(f"Name a page that it has: {page_of(near)}{newest}."))


def _with_label(name: str, label: str) -> str:
    """The last known release with the label of a build; "" if none is known."""
    return next(reversed(_on_page(name, label)), "") if name in FAMILY else ""


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


def without_companion(asked: Installation) -> Told | None:
    """The page of one build has torch for this Python and platform, and no file of a companion; else None.

    The log shows it: the installer took torch from that page. The page gets its files one after another.
    """
    pages = [classify_index(each) for each in asked.indexes]
    labels = {each.label for each in pages if each.kind == BUILDS}
    found = _TAKEN.search(asked.near)
    label = next(iter(labels), "")
    if len(labels) != 1 or found is None or not label or asked.name not in FAMILY or asked.name == "torch":
        return None
    if found["label"].replace("%2B", "+").lstrip("+") != label:
        return None
    wanted = newest_beside(asked.name, found["version"])
    message = (
        f"the page {page_of(label)} had no {asked.name} for this Python and platform on the day of the log; it "
        f"had torch {found['version']} for them, so neither is the reason"
    )
    platform = _platform_of(found["tag"])
    here = (
        build_table().published(asked.name, wanted, label, platform or None, f"3.{found['minor']}")
        if wanted
        else False
    )
    if here is not False and build_table().published(asked.name, wanted, label) is True:
        doubt = "" if here is True and platform else "; it is not certain that it is for this Python and platform"
        summary = (
            f"Run the command again: the page has {asked.name} {wanted}+{label} by now (as of "
            f"{wheels.catalogue_date()}){doubt}."
        )
    elif near := _builds_like(asked._replace(specifier=f"=={wanted}"), label) if wanted else []:
        summary = f"Install all of them from {page_of(near[0])}, which has {asked.name} {wanted}."
    else:
        summary = f"Leave {asked.name} out of this command, or use a build of torch whose page has it."
    return Told("TL205", message, Remedy(summary))


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
