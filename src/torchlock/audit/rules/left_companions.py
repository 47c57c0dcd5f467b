"""TL101, TL103: companions that an earlier command chose for its torch, which a later command replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.audit.install_sets import pinned
from torchlock.audit.phrasing import asked
from torchlock.finding import Remedy
from torchlock.knowledge.images import companions_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule

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
        if not version or not fitting or version == fitting:
            continue
        replaced = asked(earlier) if earlier.exact else "the torch"
        message = (
            f"{asked(torch)} replaces {replaced} of an earlier command, and {companion.name} {version} of "
            "that command stays, which is built for the torch that is replaced"
        )
        finding = context.finding(_RULES[companion.name], "warning", message, [companion, torch])
        finding.remedy = Remedy(
            f"Pin the same torch in both commands, or add {companion.name}=={fitting} to the later one."
        )
        yield finding


def _newest(context: AuditContext, install_set: InstallSet, companion: Demand, torch: Demand) -> str:
    """The newest companion of the public index, if there is no target on which it works with this torch."""
    stack, name = context.stack, companion.name
    package, pinned_torch = stack.packages[name], torch.releases or 0
    cells = install_set.target_grid & stack.packages["torch"].cells_of(pinned_torch)
    cells = context.likely(cells) & context.mainstream
    if not cells or not context.offer(companion.entry).only_public or companion.entry.specifier:
        return ""
    final = package.everything & ~package.prereleases & ~package.yanked
    newest = {(final & package.on(1 << cell)).bit_length() - 1 for cell in bits(cells)}
    if min(newest) < 0 or any(stack.fits(name, 1 << index) & pinned_torch for index in newest):
        return ""
    version: str = package.versions[max(newest)]
    return version


def _release(specifier: str) -> str:
    version = pinned(specifier)
    return "" if version is None else version.public
