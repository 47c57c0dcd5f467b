"""TL603: folders that an interrupted pip moved aside, and whether the package that they mean is still there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.relevance import is_vital
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Leftover

# What a package lacks or has instead of its files after an interrupted installation.
_DAMAGE = ("missing", "truncated", "empty", "zeros")


@rule("TL603")
def leftovers(context: CheckContext) -> Iterator[Finding]:
    """Folders that an interrupted pip moved aside. They are the cause if their package is absent or damaged."""
    by_name: dict[str, list[Leftover]] = {}
    for leftover in context.installed.leftovers:
        by_name.setdefault(leftover.meant, []).append(leftover)
    for name, mine in by_name.items():
        if name in STACK and (state := _state(context, name)):
            yield _interrupted(context, name, mine, state)
        else:
            yield from (_harmless(context, leftover) for leftover in mine)


def _state(context: CheckContext, name: str) -> str:
    """What the interrupted installation left of the package itself; "" if nothing is seen to be wrong with it."""
    copy = context.copy(name)
    if copy is None or copy.kind == "namespace":
        return f"no {name} is there" if copy is None else f"only a part of {name} is there"
    is_damaged = any(context.integrity.counts.get((name, kind)) for kind in _DAMAGE)
    return f"only a part of {name} is there" if is_damaged else ""


def _interrupted(context: CheckContext, name: str, mine: Sequence[Leftover], state: str) -> Finding:
    listed = " and ".join(os.path.basename(each.path) for each in mine[:2])
    return context.finding(
        "TL603",
        severity_of(fails=is_vital(name)),
        f"an interrupted installation moved {name} aside as {listed}, and {state}",
        name,
        path=mine[0].path,
        because="pip moves the old files aside before it writes new ones; it stops if a program has a file open, "
        "or if the disk is full",
        expected_error=f"ModuleNotFoundError: No module named '{name}'" if context.copy(name) is None else "",
    )


def _harmless(context: CheckContext, leftover: Leftover) -> Finding:
    meant = f" over from an interrupted installation of {leftover.meant}" if leftover.meant else ""
    message = f"{os.path.basename(leftover.path)} is left{meant}"
    return context.finding("TL603", "note", message, path=leftover.path)
