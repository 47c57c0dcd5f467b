"""Libraries that every program of a machine loads first, because LD_PRELOAD or a file of the system names them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import unset
from torchlock.finding import Command, Remedy

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext

_VARIABLE = "LD_PRELOAD"


def preloaded_by(context: CheckContext, path: str) -> str:
    """What names a loaded library: the variable or the file; "" if it is no such library."""
    root = context.root
    for name, what in root.preloaded if root is not None else ():
        place = root.file(name) if root is not None and "/" in name else None
        if os.path.basename(name) == os.path.basename(path) and place in (None, path):
            return what
    return ""


def not_preloaded(context: CheckContext, path: str, named: str) -> Remedy:
    """Do not load it first."""
    if named == _VARIABLE:
        words = f"Remove {os.path.basename(path)} from {named}."
        return Remedy(words, commands=(Command("shell", unset(context, named)),))
    shown = context.root.name(path) if context.root is not None else path
    return Remedy(f"Remove {shown} from {named}.")
