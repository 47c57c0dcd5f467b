"""TL211, TL213, TL516: a page of builds beside the public index, and what pip and uv take from them."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.index_advice import merges_indexes, tool_of
from torchlock.audit.page_choice import beside_the_rest, newest_on_page, other_builds, picks_of, usual_cells
from torchlock.audit.phrasing import as_of, asked, listed, platforms
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.index_builds import Offer
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.audit.page_choice import Picks
    from torchlock.finding import Finding


def _beside_pages(context: AuditContext, install_set: InstallSet) -> Iterator[Demand]:
    """The demands without a label that come from pages of one build or from the public index."""
    if install_set.locked:
        return
    for name in install_set.demands:
        if name not in FAMILY:
            continue
        demand = install_set.first(name)
        if demand.label or demand.entry.url is not None or demand.entry.channel == "conda":
            continue
        offer = context.offer(demand.entry)
        if offer.labels and not offer.every and not offer.unknown and install_set.releases(name):
            yield demand


@rule("TL211")
def not_on_the_page(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Releases that the named page does not have, so that an installer takes those of the public index."""
    for demand in _beside_pages(context, install_set):
        offer = context.offer(demand.entry)
        if not offer.public or len(offer.labels) > 1:
            continue
        label, cells = offer.ordered[0], install_set.target_grid & usual_cells(context)
        releases = install_set.releases(demand.name) or 0
        if not cells or any(_is_there(context, demand.name, releases, label, cell) for cell in bits(cells)):
            continue
        other = other_builds(context, demand.name, releases, label, cells)
        if other:
            alone = demand.name != "torch" and _torch_is_public(context, install_set, label, cells)
            yield _not_there(context, demand, label, {} if alone else other)


def _is_there(context: AuditContext, name: str, releases: int, label: str, cell: int) -> bool:
    """Whether a page has, or may have, one of these releases for a cell."""
    return newest_on_page(context, name, releases, label, cell) is not None


def _torch_is_public(context: AuditContext, install_set: InstallSet, label: str, cells: int) -> bool:
    """Whether pip certainly takes torch from the public index too, on all cells: it has a newer one that fits."""
    if "torch" not in install_set.names():
        return False
    torch, package = install_set.first("torch"), context.stack.packages["torch"]
    if torch.label or torch.entry.url is not None or context.offer(torch.entry).ordered != (label,):
        return False
    for cell in bits(cells):
        releases = beside_the_rest(context, install_set, "torch", cell)
        if isinstance(releases, Unknown):
            return False
        page = newest_on_page(context, "torch", releases, label, cell)
        public = (releases & package.on(1 << cell) & ~package.prereleases & ~package.yanked).bit_length() - 1
        if isinstance(page, Unknown) or public <= (-1 if page is None else page):
            return False
    return True


def _not_there(context: AuditContext, demand: Demand, label: str, other: dict[str, int]) -> Finding:
    """The finding; without ``other`` builds for pip, which takes torch from the public index too."""
    builds = context.known.builds
    takes = listed([f"the {build} build on {platforms(context.stack, cells)}" for build, cells in other.items()])
    tools = {line.tool for line in context.document.indexes}
    message = f"{asked(demand)} is not on the page of {label} builds ({as_of(builds.date)})"
    others = tools & {"poetry", "pdm", "pipenv"}
    merges = merges_indexes(context.document)
    if tools != {"uv"} or merges:
        who = "an installer" if others or merges else "pip"
        takes = f"it from the public index, {takes}" if other else "torch and it from the public index"
        message += f": {who} takes {takes}"
    fails = False
    if not others and not merges and not demand.entry.pip_only and _lists_another(context, demand, label):
        message += "; uv asks the page alone, because it lists other releases, and finds none"
        fails = tool_of(context.document) == "uv"
    return context.finding("TL211", severity_of(fails=fails), message, [demand])


def _lists_another(context: AuditContext, demand: Demand, label: str) -> bool:
    """Whether the page certainly lists another release of the package."""
    builds = context.known.builds
    versions = context.stack.packages[demand.name].versions
    return any(builds.serves(demand.name, text, label) is True for text in versions)


@rule("TL213", "TL516")
def choices_differ(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Demands for which pip takes another build than the one that the first page has."""
    for demand in _beside_pages(context, install_set):
        offer = context.offer(demand.entry)
        if (len(offer.labels) == 1 and (demand.exact or not offer.public)) or not _for_pip(context, offer):
            continue
        outdone: dict[Picks, int] = {}
        mixed: dict[Picks, int] = {}
        for cell in bits(install_set.target_grid & usual_cells(context)):
            releases = beside_the_rest(context, install_set, demand.name, cell)
            picks = None if isinstance(releases, Unknown) else picks_of(context, demand, releases, cell)
            if picks is None or picks.uv is None or picks.pip == picks.uv:
                continue
            kind = mixed if picks.pip.label else outdone
            kind[picks] = kind.get(picks, 0) | 1 << cell
        if outdone:
            picks = max(outdone, key=lambda picks: picks.pip.release)
            yield _outdone(context, demand, picks, outdone[picks])
        if mixed and not demand.entry.pip_only:
            yield _mixed(context, demand, max(mixed, key=lambda picks: picks.pip.release))


def _for_pip(context: AuditContext, offer: Offer) -> bool:
    """Whether pip may install the file, and its pages are for one command. Several commands may have their own."""
    if len(offer.labels) > 1 and BY_KIND[context.document.kind].role == "commands":
        return False
    return not any(line.tool for line in context.document.indexes)


def _outdone(context: AuditContext, demand: Demand, picks: Picks, cells: int) -> Finding:
    assert picks.uv is not None
    versions, label = context.stack.packages[demand.name].versions, picks.uv.label
    here, there = versions[picks.uv.release], versions[picks.pip.release]
    end = _end_of_page(context, demand.name, label, picks.uv.release)
    dates = as_of(max(context.known.date, context.known.builds.date))
    uv = "" if demand.entry.pip_only else f"; uv takes {here}+{label}"
    place = "" if demand.entry.marker else f" on {platforms(context.stack, cells)}"
    message = (
        f"{asked(demand)}: pip takes {demand.name} {there} of the public index{place}, because the page of "
        f"{label} builds ends at {versions[end]}{uv} ({dates})"
    )
    return context.finding("TL213", "warning", message, [demand])


def _end_of_page(context: AuditContext, name: str, label: str, least: int) -> int:
    """The newest release (by index) that a page has for any target; at least one that it is known to have."""
    package, builds = context.stack.packages[name], context.known.builds
    final = package.everything & ~package.prereleases >> least << least
    return max(
        (index for index in bits(final) if builds.serves(name, package.versions[index], label) is True),
        default=least,
    )


def _mixed(context: AuditContext, demand: Demand, picks: Picks) -> Finding:
    assert picks.uv is not None
    versions = context.stack.packages[demand.name].versions
    pip, uv = (f"{versions[pick.release]}+{pick.label}" for pick in (picks.pip, picks.uv))
    date = as_of(context.known.builds.date)
    message = f"{asked(demand)}: pip takes {pip}, and uv takes {uv} from the first of these pages ({date})"
    return context.finding("TL516", "warning", message, [demand])
