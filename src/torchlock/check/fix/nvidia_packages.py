"""The remedy for NVIDIA packages that are not installed as torch requires them: install the required releases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of
from torchlock.check.fix.cached_links import without_cache
from torchlock.check.fix.commands import add_all, reinstall, uninstall
from torchlock.check.fix.packaged_libraries import of_other_folder
from torchlock.check.nvidia import package_for, required, unmet
from torchlock.finding import Remedy

if TYPE_CHECKING:
    from collections.abc import Set

    from torchlock.check import CheckContext
    from torchlock.finding import Finding


def separated(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for two packages that wrote the same files; the finding names them after torch."""
    (mine, _), (other, _) = finding.packages[1:3]
    return _apart(context, mine, other)


def of_release(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for packages in another release than torch requires."""
    return _as_required(context, {name for name, _ in finding.packages})


def of_symbols(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for symbols that a library of NVIDIA lacks; None for symbols of other libraries."""
    names = {name for name, _ in finding.packages}
    if (pair := _overwritten(context, names)) is not None:
        return _apart(context, *pair)
    if (found := _as_required(context, names)) is not None:
        return found
    theirs = " and ".join(sorted(name for name in names if name.startswith("nvidia-")))
    return Remedy(f"Install releases of {theirs} that belong to one release of CUDA.") if theirs else None


def of_library(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for a library of NVIDIA that torch does not find; None for all others."""
    if finding.package != "torch":
        return None
    names = {package_for(context, library) for library in finding.lacks}
    found = _as_required(context, names) or of_other_folder(context, finding) or without_cache(context, names)
    if found is not None:
        return found
    if name := next((each for each in names if each in required(context)), ""):
        again = reinstall(context, name, required(context)[name])
        return Remedy(f"Install {name} again: its record exists, but the library is missing.", commands=again)
    return None


def _as_required(context: CheckContext, names: Set[str]) -> Remedy | None:
    """Install those of some packages that are not there as torch requires them; None if all are."""
    wanted = {each.name: each.specifier for each in unmet(context) if each.name in names}
    if not wanted:
        return None
    listed = ", ".join(f"{name}{specifier}" for name, specifier in wanted.items())
    return Remedy(f"Install {listed}, as torch requires.", commands=add_all(context, wanted))


def _overwritten(context: CheckContext, names: Set[str]) -> tuple[str, str] | None:
    """The required package and one for another CUDA version that overwrote its files, if one of them is named."""
    pinned = required(context)
    for other in sorted(names - pinned.keys()):
        stem = re.sub(r"-cu\d+$", "", other)
        mine = next((name for name in pinned if re.sub(r"-cu\d+$", "", name) == stem), "")
        if stem.startswith("nvidia-") and mine and context.installed.get(mine) is not None:
            return mine, other
    return None


def _apart(context: CheckContext, mine: str, other: str) -> Remedy:
    """Remove the package for another CUDA version, and write the files of the required one again."""
    version = required(context)[mine]
    users = [
        each.name
        for each in context.installed.distributions
        if any(item.name == other for item in dependencies_of(each))
    ]
    if users:
        return Remedy(
            f"Move {users[0]}, which requires {other}, to another environment: one environment cannot hold both."
        )
    first, second = uninstall(context, [other]), reinstall(context, mine, version)
    lines = {each.tool: each.line for each in second}
    commands = tuple(
        each._replace(line=f"{each.line} && {lines[each.tool]}") for each in first if each.tool in lines
    )
    return Remedy(f"Remove {other}, and install {mine} again.", commands=commands)
