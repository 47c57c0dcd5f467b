"""What a person can do about a finding for which no change of versions was found: what the tables know."""

from __future__ import annotations

from torchlock.audit.install_sets import demand_of
from torchlock.audit.phrasing import listed, where
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.images import companions_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand
    from torchlock.finding import Finding


def advice_of(context: AuditContext, finding: Finding) -> Remedy | None:
    """The advice for a finding; None if the tables say nothing that helps."""
    places = {finding.place, *finding.related}
    names = {name for name, _ in finding.packages}
    demands = [
        demand_of(entry, context.stack)
        for entry in context.document.entries
        if (entry.place in places or entry.via in places) and entry.name in names and entry.name in FAMILY
    ]
    if finding.rule == "TL212":
        return next(_of_wheels(context, demands), None)
    if finding.rule == "TL201" and context.document.kind == "uv.lock":
        return _of_sources(demands)
    if finding.rule == "TL102":
        return _of_codec(context, demands)
    return _of_pairs(context, demands) if finding.rule in ("TL101", "TL103") else None


def _of_sources(demands: list[Demand]) -> Remedy | None:
    """How uv takes a companion from the index of torch: its sources count for direct dependencies only."""
    others = list(dict.fromkeys(demand.name for demand in demands if demand.name != "torch"))
    if not others:
        return None
    name = listed(others)
    return Remedy(
        f"Name {name} in the dependencies of the project and in [tool.uv.sources], with the index of torch, and "
        "run uv lock: the sources of a project do not count for packages that only others require."
    )


def _of_wheels(context: AuditContext, demands: list[Demand]) -> Iterator[Remedy]:
    """Where a build has wheels, if a file declares other targets, too."""
    for demand in demands:
        label = demand.label or context.offer(demand.entry).only_label or ""
        there = _places(context, demand, label) if is_published(label) else []
        if there:
            yield Remedy(
                f"The {label} builds have wheels for {listed(there)}: install this there alone (requires-python, "
                "a marker such as sys_platform), and another build elsewhere."
            )


def _places(context: AuditContext, demand: Demand, label: str) -> list[str]:
    """The Pythons and platforms for which a build is known; platforms with the same Pythons are together."""
    stack, found = context.stack, dict[tuple[str, ...], int]()
    for place in range(len(stack.platforms)):
        cells = [cell for cell in bits(stack.on_platform(place)) if _is_published(context, demand, label, cell)]
        if cells:
            pythons = tuple(str(stack.target(cell).python) for cell in cells)
            found[pythons] = found.get(pythons, 0) | sum(1 << cell for cell in cells)
    return [where(stack, cells) for cells in found.values()]


def _is_published(context: AuditContext, demand: Demand, label: str, cell: int) -> bool:
    target, versions = context.stack.target(cell), context.stack.packages[demand.name].versions
    published, place = context.known.builds.published, str(target.platform)
    return any(
        published(demand.name, versions[index], label, place, str(target.python)) is True
        for index in bits(demand.releases or 0)
    )


def _of_pairs(context: AuditContext, demands: list[Demand]) -> Remedy | None:
    """The releases that go with the pins of a torch and a companion."""
    stack, said = context.stack, []
    pins = {demand.name: demand for demand in demands if demand.exact and demand.releases}
    if torch := pins.get("torch"):
        version = _version(context, torch)
        fitting = companions_of(version)
        names = [demand.name for demand in demands if demand.name in fitting]
        pairs = [f"{name} {fitting[name]}" for name in dict.fromkeys(names)]
        said += [f"{listed(pairs)} {'works' if len(pairs) == 1 else 'work'} with torch {version}"] if pairs else []
    for name, demand in pins.items():
        if name == "torch":
            continue
        torches = stack.fits(name, demand.releases or 0) & stack.packages["torch"].everything
        found = [stack.packages["torch"].versions[index] for index in bits(torches)]
        if 0 < len(found) <= _SHOWN:
            said.append(f"torch {listed(found, 'or')} works with {name} {_version(context, demand)}")
    return Remedy(f"Write releases that work together: {'; '.join(said)}.") if said else None


def _of_codec(context: AuditContext, demands: list[Demand]) -> Remedy | None:
    """The releases of torchcodec that work with the pinned torch."""
    stack = context.stack
    torch = next(
        (demand for demand in demands if demand.name == "torch" and demand.exact and demand.releases), None
    )
    codec = next((demand for demand in demands if demand.name != "torch"), None)
    if torch is None or codec is None:
        return None
    package = stack.packages[codec.name]
    fitting = stack.fits_torch(codec.name, torch.releases or 0) & package.everything
    final = list(bits(fitting & ~package.prereleases & ~package.yanked))[-_SHOWN:]
    if not final:
        return Remedy(
            f"No release of {codec.name} works with torch {_version(context, torch)}: use another torch."
        )
    versions = listed([package.versions[index] for index in final], "or")
    return Remedy(
        f"Write a release for this torch: {codec.name} {versions} with torch {_version(context, torch)}."
    )


_SHOWN = 3


def _version(context: AuditContext, demand: Demand) -> str:
    return context.stack.packages[demand.name].versions[(demand.releases or 1).bit_length() - 1]
