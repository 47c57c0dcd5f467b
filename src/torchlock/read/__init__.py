"""What the user wrote, with the place of every line. One module for each dialect."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.read.requirement import parse_requirement
from torchlock.words import Inputs

if TYPE_CHECKING:
    from collections.abc import Collection

    from torchlock.words import Written


def read_file(
    path: str, *, extras: Collection[str] = (), groups: Collection[str] = (), all_extras: bool = False
) -> Inputs:
    """Read a file of requirements; its name and content tell the dialect.

    Raises:
        InputError: it cannot be read, or has no extras or groups though some were asked for.
    """
    name = PurePath(path).name.lower()
    if name.endswith(".toml"):
        from torchlock.read.pyproject import read_pyproject

        return read_pyproject(path, extras=extras, groups=groups, all_extras=all_extras)
    if name == "setup.cfg":
        from torchlock.read.setup_cfg import read_setup_cfg

        _refuse(path, "dependency groups", groups)
        return read_setup_cfg(path, extras=extras, all_extras=all_extras)
    _refuse(path, "extras", [*extras, *(["all"] if all_extras else [])])
    _refuse(path, "dependency groups", groups)
    if name.endswith(".py"):
        from torchlock.read.script import read_script
        from torchlock.read.text import read_text

        return read_script(read_text(path), path)
    from torchlock.read.requirements_txt import read_requirements

    return read_requirements(path)


def _refuse(path: str, what: str, asked: Collection[str]) -> None:
    if asked:
        raise InputError(f"has no {what}", path=path, hint=f"{what} belong to a pyproject.toml")


def read_constraints(path: str) -> list[Written]:
    """Read a constraints file.

    Raises:
        InputError: it cannot be read.
    """
    from torchlock.read.requirements_txt import read_constraints as read

    return read(path).constraints


def read_overrides(path: str) -> list[Written]:
    """Read a file of requirements that replace all others on the same packages.

    Raises:
        InputError: it cannot be read.
    """
    return read_file(path).requirements


def merge(*parts: Inputs) -> Inputs:
    """Everything together, in order. The first index address stands; the last requires-python does."""
    merged = Inputs()
    for part in parts:
        for name in ("requirements", "constraints", "overrides", "extra_index_urls", "find_links", "notes"):
            getattr(merged, name).extend(getattr(part, name))
        merged.requires_python = part.requires_python or merged.requires_python
        merged.index_url = merged.index_url or part.index_url
        merged.no_index = merged.no_index or part.no_index
        merged.pre = merged.pre or part.pre
    return merged


__all__ = ["merge", "parse_requirement", "read_constraints", "read_file", "read_overrides"]
