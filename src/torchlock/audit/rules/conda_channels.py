"""What conda's channels are known to have, and packages of pip beside the torch of conda."""

from __future__ import annotations

from torchlock.audit.fix.remedies import remedy_of
from torchlock.audit.install_sets import Demand
from torchlock.audit.phrasing import as_of, asked, listed
from torchlock.audit.rules.versions import RULES
from torchlock.finding import Remedy
from torchlock.knowledge import tables
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding

_ONE_OF_BOTH = "List {} among the conda packages, or install torch with pip, too."
# Channels that have no torch of their own.
_WITHOUT = frozenset({"nvidia", "nodefaults"})


@rule("TL240", "TL204")
def ended_channel(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Releases that the channel pytorch does not have, and a pytorch-cuda for which it has no build of them."""
    for row in tables.load_compiled("conda.json")["last"]:
        for name, last in row["releases"].items():
            for demand in install_set.demands.get(name, ()):
                channels = channels_of(context, demand)
                if demand.entry.channel == "conda" and demand.releases and channels == {row["channel"]}:
                    yield from _too_new(context, demand, row, last)
    if "torch" in install_set.demands:
        yield from _selected(context, install_set.first("torch"))


def order_of(context: AuditContext, demand: Demand) -> list[str]:
    """The channels that may have a package, by priority: its own, else those of its command or of the file."""
    entry = demand.entry
    listed_here = [entry.index] if entry.index else entry.channels or context.document.channels
    names = [channel.rstrip("/").rpartition("/")[2] for channel in listed_here if channel]
    return [name for name in dict.fromkeys(names) if name not in _WITHOUT]


def channels_of(context: AuditContext, demand: Demand) -> set[str]:
    """The channels that may have a package, without their order."""
    return set(order_of(context, demand))


def _too_new(context: AuditContext, demand: Demand, row: dict[str, Any], last: str) -> Iterator[Finding]:
    package = context.stack.packages[demand.name]
    if demand.releases and not demand.releases & package.mask(f"<={last}"):
        message = f"the channel {row['channel']} has no {asked(demand)}: its last release is {last}"
        finding = context.finding("TL240", "warning", message, [demand], sources=row["sources"])
        finding.remedy = Remedy(f"Add the channel conda-forge, or use {demand.name} {last}.")
        yield finding


def _selected(context: AuditContext, torch: Demand) -> Iterator[Finding]:
    """A pytorch-cuda for which the channel pytorch has no build of this torch."""
    if torch.entry.channel != "conda" or not torch.releases or "pytorch" not in channels_of(context, torch):
        return
    versions = context.stack.packages["torch"]
    for row in tables.load_compiled("conda.json")["selector"]:
        if torch.releases & ~versions.mask(row["torch"]):
            continue
        for index, entry in enumerate(context.document.entries):
            allowed = specifier_set(entry.specifier)
            mine = entry.name == "pytorch-cuda" and entry.channel == "conda" and entry.step == torch.entry.step
            if mine and entry.scope in ("", torch.entry.scope) and not any(map(allowed.contains, row["cuda"])):
                demands = [Demand(entry, None), torch]
                message = (
                    f"the channel pytorch has {asked(torch)} for CUDA {listed(row['cuda'], 'and')}, "
                    f"not for {entry.text.strip()}"
                )
                finding = context.finding("TL204", "warning", message, demands, sources=row["sources"])
                finding.remedy = remedy_of(context.document, {index: f"=={row['cuda'][-1]}"})
                yield finding


@rule("TL101", "TL102", "TL103", "TL203")
def pip_beside_conda(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A companion that pip takes, whose newest release loads with no torch that the conda package allows."""
    if "torch" not in install_set.demands or install_set.locked:
        return
    torch = install_set.first("torch")
    stack, mask = context.stack, install_set.releases("torch") or 0
    if torch.entry.channel != "conda" or not mask:
        return
    for name in sorted(FAMILY & install_set.demands.keys() & set(stack.partners)):
        demand, package = install_set.first(name), stack.packages[name]
        allowed = (install_set.releases(name) or 0) & ~package.prereleases & ~package.yanked
        if demand.entry.channel != "pip" or not context.offer(demand.entry).only_public or demand.label:
            continue
        taken = _taken(context, install_set, name, allowed, mask)
        if taken is not None and not torch.exact and not stack.fits(name, 1 << taken) & mask:
            date = as_of(context.known.date)
            both = f"{name} {package.versions[taken]} beside {asked(torch)} of conda"
            message = f"pip takes {both} ({date}), which do not load together"
            finding = context.finding(RULES[name], "warning", message, [demand, torch])
            finding.remedy = Remedy(_ONE_OF_BOTH.format(name))
            yield finding
        elif name == "torchaudio" and demand.exact:
            yield from _other_abi(context, install_set, demand, torch, mask)


def _other_abi(
    context: AuditContext, install_set: InstallSet, demand: Demand, torch: Demand, mask: int
) -> Iterator[Finding]:
    """A wheel of torchaudio beside a torch of a channel with another C++ string ABI, which only Linux has."""
    platforms = enumerate(context.stack.platforms)
    linux = [context.stack.on_platform(index) for index, name in platforms if name.startswith("linux")]
    if not any(each & install_set.target_grid for each in linux):
        return
    for row in tables.load_compiled("conda.json")["string_abi"]:
        below = context.stack.packages["torch"].mask(f"<{row['below']}")
        if channels_of(context, torch) == {row["channel"]} and not mask & ~below:
            whose = f"{asked(torch)} of {row['channel']} (another C++ string ABI)"
            message = f"{asked(demand)} of pip is not built for {whose}"
            finding = context.finding("TL203", "warning", message, [demand, torch], sources=row["sources"])
            finding.remedy = Remedy(_ONE_OF_BOTH.format(demand.name))
            yield finding


def _taken(context: AuditContext, install_set: InstallSet, name: str, allowed: int, torches: int) -> int | None:
    """The newest release whose metadata allows one of these torches, on the first platform where there is one."""
    stack, package = context.stack, context.stack.packages[name]
    for platform in range(len(stack.platforms)):
        cells = stack.on_platform(platform) & install_set.target_grid
        fitting = allowed & package.on(cells) if cells else 0
        while fitting:
            index = fitting.bit_length() - 1
            if stack.declared(name, 1 << index, platform) & torches:
                return index
            fitting &= ~(1 << index)
    return None
