"""The build of torch that conda packages request, by build strings and by packages that select a build."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.document import ParseIssue
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry

_CUDA = pattern(r"(?:^|[_*-]|\d)cu(?:da)?[_-]?(\d{1,2})\.?(\d)(?!\d)")
_CPU = pattern(r"(?:^|[_*-])cpu(?=$|[_*-])")
_BOTH = "each of them allows only one build of torch, so conda finds no solution with both"


def label_of(build: str) -> str:
    """The label of a build on package indexes (``cpu``, ``cu121``); "" if the build string does not say it."""
    cuda = _CUDA.search(build)
    if cuda:
        return f"cu{cuda[1]}{cuda[2]}"
    return "cpu" if _CPU.search(build) else ""


def infer_builds(document: Document) -> None:
    """Give torch packages the build that others select, and report two that exclude each other.

    Only packages of one file, or of one command, are compared: a later command may replace all of them.
    """
    chosen: dict[tuple[str, int], dict[str, Entry]] = {}
    for entry in document.entries:
        label = _selected(entry)
        if label:
            chosen.setdefault((entry.scope, entry.step), {}).setdefault(label, entry)
    if not chosen:
        return
    for (scope, step), labels in chosen.items():
        both = {**chosen.get(("", step), {}), **labels}
        if "cpu" in both and len(both) > 1 and not document.locked:
            _tell(document, [both["cpu"], next(entry for label, entry in both.items() if label != "cpu")])
        chosen[scope, step] = both
    document.entries = [_settled(entry, chosen) for entry in document.entries]


def _selected(entry: Entry) -> str:
    """The build that a package of the channel pytorch selects (through pytorch-mutex); "" for other packages."""
    if entry.channel != "conda":
        return ""
    if entry.name == "cpuonly":
        return "cpu"
    version = re.fullmatch(r"==(\d{1,2})\.(\d)(?:\.\d+)*(?:\.\*)?", entry.specifier)
    return f"cu{version[1]}{version[2]}" if entry.name == "pytorch-cuda" and version else ""


def _settled(entry: Entry, chosen: dict[tuple[str, int], dict[str, Entry]]) -> Entry:
    labels = chosen.get((entry.scope, entry.step), chosen.get(("", entry.step), {}))
    if entry.channel != "conda" or entry.name not in FAMILY or entry.build or len(labels) != 1:
        return entry
    return replace(entry, build=next(iter(labels)))


def _tell(document: Document, entries: list[Entry]) -> None:
    first, second = sorted(entries, key=lambda entry: entry.place)
    message = f"{first.text} and {second.text} exclude each other"
    remedy = f"Remove {first.text}, or {second.text}: keep the one for the build of torch that you want"
    document.issues.append(ParseIssue("TL203", "error", message, second.place, because=_BOTH, remedy=remedy))
