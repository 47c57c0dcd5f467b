"""What conda-forge has of torchaudio, and which channel conda takes torch and torchaudio from."""

from __future__ import annotations

from torchlock.audit.phrasing import as_of, asked, listed
from torchlock.audit.rules.conda_channels import order_of
from torchlock.finding import Remedy
from torchlock.knowledge import tables
from torchlock.knowledge.registry import rule
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding

    Feedstock = Mapping[str, Any]

_STRICT = (
    "with strict channel priority (the default of pixi), a package is taken only from the first channel that has "
    "it, whatever its releases"
)
_PREFERS = (
    "conda prefers a package of a channel with a higher priority, and these two channels build torch with "
    "different C++ string ABIs"
)
_RECIPES = "the recipes of the channel say which releases it builds"


@rule("TL240", "TL204")
def absent(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A torchaudio for which the first channel has no recipe: no such release, platform or CUDA version."""
    if install_set.locked or "torchaudio" not in install_set.demands:
        return
    for demand in install_set.demands["torchaudio"]:
        channel, more = _first(context, demand)
        row = _feedstock(channel, "torchaudio")
        if row is None or not demand.releases or (more and not context.document.strict_channels):
            continue
        there = _there(context, demand, row)
        if not there & demand.releases:
            yield _no_release(context, demand, row, strict=more)
        else:
            yield from _no_build(context, install_set, demand, row)


@rule("TL203")
def mixed(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A torch that conda takes from one channel, and a torchaudio that only another one has."""
    if install_set.locked or not {"torch", "torchaudio"} <= install_set.demands.keys():
        return
    torch, audio = install_set.first("torch"), install_set.first("torchaudio")
    torches, audios = install_set.releases("torch") or 0, install_set.releases("torchaudio") or 0
    if {torch.entry.channel, audio.entry.channel} != {"conda"} or not torches or not audios:
        return
    theirs, ours = order_of(context, torch)[:1], order_of(context, audio)
    if context.document.strict_channels or torch.entry.build or _has_build(torch) or "pytorch" not in ours:
        return
    for row in tables.load_compiled("conda.json")["string_abi"]:
        first, second = (_feedstock(row["channel"], name) for name in ("torch", "torchaudio"))
        below = context.stack.packages["torch"].mask(f"<{row['below']}")
        if first is None or second is None or theirs != [row["channel"]] or ours[0] not in (*theirs, "pytorch"):
            continue
        lacking = ours[0] == "pytorch" or not audios & _there(context, audio, second)
        chosen = torches & _there(context, torch, first)
        if lacking and chosen and not torches & ~below and _on_linux(context, install_set):
            yield _mixture(context, torch, audio, row["channel"], row["sources"])


def _first(context: AuditContext, demand: Demand) -> tuple[str, bool]:
    """The channel with the highest priority, and whether there are others."""
    channels = order_of(context, demand) if demand.entry.channel == "conda" else []
    return (channels[0], len(channels) > 1) if channels else ("", False)


def _feedstock(channel: str, package: str) -> Feedstock | None:
    if not channel:
        return None
    rows = tables.load_compiled("conda.json")["feedstock"]
    found = next((row for row in rows if (row["channel"], row["package"]) == (channel, package)), None)
    return None if found is None else {**found, "builds": dict(found["builds"])}


def _there(context: AuditContext, demand: Demand, row: Feedstock) -> int:
    """The releases that the channel has or may have: those behind the last one are not known."""
    package = context.stack.packages[demand.name]
    known = sum(1 << package.versions.index(version) for version in row["builds"] if version in package.versions)
    return known | package.mask(f">{_last(row)}")


def _last(row: Feedstock) -> str:
    return str(list(row["builds"])[-1])


def _no_release(context: AuditContext, demand: Demand, row: Feedstock, *, strict: bool) -> Finding:
    releases = listed(list(row["builds"]), "and")
    message = f"the channel {row['channel']} has no {asked(demand)}: {as_of(row['checked'])} it has {releases}"
    sources = [*row["sources"], *(["pixi-channel-priority"] if strict else [])]
    finding = context.finding(
        "TL240", "warning", message, [demand], because=_STRICT if strict else _RECIPES, sources=sources
    )
    both = "torch and torchaudio from the channel pytorch" if _is_on_pytorch(context, demand) else "both with pip"
    finding.remedy = Remedy(f"Use {both}, or a torchaudio of {row['channel']} with its torch.")
    return finding


def _is_on_pytorch(context: AuditContext, demand: Demand) -> bool:
    rows = tables.load_compiled("conda.json")["last"]
    last = next((row["releases"].get(demand.name, "") for row in rows if row["channel"] == "pytorch"), "")
    mask = context.stack.packages[demand.name].mask(f"<={last}") if last else 0
    return bool((demand.releases or 0) & mask)


def _no_build(context: AuditContext, install_set: InstallSet, demand: Demand, row: Feedstock) -> Iterator[Finding]:
    """The CUDA version of torch, or the declared platform, for which no allowed release is built."""
    package = context.stack.packages[demand.name]
    allowed = [version for index, version in enumerate(package.versions) if (demand.releases or 0) >> index & 1]
    if any(version not in row["builds"] for version in allowed) or not context.document.platforms:
        return
    builds = [row["builds"][version] for version in allowed]
    for platform in context.document.platforms:
        labels = [label for build in builds for label in build.get(platform, ())]
        if not any(platform in build for build in builds):
            message = f"the channel {row['channel']} has no {asked(demand)} for {platform}"
            finding = context.finding(
                "TL240", "warning", message, [demand], because=_RECIPES, sources=row["sources"]
            )
            finding.remedy = Remedy("Install torch and torchaudio with pip there.")
            yield finding
        elif "torch" in install_set.demands and _is_other_major(install_set.first("torch"), labels):
            torch = install_set.first("torch")
            cuda = listed(list(dict.fromkeys(map(_cuda, filter(_cuda, labels)))), "and") or "the CPU"
            message = f"the channel {row['channel']} builds {asked(demand)} for {cuda}, not for {torch.entry.text}"
            finding = context.finding("TL204", "warning", message, [demand, torch], sources=row["sources"])
            finding.remedy = Remedy("Use one of these CUDA versions for torch, too.")
            yield finding
            return


def _is_other_major(torch: Demand, labels: list[str]) -> bool:
    wanted = _cuda(torch.label or torch.entry.build)
    return bool(wanted) and wanted.partition(".")[0] not in {_cuda(label).partition(".")[0] for label in labels}


def _cuda(label: str) -> str:
    """``CUDA 12.6`` for ``cu126``; "" for another label."""
    number = label.removeprefix("cu")
    return f"CUDA {number[:-1]}.{number[-1]}" if label.startswith("cu") and number.isdigit() else ""


def _has_build(demand: Demand) -> bool:
    """Whether the file asks for a build string, which may be one of a certain channel."""
    from torchlock.manifests.syntax.conda_match_spec import parse

    spec = parse(demand.entry.text)
    return spec is None or bool(spec.build)


def _on_linux(context: AuditContext, install_set: InstallSet) -> bool:
    platforms = enumerate(context.stack.platforms)
    linux = [context.stack.on_platform(index) for index, name in platforms if name.startswith("linux")]
    return any(each & install_set.target_grid for each in linux)


def _mixture(context: AuditContext, torch: Demand, audio: Demand, channel: str, sources: list[str]) -> Finding:
    message = (
        f"conda takes {asked(torch)} from {channel}, and {asked(audio)} from the channel pytorch, "
        "which do not load together on Linux"
    )
    sources = [*sources, "torchaudio-feedstock"]
    finding = context.finding("TL203", "warning", message, [audio, torch], because=_PREFERS, sources=sources)
    finding.remedy = Remedy(f"List the channel pytorch before {channel}, or write pytorch:: before both names.")
    return finding
