"""What a later Python no longer has: who uses it, whether it was brought back, and what to install for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add_all
from torchlock.check.rules.not_examined import listed
from torchlock.finding import Remedy
from torchlock.knowledge.python_changes import backport, removed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.knowledge.python_changes import Change


def message(user: str, change: Change, here: str) -> str:
    """The sentence about ``user``, with the release of this Python."""
    if removed(change.what) is None:
        since = f" since {change.release}" if change.release != here else ""
        return f"{user} does not work with Python {here}, which {change.what}{since}"
    if change.release == here:
        return f"{user} uses {change.what}, which Python {here} removed"
    return f"{user} uses {change.what}, which Python {here} does not have: {change.release} removed it"


def is_there(context: CheckContext, name: str) -> bool:
    """Whether an installed package brings a removed module back: then the log is from before."""
    names = (context.environment.tree.names(entry.path) for entry in context.environment.path)
    return any(name in each or f"{name}.py" in each for each in names)


def bring_back(context: CheckContext, change: Change, owner: str, modules: Sequence[str]) -> Remedy:
    """The projects that bring back some removed modules; else an earlier Python, in words."""
    before = f"3.{int(change.release.split('.')[1]) - 1}"
    named = context.named(owner) if owner else "that code"
    later = f"use a later release of {owner}, if one supports this Python" if owner else "change that line"
    other = f"or {later}, or Python {before} (uv venv --python {before})"
    projects = dict.fromkeys(filter(None, map(backport, modules)))
    if not projects:
        return Remedy(f"Use Python {before} for {named} (uv venv --python {before}); or {later}.")
    summary = (
        f"Install {listed(list(projects))}, which {'brings' if len(projects) == 1 else 'bring'} it back; {other}."
    )
    return Remedy(summary, commands=add_all(context, dict.fromkeys(projects, "")))


def number(version: str) -> tuple[int, ...]:
    """``(3, 13)`` of ``3.13.1``; ``(0,)`` if the version is unknown."""
    return tuple(int(each) for each in re.findall(r"\d{1,3}", version)[:2]) or (0,)
