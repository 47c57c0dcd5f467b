"""Packages installed into an image that contains a vendor's build of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.document import ParseIssue
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.knowledge.images import Image
    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.document import Entry

_EXACT = pattern(r"===?\s*[^\s,*]+")
_BECAUSE = (
    "the vendor builds torch from another state of the source and for other libraries, so pip either replaces "
    "this torch or installs a package that does not load"
)
_REMEDY = (
    "Build {name} from source against the torch of the image (--no-build-isolation), or get it from the vendor; "
    "with --no-deps pip at least keeps that torch"
)


def replaces_torch(entries: Sequence[Entry], image: Image, at: int, builder: DocumentBuilder) -> bool:
    """Whether a command replaces the vendor's torch; adds a note (TL903) on the content of the image."""
    replaced = any(entry.name == "torch" and _brings(entry) for entry in entries)
    more = "a command here replaces it" if replaced else "the versions that work with it are unknown"
    builder.issue("TL903", "note", f"{_brought(image)}; {more}", at)
    return replaced


def beside_vendor(entries: Sequence[Entry], image: Image, at: int, builder: DocumentBuilder) -> Iterator[Entry]:
    """The entries that can be judged; a warning (TL203) for each companion of an unknown torch."""
    for entry in entries:
        if entry.name not in FAMILY:
            yield entry
        elif entry.name != "torch" and entry.url is None and not entry.constraint:
            _warn(entry, _brought(image), at, builder)


def _brought(image: Image) -> str:
    which = image.version or image.release
    return f"{image.name} contains a torch that {image.vendor} built" + (f" ({which})" if which else "")


def _brings(entry: Entry) -> bool:
    """Whether a requirement makes pip install torch, though the image has one."""
    pinned = _EXACT.fullmatch(entry.specifier.strip()) is not None
    return not entry.constraint and (pinned or entry.url is not None or entry.index is not None)


def _warn(entry: Entry, what: str, at: int, builder: DocumentBuilder) -> None:
    place = entry.place if entry.path == builder.path else builder.place(at)
    text = f"{entry.name}{entry.specifier}"
    message = f"{what}, and the {text} of the public indexes is built for another torch"
    remedy = _REMEDY.format(name=entry.name)
    issue = ParseIssue("TL203", "warning", message, place, because=_BECAUSE, remedy=remedy)
    if issue not in builder.document.issues:
        builder.document.issues.append(issue)
