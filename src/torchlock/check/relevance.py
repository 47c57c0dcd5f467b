"""Which distributions a check examines: the stack, and what its import needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of
from torchlock.knowledge.stack import CORE, STACK

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
    return {name for name in _owners(context, paths).values() if name not in STACK}


def owners_by_depth(context: CheckContext, paths: Sequence[str]) -> list[str]:
    """The distributions of the files of a traceback, the one that failed first; those of the stack are left out.

    But if the files that failed last belong to a member of the stack other than torch, that member is first.
    """
    owners = _owners(context, paths)
    found = [owners[path] for path in reversed(paths) if path in owners]
    deepest = next((name for name in found if name not in CORE), "")
    mine = [name for name in found if name not in STACK]
    return list(dict.fromkeys([deepest, *mine] if deepest in STACK else mine))


def owner_of_file(context: CheckContext, path: str) -> str:
    """The distribution that recorded a file; "" if none did."""
    for entry in context.environment.sites:
        if path.startswith(entry.path + os.sep):
            inner = os.path.relpath(path, entry.path).replace(os.sep, "/")
            return _owners(context, [inner]).get(inner, "")
    return ""


def _owners(context: CheckContext, paths: Collection[str]) -> dict[str, str]:
    """The distribution that recorded each of these files."""
    from torchlock.inspect.record import read_record

    wanted, found = set(paths), dict[str, str]()
    for distribution in context.installed.distributions if wanted else ():
        record = read_record(distribution)
        for row in () if isinstance(record, str) or not record.may_list(wanted) else record:
            if row.path in wanted:
                found.setdefault(row.path, distribution.name)
    return found


def is_hidden(context: CheckContext, distribution: Distribution) -> bool:
    """Whether Python imports another copy instead, so that a fault of this copy has no effect."""
    record, copy = context.record(distribution.name), context.copy(distribution.name)
    return copy is not None and record is not distribution and distribution.name in STACK
