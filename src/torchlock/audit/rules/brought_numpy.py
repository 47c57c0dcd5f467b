"""TL105: a NumPy 2 that no line of the file names, which packages bring beside a torch for NumPy 1."""

from __future__ import annotations

from torchlock.audit.fix.edits import changes_of
from torchlock.audit.fix.insertion import insertion_of
from torchlock.audit.install_sets import Demand
from torchlock.audit.other_limits import unless_limited
from torchlock.audit.phrasing import as_of, where
from torchlock.audit.rules.declared_requirements import ignores_metadata
from torchlock.audit.rules.versions import conflicting_sets, why
from torchlock.audit.taken import Takes
from torchlock.finding import Remedy
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.records import NamedTuple, replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.audit.taken import Taken
    from torchlock.finding import Finding
    from torchlock.manifests.document import Document, Entry


class OldTorch(NamedTuple):
    """A release of torch (by its index), the entry of the file that pins it, and the cells where it does."""

    release: int
    entry: Entry
    cells: int


@rule("TL105")
def brought_numpy(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A pinned torch for NumPy 1 in a file whose packages bring NumPy 2. Such a torch does not limit NumPy."""
    torch = _pinned_torch(context, install_set) if _is_judged(context, install_set) else None
    if torch is None or not _is_old(context, torch):
        return
    version = context.stack.packages["torch"].versions[torch.release]
    more = () if torch.entry.name == "torch" else (replace(torch.entry, name="torch", specifier=f"=={version}"),)
    there = context.likely(_installs(context, install_set, torch))
    for taken in Takes(context, install_set, frozenset({"numpy"}), more).of("numpy"):
        bad = _broken(context, torch, taken, there)
        if bad:
            yield _finding(context, torch, taken, bad, there)
            return


def _is_judged(context: AuditContext, install_set: InstallSet) -> bool:
    """Whether the file alone decides what is installed: no image, no channel of conda and no job adds NumPy."""
    return not install_set.locked and "numpy" not in context.sides.names and context.once(_decides_alone)


def _decides_alone(document: Document) -> bool:
    if document.kind == "constraints" or ignores_metadata(document) or BY_KIND[document.kind].role == "commands":
        return False
    return all(entry.channel == "pip" for entry in document.entries)


def _pinned_torch(context: AuditContext, install_set: InstallSet) -> OldTorch | None:
    """The torch that a line of the public index pins, or that a pinned companion declares exactly."""
    stack, names = context.stack, [name for name in install_set.names() if name in FAMILY]
    for name in ["torch"] if "torch" in names else names:
        demand, releases = install_set.first(name), install_set.releases(name)
        if not demand.exact or not releases or demand.entry.url is not None or demand.label:
            continue
        if not context.offer(demand.entry).only_public:
            continue
        places = range(len(stack.platforms))
        torches = {
            place: releases if name == "torch" else stack.declared(name, releases, place) for place in places
        }
        exact = {mask for mask in torches.values() if mask.bit_count() == 1}
        if len(exact) == 1:
            release = exact.pop().bit_length() - 1
            cells = sum(stack.on_platform(place) for place in places if torches[place] == 1 << release)
            return OldTorch(release, demand.entry, cells)
    return None


def _is_old(context: AuditContext, torch: OldTorch) -> bool:
    """Whether a torch is for NumPy 1: it does not work with the newest NumPy."""
    newest = context.stack.packages["numpy"].everything.bit_length() - 1
    cells = context.stack.packages["torch"].cells[torch.release] & torch.cells
    chosen = {"torch": torch.release, "numpy": newest}
    return bool(cells) and why(context, chosen, cells.bit_length() - 1) is not None


def _installs(context: AuditContext, install_set: InstallSet, torch: OldTorch) -> int:
    """The cells where this torch and the companions of the file install; none if they exclude each other."""
    stack, names = context.stack, [name for name in install_set.names() if name in FAMILY]
    releases = {name: install_set.releases(name) or 0 for name in names}
    if conflicting_sets(stack, releases):
        return 0
    whole = context.widened(install_set, names)
    found = whole.target_grid & torch.cells & stack.packages["torch"].cells[torch.release]
    for name, mask in releases.items():
        found &= stack.packages[name].cells_of(mask)
    return found


def _broken(context: AuditContext, torch: OldTorch, taken: Taken, cells: int) -> int:
    """The cells where a torch does not work with the NumPy that an installer takes there."""
    package = context.stack.packages["numpy"]
    if taken.version not in package.parsed_versions:
        return 0
    chosen = {"torch": torch.release, "numpy": package.parsed_versions.index(taken.version)}
    here = taken.cells & cells
    return sum(1 << cell for cell in bits(here) if why(context, chosen, cell) is not None)


def _finding(context: AuditContext, torch: OldTorch, taken: Taken, cells: int, there: int) -> Finding:
    version = context.stack.packages["torch"].versions[torch.release]
    place = "" if cells == there else f" on {where(context.stack, cells)}"
    date = as_of(context.known.date)
    message = (
        f"an installer takes torch {version} and {taken.words}{place} ({date}), and these do not work together"
    )
    demands = [taken.demand, Demand(torch.entry, None, exact=True)]
    severity = severity_of(fails=False, partly=bool(cells & context.mainstream))
    finding = context.finding("TL105", severity, message, demands)
    edits = insertion_of(context.document, torch.entry, "numpy<2")
    finding.remedy = Remedy("Add numpy<2.", changes_of(context.document, edits), edits)
    return unless_limited(finding, "numpy", taken.unread)
