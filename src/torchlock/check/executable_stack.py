"""A library that is marked to need an executable stack: why systems refuse it, and what removes the mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check import known_wheels as wheels
from torchlock.check.fix.commands import add
from torchlock.finding import Command, Remedy

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext

WHY = "glibc 2.41 and later load no such library into a running process, nor does SELinux allow it"
# The first releases whose libraries ask for no executable stack.
_WITHOUT_STACK = {"ctranslate2": "4.6.0"}


def unmark(context: CheckContext, owner: str, library: str) -> Remedy:
    """The remedy for a ``library`` (its path) of the distribution ``owner``; "" if that is unknown."""
    known = _WITHOUT_STACK.get(owner, "")
    clear = f"patchelf --clear-execstack {library} removes the mark"
    summary = f"Install a later release of {owner or 'that package'}, whose library is not marked; or {clear}."
    commands: tuple[Command, ...] = ()
    if known and (context.target is None or wheels.installs(owner, known, "", context.target) is not False):
        summary = f"Install {owner} {known} or later, whose library is not marked; or {clear}."
        commands = add(context, owner, f">={known}")
    return Remedy(summary, commands=commands)
