"""TL212, TL514, TL515: pages of the PyTorch index that do not have what a file takes from them."""

from __future__ import annotations

from torchlock.audit.index_advice import limiting, tool_of
from torchlock.audit.index_builds import further_indexes
from torchlock.audit.phrasing import as_of, asked, listed, where
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.index_pages import is_excluded
from torchlock.knowledge.indexes import BUILDS, classify_index, is_own_host, page_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding
    from torchlock.manifests.document import Entry

# The limit on the packages that a message names; it counts the others.
_SHOWN = 6


@rule("TL212")
def elsewhere(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Builds without a wheel for the platforms and Pythons of the file, though they exist for others."""
    if install_set.locked:
        return
    for name in install_set.demands:
        demand = install_set.first(name) if name in FAMILY else None
        if demand is None or demand.entry.url is not None or demand.entry.channel == "conda":
            continue
        label = demand.label or context.offer(demand.entry).only_label or ""
        if is_published(label) and demand.releases and not context.offer(demand.entry).unknown:
            whole = context.widened(install_set, (name,))
            lacking = _lacking(context, demand, label, whole.target_grid)
            if lacking:
                yield from _elsewhere(context, whole, demand, label, lacking)


def _lacking(context: AuditContext, demand: Demand, label: str, cells: int) -> int:
    """The cells for which none of the demanded releases has a wheel of a build; only what is certain."""
    return sum(1 << cell for cell in bits(cells) if not _may_have(context, demand, label, cell))


def _may_have(context: AuditContext, demand: Demand, label: str, cell: int) -> bool:
    known = context.known.has_wheel
    key = demand.name, demand.releases or 0, f"{'+' if demand.label else ''}{label}", cell
    if key not in known:
        from torchlock.knowledge.accelerators import absence_of

        builds, target = context.known.builds, context.stack.target(cell)
        versions = context.stack.packages[demand.name].versions
        asked_of = builds.published if demand.label else builds.serves
        known[key] = absence_of(label, str(target.platform)) is None and any(
            asked_of(demand.name, versions[index], label, str(target.platform), str(target.python)) is not False
            for index in reversed(list(bits(demand.releases or 0)))
        )
    return known[key]


def _elsewhere(
    context: AuditContext, install_set: InstallSet, demand: Demand, label: str, lacking: int
) -> Iterator[Finding]:
    """A finding, if the build lacks all judged targets, or one that the file declares, but exists for some."""
    everywhere = lacking == install_set.target_grid
    if everywhere and _lacking(context, demand, label, context.stack.everywhere) == context.stack.everywhere:
        return  # It was never published for any target, which TL204 reports.
    declared = [group & install_set.target_grid for group in context.declared]
    lost = [group for group in declared if group and not group & ~lacking]
    if everywhere:
        lost = [lacking]
    if not lost:
        return
    cells = 0
    for group in lost:
        cells |= group
    build = f"with the label +{label}" if demand.label else f"on the page of {label} builds"
    date = as_of(context.known.builds.date)
    message = f"{asked(demand)} has no wheel {build} for {where(context.stack, cells)} ({date})"
    alone = not any(
        other is not install_set and other.scope == install_set.scope and demand.name in other.demands
        for other in context.install_sets
    )
    usual = not everywhere or context.declares_platforms or bool(cells & context.mainstream)
    yield context.finding("TL212", severity_of(fails=everywhere and alone, partly=usual), message, [demand])


@rule("TL514", on="document")
def other_projects(context: AuditContext) -> Iterator[Finding]:
    """Projects that the PyTorch index does not have, where a page of it is the only index."""
    if context.document.locked or context.document.kind == "constraints":
        return
    missing: dict[tuple[str | None, int], list[Entry]] = {}
    for entry in context.document.entries:
        if entry.channel != "pip" or entry.url is not None or entry.constraint or not is_excluded(entry.name):
            continue
        if _only_own_page(context, entry) and not _is_there_already(context, entry):
            missing.setdefault((entry.index, entry.step), []).append(entry)
    for entries in missing.values():
        yield _no_project(context, entries)


def _only_own_page(context: AuditContext, entry: Entry) -> bool:
    """Whether all indexes of an entry are pages of the PyTorch index itself."""
    lines = context.document.indexes
    addresses = [line.address for line in lines if line.kind != "find-links"]
    if entry.index:
        addresses = [entry.index, *further_indexes(entry, context.document)]
    if not entry.index and BY_KIND[context.document.kind].role == "commands":
        return False  # The index may be that of another command.
    if not entry.index and not any(line.kind == "index" for line in lines):
        return False
    if any(line.kind == "find-links" for line in lines):
        return False  # These may be wheels of any project.
    return all(classify_index(address).kind == BUILDS and is_own_host(address) for address in addresses)


def _is_there_already(context: AuditContext, entry: Entry) -> bool:
    """Whether an earlier command installs the package, so that an installer does not look for it."""
    return any(other.name == entry.name and other.step < entry.step for other in context.document.entries)


def _no_project(context: AuditContext, entries: Sequence[Entry]) -> Finding:
    names = list(dict.fromkeys(entry.name for entry in entries))
    shown = names if len(names) <= _SHOWN else [*names[:_SHOWN], f"{len(names) - _SHOWN} others"]
    message = f"the PyTorch index, the only index named here, does not have {listed(shown)}"
    tool = tool_of(context.document)
    # Until poetry 1.4 a primary source did not replace the public index.
    finding = context.finding("TL514", "warning" if tool == "poetry" else "error", message, [])
    places = context.places(entries)
    if places:
        finding.place, finding.related = places[0], tuple(places[1:])
    finding.remedy = Remedy(_apart(context, tool, listed(shown)))
    return finding


def _apart(context: AuditContext, tool: str, names: str) -> str:
    """How to take other projects from the public index."""
    line = next((line for line in context.document.indexes if line.kind == "index"), None)
    if tool and line is not None:
        return limiting(line)
    if line is not None and context.document.kind in ("requirements", "environment"):
        extra = f"Write --extra-index-url {line.address} instead of --index-url"
        return f"{extra}, and pin the builds of torch and its companions."
    return f"Install {names} in a separate command, without this index."


@rule("TL515")
def candidates(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Pins of final releases that come from the pages of release candidates or nightlies."""
    for name in install_set.demands:
        demand = install_set.first(name) if name in FAMILY else None
        if demand is None or not demand.exact or not demand.releases or demand.entry.url is not None:
            continue
        if demand.entry.channel == "conda" or demand.releases & context.stack.packages[name].prereleases:
            continue
        offer = context.offer(demand.entry)
        if "test" in offer.channels:
            message = (
                f"{asked(demand)} comes from a page of release candidates, whose files are replaced under one name"
            )
        elif "nightly" in offer.channels and not (offer.public or offer.named):
            message = f"{asked(demand)} is a final release, and the only index named here has nightlies"
        else:
            continue
        finding = context.finding("TL515", "warning", message, [demand])
        finding.remedy = _of_releases(context, demand)
        yield finding


def _of_releases(context: AuditContext, demand: Demand) -> Remedy | None:
    """The page of the releases instead of the page of candidates."""
    lines = context.document.indexes
    addresses = [demand.entry.index] if demand.entry.index else [line.address for line in lines]
    for address in addresses:
        label = _label_in(address or "")
        if label:
            return Remedy(f"Use {page_of(label)} instead of {address}.")
    return None


def _label_in(address: str) -> str:
    """The build in the address of a page of candidates."""
    for channel in ("/test/", "/nightly/"):
        if channel in address:
            return classify_index(address.replace(channel, "/", 1)).label
    return ""
