"""Wheels of one release and platform for several Pythons that show the same: one of them speaks for all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from torchlock.proving.deciding import is_of_system, may_decide
from torchlock.proving.evidence import CompanionWheel, TorchWheel, without_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

_Read = TypeVar("_Read", TorchWheel, CompanionWheel)
# What of the name of an extension module differs from Python to Python.
_PYTHON = re.compile(r"\.(?:abi3|cpython-[\w-]+|cp\d\w*-\w+)(?=\.\w+$)")


def tags_in(file: str) -> str:
    """What distinguishes a wheel from others of its release and platform: ``cp311-cp311``, or ``1-cp36-cp36m``."""
    return "-".join(file.removesuffix(".whl").split("-")[2:-1])


def without_python(name: str) -> str:
    """The name of an extension module without what differs from Python to Python."""
    return _PYTHON.sub("", name)


def merged(rows: Sequence[_Read]) -> list[_Read]:
    """Each row that shows what no row before it shows, with the tags of those that show the same.

    The rows are of one release and platform, and require one torch.
    """
    groups: list[_Read] = []
    for row in rows:
        for at, group in enumerate(groups):
            if are_alike(group, row):
                groups[at] = _joined(group, row)
                break
        else:
            groups.append(row)
    return groups


def _joined(group: Any, row: Any) -> Any:
    return group._replace(alike=(*group.alike, tags_in(row.wheel.file), *row.alike))


def are_alike(one: TorchWheel | CompanionWheel, other: TorchWheel | CompanionWheel) -> bool:
    """Whether two wheels show the same of all that decides a cell."""
    return _shown(one) == _shown(other)


def _shown(row: TorchWheel | CompanionWheel) -> tuple[object, ...]:
    if isinstance(row, TorchWheel):
        # A renamed library has another name in each wheel, by which nothing outside of the wheel asks for it.
        return row.wheel.build, {without_hash(name) for name in row.libraries}, row.exports
    libraries = [
        each._replace(
            name=without_python(each.name),
            needed=tuple(without_python(name) for name in each.needed if not is_of_system(name)),
            symbols=tuple(filter(may_decide, each.symbols)),
        )
        for each in row.libraries
    ]
    return row.wheel.build, row.compares, libraries
