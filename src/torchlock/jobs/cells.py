"""The targets of one lock: each combination of the values of --python, --platform and --accelerator.

A cell has the arguments for one target, with single values, as the rest of the command takes them.
"""

from __future__ import annotations

import argparse
from itertools import product

from torchlock.errors import InputError
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.target import PLATFORMS, SUPPORT_ENDS, Platform, PythonVersion
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.jobs.named_targets import NamedTarget
    from torchlock.lock.installed_base import Base
    from torchlock.lock.scope_conditions import Choice
    from torchlock.terms import Inputs

# The order of targets in a lock. It does not depend on the order of the options.
_SYSTEMS = {"linux": 0, "macos": 1, "windows": 2}
_RANGE = pattern(r"\s*([0-9][\w.]*)\s*-\s*([0-9][\w.]*)\s*")


class Part(NamedTuple):
    """The inputs for one choice among exclusive extras and groups. ``asked`` are all that are asked for."""

    choice: Choice
    inputs: Inputs
    asked: tuple[str, ...]


class Cell(NamedTuple):
    """One target of a lock. ``name`` is that of its table in the project, or ""; ``base`` is what it is installed
    into. With exclusive extras, a target has a cell for each ``part``, all with the same arguments.
    """

    arguments: argparse.Namespace
    name: str = ""
    base: Base | None = None
    part: Part | None = None

    @property
    def values(self) -> dict[str, str]:
        """What replaces the fields of a file name (``requirements-{accelerator}.txt``)."""
        found = self.arguments
        return {
            "python": found.python or "",
            "platform": found.platform,
            "accelerator": found.accelerator or "pypi",
            "target": self.name,
        }


def cells_of(arguments: argparse.Namespace, inputs: Inputs, data_date: str) -> list[Cell]:
    """The targets of the command line, each once, in an order that does not depend on the order of the options.

    ``data_date`` decides which Pythons are supported, for --universal.

    Raises:
        InputError: a value is invalid, or --universal is given together with what it replaces.
    """
    named = _named_targets(arguments)
    if named and not arguments.universal:
        found = [cell for target in named for cell in _combined(target.arguments, target.name)]
    elif arguments.universal:
        found = _combined(_universal(arguments, inputs, data_date))
    else:
        found = _combined(arguments)
    return in_order(found)


def _named_targets(arguments: argparse.Namespace) -> list[NamedTarget]:
    """The targets of the project that count."""
    if not (arguments.config_files or arguments.targets):
        return []
    from torchlock.jobs.named_targets import named_targets

    return named_targets(arguments)


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """The cells, each once, in an order that does not depend on the order of the options."""
    return sorted(_once(cells), key=_place)


def _combined(arguments: argparse.Namespace, name: str = "") -> list[Cell]:
    """A cell for each combination of the values."""
    pythons: list[str | None] = [version for text in arguments.python for version in pythons_in(text)]
    axes = pythons or [None], arguments.platform or ["host"], arguments.accelerator or [None]
    return [
        Cell(
            argparse.Namespace(
                **{**vars(arguments), "python": python, "platform": platform, "accelerator": accelerator}
            ),
            name,
        )
        for python, platform, accelerator in product(*axes)
    ]


def pythons_in(text: str) -> list[str]:
    """A version or path as it is; a range ``3.10-3.13`` as its versions.

    Raises:
        InputError: the range is empty, or its ends are not minor releases of Python 3.
    """
    match = _RANGE.fullmatch(text) if "-" in text else None
    if match is None:
        return [text]
    ends = [PythonVersion.parse(each) for each in match.groups()]
    if any(each.count(".") != 1 or each.endswith("t") for each in match.groups()) or ends[0].minor > ends[1].minor:
        hint = "write the oldest and the newest minor release, like --python 3.10-3.13"
        raise InputError(f"--python: {text!r} is not a range of Python versions", hint=hint)
    newest = max(SUPPORT_ENDS)
    if ends[1].minor > newest:
        hint = f"the newest Python that torchlock knows is 3.{newest}"
        raise InputError(f"--python: the range {text!r} ends with an unknown Python", hint=hint)
    return [f"3.{minor}" for minor in range(ends[0].minor, ends[1].minor + 1)]


def _universal(arguments: argparse.Namespace, inputs: Inputs, data_date: str) -> argparse.Namespace:
    """The arguments with every Python that the project allows and that has support, and every platform.

    Raises:
        InputError: the options name Pythons or platforms as well; or no supported Python is allowed.
    """
    for option, values in (("--python", arguments.python), ("--platform", arguments.platform)):
        if values:
            raise InputError(
                f"--universal and {option} {values[0]} contradict each other: --universal means all of them",
                hint=f"leave out one of them; {option} may be repeated",
            )
    if arguments.targets:
        raise InputError("--universal and --target contradict each other", hint="use only one of them")
    pythons = [f"3.{minor}" for minor, end in SUPPORT_ENDS.items() if end > data_date[:7]]
    if inputs.requires_python is not None:
        specifier, (path, line, _) = inputs.requires_python
        allowed = [f"3.{minor}" for minor in SUPPORT_ENDS if _allows(specifier, minor)]
        pythons = [each for each in pythons if each in allowed] or allowed[-1:]
        if not pythons:
            raise InputError(
                f"no Python that torchlock knows satisfies {specifier}",
                path=path,
                line=line,
                hint="name a Python with --python",
            )
    platforms = [*PLATFORMS]
    return argparse.Namespace(**{**vars(arguments), "python": pythons, "platform": platforms})


def _allows(specifier: object, minor: int) -> bool:
    from packaging.specifiers import SpecifierSet

    assert isinstance(specifier, SpecifierSet)
    return specifier.contains(PythonVersion.parse(f"3.{minor}").full, prereleases=True)


def _once(cells: Iterable[Cell]) -> list[Cell]:
    """Without cells that say the same as an earlier one. A machine is compared as it is spelled."""
    found: dict[tuple[object, ...], Cell] = {}
    for cell in cells:
        own = cell.arguments
        platform = Platform.parse(own.platform).spelled if own.platform != "host" else "host"
        machine = own.system, tuple(own.system_lib), own.gpu, own.base_image, own.constraint_from
        found.setdefault((_version(own.python), platform, own.accelerator, *machine, cell.name), cell)
    return list(found.values())


def _version(text: str | None) -> object:
    return PythonVersion.parse(text) if text is not None and text[:1].isdigit() else text


def _place(cell: Cell) -> tuple[object, ...]:
    own = cell.arguments
    platform = None if own.platform == "host" else Platform.parse(own.platform)
    where = (-1, "", "", (0, 0)) if platform is None else (_SYSTEMS[platform.system], *platform[1:])
    version = _version(own.python)
    python = (version, "") if isinstance(version, PythonVersion) else ((), own.python or "")
    return (*python, where, own.accelerator or "", own.system, tuple(own.system_lib), own.gpu or "", *_base(cell))


def _base(cell: Cell) -> tuple[str, ...]:
    return cell.name, cell.arguments.base_image or "", cell.arguments.constraint_from or ""
