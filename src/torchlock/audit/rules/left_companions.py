"""TL101, TL103: companions that an earlier command chose for its torch, which a later command replaces."""

from __future__ import annotations

from torchlock.audit.install_sets import pinned
from torchlock.audit.phrasing import asked
from torchlock.audit.supplies import on_pages
from torchlock.finding import Remedy
from torchlock.knowledge.images import companions_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding

_RULES = {"torchaudio": "TL101", "torchvision": "TL103"}


@rule(*_RULES.values())
def left_behind(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A companion for a torch that a later command of the same file replaces."""
    for companion, earlier, torch in install_set.left:
        before, after = (companions_of(_release(one.entry.specifier)) for one in (earlier, torch))
        version, fitting = before.get(companion.name, ""), after.get(companion.name, "")
        if not earlier.exact:
            version = _newest(context, install_set, companion, torch)
        elif not torch.exact and not fits_none(context, companion.name, version, torch):
            continue
        if not version or (torch.exact and not fitting) or version == fitting:
            continue
        replaced = asked(earlier) if earlier.exact else "the torch"
        message = (
            f"{asked(torch)} replaces {replaced} of an earlier command, and {companion.name} {version} of "
            "that command stays, which is built for the torch that is replaced"
        )
        finding = context.finding(_RULES[companion.name], "warning", message, [companion, torch])
        finding.remedy = Remedy(
            f"Pin the same torch in both commands, or add {companion.name}=={fitting} to the later one."
            if torch.exact
            else f"Write {torch.name}{torch.entry.specifier} in the earlier command too."
        )
        yield finding


def fits_none(context: AuditContext, name: str, version: str, torch: Demand) -> bool:
    """Whether a companion works with no torch that a demand allows; not if the table has not the companion."""
    versions = context.stack.packages[name].versions
    return version in versions and not context.stack.fits(name, 1 << versions.index(version)) & (
        torch.releases or 0
    )


def _newest(context: AuditContext, install_set: InstallSet, companion: Demand, torch: Demand) -> str:
    """The newest companion of its index, if there is no target on which it works with this torch."""
    stack, name = context.stack, companion.name
    package, allowed = stack.packages[name], torch.releases or 0
    cells = install_set.target_grid & stack.packages["torch"].cells_of(allowed)
    cells = context.likely(cells) & context.mainstream
    if not cells or companion.entry.specifier:
        return ""
    offers = [_offered(context, companion, place) for place in range(len(stack.platforms))]
    final = package.everything & ~package.prereleases & ~package.yanked
    newest = set()
    for cell in bits(cells):
        there, maybe = (mask & final & package.on(1 << cell) for mask in offers[stack.coordinates(cell)[0]])
        if maybe > there or (not there and context.offer(companion.entry).public):
            return ""
        newest |= {there.bit_length() - 1} - {-1}
    if not newest or any(stack.fits(name, 1 << index) & allowed for index in newest):
        return ""
    version: str = package.versions[max(newest)]
    return version


def _offered(context: AuditContext, companion: Demand, platform: int) -> tuple[int, int]:
    """The releases that the index of a companion has for a platform, and those that it may have besides."""
    offer = context.offer(companion.entry)
    if offer.only_public:
        return -1, 0
    return (0, -1) if offer.public else on_pages(context, companion.name, companion.releases or 0, offer, platform)


def _release(specifier: str) -> str:
    version = pinned(specifier)
    return "" if version is None else version.public
