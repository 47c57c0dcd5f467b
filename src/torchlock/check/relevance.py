"""Which distributions a check examines: the stack, and what its import needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of
from torchlock.knowledge.stack import CORE, STACK

if TYPE_CHECKING:
    from collections.abc import Collection

    from torchlock.check.context import CheckContext
    from torchlock.inspect.distributions import Distribution

# Requirements that the import of torch itself needs.
_NEEDED = frozenset({"typing-extensions"})


def needed_by_stack(context: CheckContext) -> set[str]:
    """The direct requirements of torch and torchaudio. The check does not examine the rest of an environment."""
    found = set(_NEEDED)
    for name in CORE:
        record = context.record(name)
        if record is not None and context.target is not None:
            found |= {item.name for item in dependencies_of(record) if context.target.holds(item.marker)}
    return found


def is_vital(name: str) -> bool:
    """Whether the import of torch or torchaudio fails without it."""
    return name in CORE or name in _NEEDED


def module_of(name: str) -> str:
    """The module name of a distribution."""
    return name.replace("-", "_")


def owners_of(context: CheckContext, paths: Collection[str]) -> set[str]:
    """The distributions outside the stack that recorded one of these files (paths from the site folder)."""
    from torchlock.inspect.record import read_record

    wanted, found = set(paths), set()
    for distribution in context.installed.distributions if wanted else ():
        record = () if distribution.name in STACK else read_record(distribution)
        if any(row.path in wanted for row in (() if isinstance(record, str) else record)):
            found.add(distribution.name)
    return found


def is_hidden(context: CheckContext, distribution: Distribution) -> bool:
    """Whether Python imports another copy instead, so that a fault of this copy has no effect."""
    record, copy = context.record(distribution.name), context.copy(distribution.name)
    return copy is not None and record is not distribution and distribution.name in STACK
