"""Remedies for an extension module that was compiled on this machine without the library that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add, is_managed
from torchlock.finding import Remedy

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext


def linked_again(context: CheckContext, name: str, look: str = "", why: str = "") -> Remedy:
    """A wheel of the package instead of the one that was compiled here.

    ``look`` says what to do instead, ``why`` why the compiled one does not load any more.
    """
    if look:
        return Remedy(look)
    options = ("--force-reinstall", "--no-deps", "--no-cache-dir", f"--only-binary {name}")
    reason = f": {why}" if why else ""
    summary = (
        f"Install {name} from a wheel of the index, instead of the one that was compiled on this machine, "
        f"without the cache of pip{reason}. If no release has one, install the library that it uses, and compile "
        "it again."
    )
    return Remedy(summary, commands=() if is_managed(context) else add(context, name, "", *options))
