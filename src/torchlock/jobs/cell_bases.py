"""What each target of a lock is installed into, and on which system: --base-image, --constraint-from, --system.

An option describes one machine. Beside several targets, it is for those that it fits; a table of a named target
states its own.
"""

from __future__ import annotations

import argparse

from torchlock.errors import InputError
from torchlock.jobs.cells import Cell, in_order
from torchlock.jobs.target import plain_target
from torchlock.target import Platform, PythonVersion
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.jobs.listener import Listener

_OPTIONS = {"--base-image": "base_image", "--constraint-from": "constraint_from", "--system": "system"}


def with_bases(cells: Sequence[Cell], arguments: argparse.Namespace, console: Listener) -> list[Cell]:
    """The targets, each with what it is installed into; an option that does not fit a target is left out there.

    An option of the command line that is for some of several targets only gets a note.

    Raises:
        InputError: an option fits no target, or it contradicts one in something other than its platform.
    """
    if len(cells) > 1:
        for option, attribute in _OPTIONS.items():
            value = getattr(arguments, attribute)
            if value not in (None, "none"):
                cells = _fitting(cells, option, attribute, value, console)
    _refuse_other_pythons(cells)
    opened = [_opened(cell, console) for cell in cells]
    return in_order(opened) if len(opened) > 1 else opened


def _fitting(cells: Sequence[Cell], option: str, attribute: str, value: str, console: Listener) -> list[Cell]:
    """The targets, without the option where it is for another platform."""
    fits = _test(attribute, value)
    others = [cell for cell in cells if getattr(cell.arguments, attribute) == value and not fits(_platform(cell))]
    if not others:
        return list(cells)
    if len(others) == sum(getattr(cell.arguments, attribute) == value for cell in cells):
        said = f"{option} {value} fits none of the targets, like {_named(others[0])}"
        raise InputError(said, hint="state it for its own target, in [[tool.torchlock.target]]")
    console.say("note", f"{option} {value} is not for {'; '.join(map(_named, others))}")
    bare = "none" if attribute == "system" else None
    return [
        cell._replace(arguments=argparse.Namespace(**{**vars(cell.arguments), attribute: bare}))
        if cell in others
        else cell
        for cell in cells
    ]


def _test(attribute: str, value: str) -> Callable[[Platform], bool]:
    """Whether an option can be for a platform."""
    if attribute == "base_image":
        return lambda platform: platform.system == "linux"
    if attribute == "system":
        from torchlock.knowledge import systems

        named = systems.of_host() if value == "host" else value
        known = systems.load(named).platforms if isinstance(named, str) else ()
        return lambda platform: not known or platform.system in known
    from torchlock.jobs.installed_base import platform_of_environment

    own = platform_of_environment(value)
    return lambda platform: own is None or platform[:3] == own[:3]


def _platform(cell: Cell) -> Platform:
    name = cell.arguments.platform
    return Platform.of_host() if name == "host" else Platform.parse(name)


def _named(cell: Cell) -> str:
    return cell.name or str(plain_target(argparse.Namespace(**{**vars(cell.arguments), "system": "none"})))


def _opened(cell: Cell, console: Listener) -> Cell:
    if cell.arguments.base_image is None and cell.arguments.constraint_from is None:
        return cell
    from torchlock.jobs.installed_base import base_of

    own = argparse.Namespace(**vars(cell.arguments))  # what the base states is set in it
    return cell._replace(arguments=own, base=base_of(own, console))


def _refuse_other_pythons(cells: Sequence[Cell]) -> None:
    """Refuse several targets of which one has another Python than what it is installed into.

    Raises:
        InputError: there is one.
    """
    for cell in cells if len(cells) > 1 else ():
        own = cell.arguments
        if own.python is None or (own.base_image is None and own.constraint_from is None):
            continue
        from torchlock.jobs.installed_base import python_of_base

        python = python_of_base(own)
        if python and plain_target(own).python[:2] != PythonVersion.parse(python)[:2]:
            option = "base_image" if own.base_image is not None else "constraint_from"
            said = f"--{option.replace('_', '-')} {getattr(own, option)} has Python {python}"
            raise InputError(
                f"{said}, and the target {_named(cell)} another one",
                hint="state it for its own target, in [[tool.torchlock.target]]",
            )
