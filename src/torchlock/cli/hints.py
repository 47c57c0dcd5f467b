"""Hints that a user can follow: a part that names an option of another command is left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_BETWEEN = re.compile(r"(; or |; |, or )")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Such a part is its own command.
_COMMAND = re.compile(r"\b(?:torchlock|pip|uv) [a-z]")


def followable(hint: str | None, own: Collection[str], all_options: Callable[[], Collection[str]]) -> str | None:
    """The parts of a hint that hold for a command; None if there are none.

    The modules below the commands do not know which command runs. ``own`` are the options of the command.
    ``all_options`` returns those of all commands: another word with dashes (``--no-index``) is not one of ours. It
    is called only if the hint names an option that the command does not have.
    """
    if not hint or all(option in own for option in _OPTION.findall(hint)):
        return hint
    foreign = set(all_options()) - set(own)
    first, *others = _BETWEEN.split(hint)
    parts = [("", first), *zip(others[::2], others[1::2], strict=True)]
    kept = [
        (mark, part) for mark, part in parts if _COMMAND.search(part) or foreign.isdisjoint(_OPTION.findall(part))
    ]
    return "".join(part if not number else f"{mark}{part}" for number, (mark, part) in enumerate(kept)) or None
