"""What installers choose if packages of the file bring torch or its companions, or limit them (metadata)."""

from __future__ import annotations

from torchlock.audit.brought import brought, pieces
from torchlock.audit.command_order import order_of
from torchlock.audit.fix.edits import changes_of
from torchlock.audit.fix.insertion import insertion_of
from torchlock.audit.fix.remedies import remedy_of
from torchlock.audit.install_sets import InstallSet, demand_of, pinned
from torchlock.audit.limited_torch import limited_torch
from torchlock.audit.other_limits import of_addresses, unless_limited
from torchlock.audit.phrasing import listed
from torchlock.audit.rules.declared_requirements import ignores_metadata
from torchlock.audit.rules.newest_releases import Outcome, Pair, choice, outcome, unseen
from torchlock.audit.rules.versions import UNBOUND
from torchlock.audit.supplies import all_supplies
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import softened
from torchlock.knowledge.stack import FAMILY, PAIR_RULES
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.audit.brought import Brought
    from torchlock.audit.context import AuditContext
    from torchlock.audit.supplies import Supplies
    from torchlock.finding import Finding

# The limit on packages that a message names.
_NAMED = 2


class Choice(NamedTuple):
    """What an installer chooses on some cells, in an install set with what packages bring there."""

    whole: InstallSet
    about: tuple[Brought, ...]
    supplies: Supplies
    result: Outcome


@rule(*PAIR_RULES, "TL201")
def brought_companions(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A companion that does not load with torch, because a package of the file brings or limits one of them."""
    install_set = context.widened(install_set, [name for name in install_set.demands if name not in UNBOUND])
    judged = _is_judged(context, install_set)
    found = [*brought(context, install_set, FAMILY), *limited_torch(context, install_set)] if judged else []
    if not found:
        return
    parts = pieces(_cells(context, install_set), found)
    choices = [chosen for piece in parts if (chosen := _choice(context, install_set, *piece))]
    result = _together(one.result for one in choices)
    result = result.on(context.likely(result.installed))
    names = dict.fromkeys(pair[0] for pair in result.broken)
    known = _broken_alone(context, install_set) if names else set()
    for name in names:
        pairs = [pair for pair in result.broken if pair[0] == name]
        usual = {pair: result.broken[pair] & context.mainstream for pair in pairs}
        pair = max(pairs, key=lambda pair: (usual[pair].bit_count(), pair[2], pair[1]))
        chosen = next(one for one in choices if pair in one.result.broken)
        about = _without_echoes([one for one in chosen.about if _matters(context, install_set, one, name)])
        if about and name not in known:
            finding = choice(context, chosen.whole, pair, result, chosen.supplies)
            finding = _told(context, install_set, finding, about, pair)
            yield unless_limited(finding, name, of_addresses(context, install_set.scope, (name, "torch")))


def _together(outcomes: Iterable[Outcome]) -> Outcome:
    """What happens on the cells of several outcomes, which have no cell in common."""
    broken, installed = dict[Pair, int](), 0
    for one in outcomes:
        installed |= one.installed
        for pair, cells in one.broken.items():
            broken[pair] = broken.get(pair, 0) | cells
    return Outcome(broken, {}, installed, {})


def _is_judged(context: AuditContext, install_set: InstallSet) -> bool:
    document = context.document
    if install_set.locked or document.kind == "constraints" or ignores_metadata(document):
        return False
    demands = install_set.demands.get("torch", ())
    return all(demand.releases is not None and demand.entry.channel == "pip" for demand in demands)


def _cells(context: AuditContext, install_set: InstallSet) -> int:
    """The cells of an install set where the build exists that the file pins for torch."""
    stack, cells = context.stack, install_set.target_grid
    for demand in install_set.demands.get("torch", ()):
        version = pinned(demand.entry.specifier)
        for place, platform in enumerate(stack.platforms if demand.label else ()):
            if version is None:
                continue
            if context.known.builds.published("torch", str(version.public), demand.label, platform) is False:
                cells &= ~stack.on_platform(place)
    return cells


def _choice(
    context: AuditContext, install_set: InstallSet, cells: int, about: tuple[Brought, ...]
) -> Choice | None:
    """What an installer chooses on these cells; None if it has no choice, or if its choice is not known."""
    demands = {name: list(there) for name, there in install_set.demands.items()}
    for one in about:
        demand = demand_of(one.entry, context.stack)
        if demand.releases is None:
            return None
        demands.setdefault(one.entry.name, []).append(demand)
    whole = InstallSet(cells, install_set.scope, demands)
    names = [name for name in whole.names() if not unseen(context, whole.first(name))]
    if "torch" not in names or len(names) < 2 or any(whole.releases(name) == 0 for name in names):
        return None
    supplies = all_supplies(context, whole, names)
    return Choice(whole, about, supplies, outcome(context.known, supplies, cells, order_of(context, whole, names)))


def _broken_alone(context: AuditContext, install_set: InstallSet) -> set[str]:
    """The companions that do not load by the lines of the file alone; another rule reports them."""
    names = [name for name in install_set.names() if not unseen(context, install_set.first(name))]
    if "torch" not in names or len(names) < 2:
        return set()
    order = order_of(context, install_set, names)
    found = outcome(context.known, all_supplies(context, install_set, names), install_set.target_grid, order)
    return {pair[0] for pair in found.broken}


def _matters(context: AuditContext, install_set: InstallSet, one: Brought, name: str) -> bool:
    """Whether a requirement brings this companion, or limits the torch of the file."""
    if one.entry.name in (name, "torch") and one.entry.name not in install_set.demands:
        return True
    if one.entry.name not in (name, "torch"):
        return False
    package = context.stack.packages[one.entry.name]
    final = package.everything & ~package.prereleases & ~package.yanked
    allowed = final if one.entry.name not in install_set.demands else install_set.releases(one.entry.name) or 0
    newest = (allowed & final).bit_length() - 1
    return newest >= 0 and not package.mask(one.entry.specifier) >> newest & 1


def _without_echoes(about: Sequence[Brought]) -> list[Brought]:
    """The requirements that matter, without later ones that bring the same package in any version."""
    seen, found = set[str](), []
    for one in sorted(about, key=lambda one: len(one.chain)):
        if one.entry.name not in seen or "<" in one.entry.specifier or "==" in one.entry.specifier:
            found.append(one)
        seen.add(one.entry.name)
    return found


def _told(
    context: AuditContext, install_set: InstallSet, finding: Finding, about: Sequence[Brought], pair: Pair
) -> Finding:
    """The finding, with the packages that bring something, as a warning; with a line to add if one is missing."""
    chains = dict.fromkeys(map(str, about))
    finding.message = f"{listed(list(chains)[:_NAMED])}: {finding.message}"
    finding.severity = softened(finding.severity)
    companion = install_set.demands.get(pair[0])
    if "torch" not in install_set.demands and companion and install_set.first(pair[0]).exact:
        finding.remedy = _torch_beside(context, install_set, about, pair[0])
        return finding
    version = _fitting(context, about, pair)
    if version:
        finding.remedy = _remedy(context, install_set, pair[0], version)
    return finding


def _torch_beside(
    context: AuditContext, install_set: InstallSet, about: Sequence[Brought], name: str
) -> Remedy | None:
    """The line that adds the newest torch for a pinned companion, which its metadata and all packages allow."""
    stack, package = context.stack, context.stack.packages["torch"]
    releases = install_set.releases(name) or 0
    fitting = stack.fits(name, releases) & ~package.prereleases & ~package.yanked
    for place in range(len(stack.platforms)):
        fitting &= stack.declared(name, releases, place) or -1
    for one in about:
        fitting &= package.mask(one.entry.specifier) if one.entry.name == "torch" else -1
    if not fitting:
        return None
    pin = f"torch=={package.versions[fitting.bit_length() - 1]}"
    edits = insertion_of(context.document, install_set.first(name).entry, pin)
    return Remedy(f"Add {pin}.", changes_of(context.document, edits), edits)


def _fitting(context: AuditContext, about: Sequence[Brought], pair: Pair) -> str:
    """The newest release of a companion that works with a torch, and that all packages allow; "" for none."""
    name, _, torch = pair
    stack, package = context.stack, context.stack.packages[name]
    fitting = stack.fits_torch(name, 1 << torch)
    fitting = fitting & stack.loads_beside(name, torch) or fitting
    for one in about:
        fitting &= package.mask(one.entry.specifier) if one.entry.name == name else fitting
    fitting &= ~package.prereleases & ~package.yanked
    return package.versions[fitting.bit_length() - 1] if fitting else ""


def _remedy(context: AuditContext, install_set: InstallSet, name: str, version: str) -> Remedy | None:
    """The line to write: a new one if the file does not name the companion."""
    document = context.document
    label = install_set.first("torch").label if "torch" in install_set.demands else ""
    pin = f"=={version}{f'+{label}' if label else ''}"
    if name not in install_set.demands:
        there = install_set.demands.get("torch")
        edits = insertion_of(document, install_set.first("torch").entry, f"{name}{pin}") if there else ()
        return Remedy(f"Add {name}{pin}.", changes_of(document, edits), edits)
    mine = [at for at, entry in enumerate(document.entries) if entry.place == install_set.first(name).entry.place]
    mine = [at for at in mine if document.entries[at].name == name]
    return remedy_of(document, dict.fromkeys(mine, pin)) if mine else None
