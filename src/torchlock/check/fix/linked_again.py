"""Remedies for an extension module that was compiled on this machine without the library that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add, is_managed
from torchlock.finding import Remedy

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext


def linked_again(context: CheckContext, name: str, look: str = "") -> Remedy:
    """A wheel of the package in place of the one that was compiled here; ``look`` says what to do in its place."""
    if look:
        return Remedy(look)
    options = ("--force-reinstall", "--no-deps", "--no-cache-dir", f"--only-binary {name}")
    summary = (
        f"Install {name} from a wheel of the index, in place of the one that was compiled on this machine, "
        "without the cache of pip; if no release has one, install the library that it uses, and compile it again."
    )
    return Remedy(summary, commands=() if is_managed(context) else add(context, name, "", *options))
