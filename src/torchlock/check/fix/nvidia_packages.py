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


def required_releases(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for a finding about NVIDIA packages; None for all other findings."""
    if finding.rule == "TL617":
        (mine, _), (other, _) = finding.packages[1:3]
        return _separated(context, mine, other)
    names = {name for name, _ in finding.packages}
    if finding.rule == "TL611" and (pair := _overwritten(context, names)) is not None:
        return _separated(context, *pair)
    if finding.rule == "TL610" and finding.packages[0][0] == "torch":
        names = {package_for(context, library) for library in finding.lacks}
    elif finding.rule not in ("TL611", "TL616"):
        return None
    wanted = {each.name: each.specifier for each in unmet(context) if each.name in names}
    if wanted:
        listed = ", ".join(f"{name}{specifier}" for name, specifier in wanted.items())
        return Remedy(f"Install {listed}, as torch requires.", commands=add_all(context, wanted))
    if finding.rule == "TL610" and (found := of_other_folder(context, finding)) is not None:
        return found
    if finding.rule == "TL610" and (found := without_cache(context, names)) is not None:
        return found
    if finding.rule == "TL610" and (name := next((each for each in names if each in required(context)), "")):
        again = reinstall(context, name, required(context)[name])
        return Remedy(f"Install {name} once more: its record is there, and the library is not.", commands=again)
    if finding.rule == "TL611" and any(name.startswith("nvidia-") for name in names):
        theirs = " and ".join(sorted(name for name in names if name.startswith("nvidia-")))
        return Remedy(f"Install releases of {theirs} that belong to one release of CUDA.")
    return None


def _overwritten(context: CheckContext, names: Set[str]) -> tuple[str, str] | None:
    """The required package and one for another CUDA version that overwrote its files, if one of them is named."""
    pinned = required(context)
    for other in sorted(names - pinned.keys()):
        stem = re.sub(r"-cu\d+$", "", other)
        mine = next((name for name in pinned if re.sub(r"-cu\d+$", "", name) == stem), "")
        if stem.startswith("nvidia-") and mine and context.installed.get(mine) is not None:
            return mine, other
    return None


def _separated(context: CheckContext, mine: str, other: str) -> Remedy:
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
    return Remedy(f"Remove {other}, and install {mine} once more.", commands=commands)
