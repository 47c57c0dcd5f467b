"""TL101, TL103: companions that an earlier command chose for its torch, which a later command replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.audit.install_sets import pinned
from torchlock.audit.phrasing import asked
from torchlock.finding import Remedy
from torchlock.knowledge.images import companions_of
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding

_RULES = {"torchaudio": "TL101", "torchvision": "TL103"}


@rule(*_RULES.values())
def left_behind(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A companion for a torch that a later command of the same file replaces."""
    for companion, earlier, torch in install_set.left:
        before, after = (companions_of(_release(one.entry.specifier)) for one in (earlier, torch))
        version, fitting = before.get(companion.name, ""), after.get(companion.name, "")
        if not version or not fitting or version == fitting:
            continue
        message = (
            f"{asked(torch)} replaces {asked(earlier)} of an earlier command, and {companion.name} {version} of "
            "that command stays, which is built for the torch that is replaced"
        )
        finding = context.finding(_RULES[companion.name], "warning", message, [companion, torch])
        finding.remedy = Remedy(
            f"Pin the same torch in both commands, or add {companion.name}=={fitting} to the later one."
        )
        yield finding


def _release(specifier: str) -> str:
    version = pinned(specifier)
    return "" if version is None else version.public
