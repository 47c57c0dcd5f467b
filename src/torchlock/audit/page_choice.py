"""What pip and uv take of a package that several indexes have: pages of one build, and the public index."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import label_order
from torchlock.knowledge.build_pairs import mismatch
from torchlock.knowledge.masks import bits
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.knowledge.compatibility import CompatibilityTable


class Pick(NamedTuple):
    """A release by its index, and the page that it comes from; the label "" is the public index."""

    release: int
    label: str


class Picks(NamedTuple):
    """What each installer takes on one cell: pip the best of all indexes, uv the best of the first page.

    ``uv`` is None if the first page has the package, but no allowed release of it.
    """

    pip: Pick
    uv: Pick | None


def beside_the_rest(context: AuditContext, install_set: InstallSet, name: str, cell: int) -> int | Unknown:
    """The allowed releases of a package that work, by metadata, with a torch that the same command allows.

    An installer passes over a release whose metadata excludes the torch of the command. Unknown if that torch is.
    """
    stack, releases = context.stack, install_set.releases(name) or 0
    if "torch" not in install_set.demands or not install_set.in_one_command(("torch", name)):
        return releases
    torch, platform = install_set.releases("torch"), stack.coordinates(cell)[0]
    if torch is None:
        return Unknown("the torch that it is installed with is unknown")
    for other in install_set.names():
        if other in stack.partners and install_set.in_one_command(("torch", other)):
            torch &= stack.declared(other, install_set.releases(other) or 0, platform)
    fitting = torch if name == "torch" else _declaring(stack, name, torch, platform)
    return releases & fitting or releases


def _declaring(stack: CompatibilityTable, name: str, torches: int, platform: int) -> int:
    """The releases of a companion whose metadata allows one of these releases of torch."""
    found = 0
    for torch in bits(torches):
        found |= stack.declared_beside(name, torch, platform)
    return found


def picks_of(context: AuditContext, demand: Demand, releases: int, cell: int) -> Picks | None:
    """What pip and uv take on a cell; None if the pages are not known well enough, or have nothing there.

    ``releases`` are the allowed ones. The offer of the demand must consist of pages of one build and the public
    index.
    """
    package, offer = context.stack.packages[demand.name], context.offer(demand.entry)
    allowed = releases & ~package.prereleases & ~package.yanked or releases
    pages = {label: newest_on_page(context, demand.name, allowed, label, cell) for label in offer.ordered}
    if any(isinstance(newest, Unknown) for newest in pages.values()):
        return None
    found = [
        Pick(newest, label)
        for label, newest in pages.items()
        if newest is not None and not isinstance(newest, Unknown)
    ]
    if not found:
        return None
    first = next((pick for pick in found if pick.label == offer.ordered[0]), None)
    public = allowed & package.on(1 << cell) if offer.public else 0
    every = [*found, Pick(public.bit_length() - 1, "")] if public else found
    return Picks(max(every, key=lambda pick: (pick.release, label_order(pick.label))), first)


def newest_on_page(context: AuditContext, name: str, releases: int, label: str, cell: int) -> int | Unknown | None:
    """The newest of these releases (as an index) that a page has for a cell; None if it has none of them.

    Unknown if the table of builds does not say whether the page has a newer one. The answers are cached.
    """
    known = context.known
    key = name, releases, label, cell
    if key not in known.newest_on_page:
        known.newest_on_page[key] = _newest(context, name, releases, label, cell)
    answer: int | Unknown | None = known.newest_on_page[key]
    return answer


def _newest(context: AuditContext, name: str, releases: int, label: str, cell: int) -> int | Unknown | None:
    stack, builds = context.stack, context.known.builds
    target, package = stack.target(cell), stack.packages[name]
    place, python = str(target.platform), str(target.python)
    for index in reversed(list(bits(releases))):
        text = package.versions[index]
        served = builds.serves(name, text, label, place, python)
        # Many sources name no Pythons. The builds of a release are for those of the public index.
        if isinstance(served, Unknown) and package.cells[index] >> cell & 1:
            served = True if builds.serves(name, text, label, place) is True else served
        if served is True:
            return index
        if isinstance(served, Unknown):
            return served
    return None


def other_builds(context: AuditContext, name: str, releases: int, label: str, cells: int) -> dict[str, int]:
    """The builds of the public index that an installer takes on these cells instead of the build of a page.

    Build → its cells: on each platform the build of the newest release, which old Pythons may not get. A companion
    that is a CPU build is left out: it works beside every build of torch.
    """
    stack, package, found = context.stack, context.stack.packages[name], dict[str, int]()
    final = releases & ~package.prereleases & ~package.yanked or releases
    for platform in range(len(stack.platforms)):
        here = cells & stack.on_platform(platform)
        newest = (final & package.on(here)).bit_length() - 1 if here else -1
        build = package.build(newest, platform) if newest >= 0 else None
        if not isinstance(build, str) or (build == "cpu" and name != "torch"):
            continue
        if mismatch(name, build, "torch", label) is not None:
            found[build] = found.get(build, 0) | here & package.cells[newest]
    return found


def usual_cells(context: AuditContext) -> int:
    """The cells that a file with a page of builds is for: common platforms, if it declares none, and no macOS."""
    stack = context.stack
    cells = context.target_grid if context.declares_platforms else context.target_grid & context.mainstream
    cells = context.likely(cells)
    for at, name in enumerate(stack.platforms):
        cells &= ~stack.on_platform(at) if name.startswith("macos") else stack.everywhere
    return cells
