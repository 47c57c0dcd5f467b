"""Which companions of torch other commands of a file install than the one that installs torch."""

from __future__ import annotations

from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet


class Order(NamedTuple):
    """The companions that other commands than that of torch install, without a pin of their own.

    ``free``: a later command installs them, and torch has no pin. ``later``: a later command installs them beside
    a pinned torch, which it replaces if their metadata excludes it. ``earlier``: they are there when torch is
    pinned, so that they are the newest ones, and stay. ``bounded``: the command of torch installs them, torch has
    no pin, and they have an upper bound, so that pip 25.1 and later chooses them before torch, and others may.
    """

    free: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    earlier: frozenset[str] = frozenset()
    bounded: frozenset[str] = frozenset()


ONE_COMMAND = Order()


def order_of(context: AuditContext, install_set: InstallSet, names: Sequence[str]) -> Order:
    """Which companions other commands than that of torch install.

    A later command takes the newest companion, and another torch if the metadata of this companion asks for it.
    A command that pins torch leaves the companions of earlier commands as they are.
    """
    if install_set.locked:
        return ONE_COMMAND
    bounded = _bounded(install_set, names)
    if BY_KIND[context.document.kind].role != "commands":
        return Order(bounded=bounded)
    torch, torches = install_set.first("torch"), install_set.demands["torch"]
    others = [one for name in names if not (one := install_set.first(name)).exact and one.entry.url is None]
    companions = [one for one in others if one.name in FAMILY]
    last = max(one.entry.step for one in torches)
    behind = frozenset(one.name for one in companions if one.entry.step > last)
    if not torch.exact:
        free = frozenset(one.name for one in others if one.entry.step > torch.entry.step)
        return Order(free=free, bounded=bounded - free)
    limited = any(one.entry.constraint for one in torches)
    again = {entry.name for entry in context.document.entries if entry.step == torch.entry.step}
    front = frozenset(one.name for one in companions if 0 < one.entry.step < torch.entry.step) - again
    return Order(later=frozenset() if limited else behind, earlier=front)


def _bounded(install_set: InstallSet, names: Sequence[str]) -> frozenset[str]:
    """The companions with an upper bound, beside a torch without a pin."""
    if install_set.first("torch").exact:
        return frozenset()
    return frozenset(
        name
        for name in names
        if name in FAMILY
        and name != "torch"
        and not install_set.first(name).exact
        and any(has_upper_bound(demand.entry.specifier) for demand in install_set.demands[name])
    )


def has_upper_bound(specifier: str) -> bool:
    """Whether a specifier set excludes all releases after some one, as pip judges it: by its operators."""
    clauses = specifier.split(",")
    return any(clause.strip().startswith(("<", "~=")) or clause.strip().endswith(".*") for clause in clauses)
