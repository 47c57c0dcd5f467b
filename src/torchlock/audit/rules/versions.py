"""TL1xx: versions that conflict, and the releases that an installer would choose."""

from __future__ import annotations

from functools import lru_cache

from torchlock.audit.kept_companions import beside_kept, is_kept
from torchlock.audit.phrasing import asked, listed, platforms, releases
from torchlock.audit.supplies import is_from_elsewhere, lacks_wheels
from torchlock.knowledge.judge import ReleaseText, violations
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import MEMBERS, PAIR_RULES
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.knowledge.judge import Violation
    from torchlock.knowledge.rules import Matrix

# A wrong pair still imports and fails only when it is used, so it is never more than a warning.
LENIENT = frozenset({"numpy"})
# Packages that no release of torch depends on, so that they do not decide which torch is chosen.
UNBOUND = LENIENT | {"soundfile"}


# Installers follow a pin in metadata. A release may still load with another patch release of torch.
_REFUSED = "its metadata requires that release, and an installer that reads metadata refuses every other one"
_LOADS = "; but their libraries load together"


@rule(*PAIR_RULES, "TL902")
def conflicts(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Demands that no releases satisfy on any target or build, and demands that conflict because of metadata."""
    judged = [name for name in strict(install_set) if not lacks_wheels(context, install_set, name)]
    domains = {name: install_set.releases(name) or 0 for name in judged}
    sets = conflicting_sets(context.stack, domains)
    for names in sets:
        if differ_in_patch(context.stack, {name: domains[name] for name in names}):
            by_pip = all(_is_of_pip(install_set, name) for name in names if name != "torch")
            refusal = _refusal(context, install_set, names) if by_pip else None
            yield refusal or _doubt(context, install_set, names)
        else:
            yield _conflict(context, install_set, names)
    if not sets and "torch" in domains:
        pairs = [("torch", name) for name in domains if name != "torch"]
        pip_pairs = [pair for pair in pairs if all(_is_of_pip(install_set, name) for name in pair)]
        yield from filter(None, (_refusal(context, install_set, pair) for pair in pip_pairs))


def _is_of_pip(install_set: InstallSet, name: str) -> bool:
    """Whether pip installs a package, so that the metadata of its wheel counts."""
    return install_set.first(name).entry.channel == "pip"


def differ_in_patch(stack: CompatibilityTable, domains: Mapping[str, int]) -> bool:
    """Whether these differ only in the patch release of torch."""
    found: set[str] | None = None
    for name, mask in domains.items():
        series = _series(stack, mask if name == "torch" else stack.fits(name, mask))
        found = series if found is None else found & series
    return bool(found)


@lru_cache(maxsize=8192)
def _series(stack: CompatibilityTable, torches: int) -> set[str]:
    """The minor versions of some releases of torch."""
    texts = stack.packages["torch"].versions
    return {".".join(texts[index].split(".")[:2]) for index in bits(torches)}


def _refusal(context: AuditContext, install_set: InstallSet, names: tuple[str, ...]) -> Finding | None:
    """The conflict that metadata causes for an installer; None if there is none, or only on uncommon platforms."""
    stack, domains = context.stack, {name: install_set.releases(name) or 0 for name in names}
    refused, there = _refused(stack, tuple(domains.items()), install_set.target_grid)
    if not refused or _labelled(install_set, names, domains, stack):
        return None
    lead = [name for name in names if name != "torch"]
    demands = _demands(install_set, names)
    torch = stack.packages["torch"]
    places = {stack.coordinates(cell)[0] for cell in bits(refused)}
    nowhere = {name for name in lead if _asks_for_none(stack, name, domains[name], refused)}
    if any(is_from_elsewhere(context, install_set, name) for name in nowhere):
        return None  # The metadata of the build on that page was not read.
    wanted = {
        name: "a build of torch that the public index does not have"
        if name in nowhere
        else f"torch {releases(torch, _declared(stack, name, domains[name], places))}"
        for name in lead
    }
    asks = [f"{asked(install_set.first(name))} asks for {wanted[name]}" for name in lead]
    beside = f" beside {asked(install_set.first('torch'))}" if "torch" in names else ""
    where = "" if refused == there else f" on {platforms(stack, refused)}"
    does = f"pip refuses {'it' if len(lead) == 1 else 'them'}{beside}"
    if "torch" in names and not _is_of_pip(install_set, "torch"):
        other = install_set.first("torch")
        does = f"pip replaces {asked(other)}, which {other.entry.channel} installs"
    loads = _work(stack, domains)
    if loads and is_kept(install_set, names):
        severity, because = beside_kept(context, install_set, domains)
        later = f"a later command installs {asked(install_set.first('torch'))}: pip keeps both{where}"
        return context.finding(RULES[lead[0]], severity, f"{listed(asks)}, and {later}", demands, because)
    message = f"{listed(asks)}: {does}{where}"
    usual = refused & context.mainstream or refused == there
    because = _REFUSED + (_LOADS if loads else "")
    soft = install_set.locked or not install_set.in_one_command(names) or not usual
    return context.finding(RULES[lead[0]], severity_of(fails=not soft), message, demands, because)


def _work(stack: CompatibilityTable, domains: Mapping[str, int]) -> bool:
    """Whether all of these work together, if no metadata counts."""
    torch = domains.get("torch", stack.packages["torch"].everything)
    return _meet(torch, {name: stack.works(name, mask) for name, mask in domains.items() if name != "torch"})


def _labelled(
    install_set: InstallSet, names: tuple[str, ...], domains: dict[str, int], stack: CompatibilityTable
) -> bool:
    """Whether pinned builds belong together: their metadata is not that of the builds of the public index."""
    if "torch" not in names or not all(install_set.labels(name) for name in names):
        return False
    return all(stack.fits(name, domains[name]) & domains["torch"] for name in names if name != "torch")


@lru_cache(maxsize=4096)
def _refused(stack: CompatibilityTable, domains: tuple[tuple[str, int], ...], cells: int) -> tuple[int, int]:
    """The cells where metadata allows no releases of these together, and the cells where all of them install.

    If the public index has no cell with wheels for all of them, the answer for wheels of any platform counts.
    """
    found = there = 0
    for cell in bits(cells):
        here = {name: mask & stack.packages[name].on(1 << cell) for name, mask in domains}
        if all(here.values()):
            there |= 1 << cell
            found |= 0 if _met(stack, here, stack.coordinates(cell)[0]) else 1 << cell
    if there:
        return found, there
    anywhere = any(_met(stack, dict(domains), platform) for platform in range(len(stack.platforms)))
    return 0 if anywhere else cells, cells


def _asks_for_none(stack: CompatibilityTable, name: str, mask: int, cells: int) -> bool:
    """Whether the wheels of a package require a torch that no release is: ``torch==2.0.0+cu117``."""
    package = stack.packages[name]
    places = {stack.coordinates(cell)[0] for cell in bits(cells) if mask & package.on(1 << cell)}
    return bool(places) and not any(stack.declared(name, mask, place) for place in places)


def _declared(stack: CompatibilityTable, name: str, mask: int, places: Collection[int]) -> int:
    """The releases of torch that metadata requires on some platforms; without a wheel there, on any."""
    found = 0
    for platform in places:
        found |= stack.declared(name, mask, platform)
    everywhere = range(len(stack.platforms))
    return found if found or places == everywhere else _declared(stack, name, mask, everywhere)


def _met(stack: CompatibilityTable, domains: Mapping[str, int], platform: int) -> int:
    """The releases of torch that the metadata of all companions allows."""
    torch = domains.get("torch", stack.packages["torch"].everything)
    for name, mask in domains.items():
        torch &= torch if name == "torch" else stack.declared(name, mask, platform)
    return torch


def _demands(install_set: InstallSet, names: tuple[str, ...]) -> list[Demand]:
    """The demands on some packages, torch at the end."""
    return [install_set.first(name) for name in sorted(names, key=lambda name: name == "torch")]


def _doubt(context: AuditContext, install_set: InstallSet, names: tuple[str, ...]) -> Finding:
    """A note on a pair that differs only in the patch release of torch, if metadata requires no exact release."""
    demands = _demands(install_set, names)
    texts = listed([asked(demand) for demand in demands])
    message = f"whether {texts} load together was not judged: they differ only in the patch release of torch"
    return context.finding("TL902", "note", message, demands)


def strict(install_set: InstallSet) -> list[str]:
    """The packages of an install set whose import fails with the wrong torch."""
    return [name for name in install_set.names() if install_set.releases(name) and name not in UNBOUND]


def conflicting_sets(stack: CompatibilityTable, domains: Mapping[str, int]) -> list[tuple[str, ...]]:
    """The smallest sets of packages without a common torch: every such set of two packages, else one larger set.

    torch links all of them: a set works together if and only if one torch works with each package.
    """
    torch = domains.get("torch", stack.packages["torch"].everything)
    wanted = {name: stack.fits(name, mask) for name, mask in domains.items() if name != "torch"}
    alone = [name for name, mask in wanted.items() if not mask & torch]
    if alone:
        return [("torch", name) if "torch" in domains else (name,) for name in alone]
    if _meet(torch, wanted):
        return []
    names = list(wanted)
    for name in list(names):
        rest = [other for other in names if other != name]
        if not _meet(torch, {other: wanted[other] for other in rest}):
            names = rest
    everything = stack.packages["torch"].everything
    if "torch" in domains and _meet(everything, {name: wanted[name] for name in names}):
        names.insert(0, "torch")
    return [tuple(names)]


def _meet(torch: int, wanted: Mapping[str, int]) -> bool:
    for mask in wanted.values():
        torch &= mask
    return bool(torch)


def _conflict(context: AuditContext, install_set: InstallSet, names: tuple[str, ...]) -> Finding:
    stack = context.stack
    demands = _demands(install_set, names)
    torch = stack.packages["torch"]
    partner = next(name for name in names if name != "torch")
    fitting = {name: _fitting(context, install_set, name) for name in names if name != "torch"}
    goes = [
        f"{asked(install_set.first(name))} works with "
        + (f"torch {releases(torch, mask)}" if mask else "no release of torch")
        for name, mask in fitting.items()
    ]
    against = f", not with {asked(install_set.first('torch'))}" if "torch" in names else ""
    violation = _why(context, install_set, partner)
    severity = severity_of(fails=install_set.in_one_command(names))
    if (
        violation is None
        or violation.statement is None
        or not _is_for_all(context, install_set, partner, violation)
    ):
        return context.finding(RULES[partner], severity, f"{listed(goes)}{against}", demands)
    return context.statement(violation.statement, severity, f"{listed(goes)}{against}", demands)


def _fitting(context: AuditContext, install_set: InstallSet, name: str) -> int:
    """The releases of torch that work with a package; with a pinned one, those that do on each usual platform."""
    stack, releases = context.stack, install_set.releases(name) or 0
    fitting, index = stack.fits(name, releases), releases.bit_length() - 1
    if releases != 1 << index:
        return fitting
    cells = install_set.target_grid & context.mainstream or install_set.target_grid
    platforms = {stack.coordinates(cell)[0]: cell for cell in bits(cells)}
    everywhere = sum(
        1 << torch
        for torch in bits(fitting)
        if all(why(context, {"torch": torch, name: index}, cell) is None for cell in platforms.values())
    )
    return everywhere or fitting


RULES = {name: member.rule for name, member in MEMBERS.items() if member.rule}


def _why(context: AuditContext, install_set: InstallSet, partner: str) -> Violation | None:
    """The judge's violation for the newest releases that both demands allow."""
    torch = install_set.releases("torch") or context.stack.packages["torch"].everything
    chosen = {"torch": torch.bit_length() - 1, partner: (install_set.releases(partner) or 1).bit_length() - 1}
    return why(context, chosen, (install_set.target_grid & -install_set.target_grid).bit_length() - 1)


def _is_for_all(context: AuditContext, install_set: InstallSet, partner: str, violation: Violation) -> bool:
    """Whether the reason holds for the oldest release that an entry allows, and not for the newest only."""
    torch = install_set.releases("torch") or context.stack.packages["torch"].everything
    allowed = install_set.releases(partner) or 1
    oldest = {"torch": torch.bit_length() - 1, partner: (allowed & -allowed).bit_length() - 1}
    other = why(context, oldest, (install_set.target_grid & -install_set.target_grid).bit_length() - 1)
    if other is None or other.statement is None or violation.statement is None:
        return True
    return other.statement.because == violation.statement.because


def why(
    context: AuditContext, chosen: Mapping[str, int], cell: int, builds: Mapping[str, str | None] | None = None
) -> Violation | None:
    """Why these releases (by index) do not load on a cell: because of versions, or of these builds."""
    made = tuple((builds or {}).get(name) for name in chosen)
    return _why_of(context.stack, context.known.matrix, tuple(chosen.items()), made, cell)


@lru_cache(maxsize=4096)
def _why_of(
    stack: CompatibilityTable,
    matrix: Matrix,
    chosen: tuple[tuple[str, int], ...],
    builds: tuple[str | None, ...],
    cell: int,
) -> Violation | None:
    pins = {
        name: ReleaseText(name, stack.packages[name].versions[index], build=build)
        for (name, index), build in zip(chosen, builds, strict=True)
    }
    for violation in violations(pins, stack.target(cell), matrix, complete=False):
        about = None if violation.dependency is None else violation.dependency.name
        if about in (None, *pins, "build-cuda"):
            return violation
    return None


def newest(
    stack: CompatibilityTable, domains: Mapping[str, int], cell: int, platform: int, *, torch_first: bool = True
) -> dict[str, int]:
    """The releases that an installer chooses on one cell: the newest that metadata allows; empty if none.

    Without ``torch_first`` the newest companions decide, with the newest torch that their metadata allows.
    """
    if "torch" not in domains:
        return {}
    here: dict[str, int] = {}
    for name, allowed in domains.items():
        package = stack.packages[name]
        mask = allowed & package.on(cell)
        here[name] = mask & ~package.prereleases & ~package.yanked or mask
        if not here[name]:
            return {}
    partners = [name for name in here if name in stack.partners]
    torch = here["torch"]
    if not torch_first:
        here |= {name: 1 << here[name].bit_length() - 1 for name in partners}
    for name in partners:
        torch &= stack.declared(name, here[name], platform)
    if not torch:
        return {}
    chosen = {"torch": torch.bit_length() - 1}
    for name in partners:
        fitting = here[name] & stack.declared_beside(name, chosen["torch"], platform)
        chosen[name] = fitting.bit_length() - 1
    return chosen
