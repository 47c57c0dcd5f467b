"""Packages outside the stack: their folders, the names in their files, and the release that has a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from torchlock.check.context import dependencies_of
from torchlock.check.fix.commands import add
from torchlock.check.relevance import owners_of
from torchlock.finding import Remedy
from torchlock.inspect.library import is_library
from torchlock.inspect.module_names import ModuleNames
from torchlock.knowledge.other_names import lack_of
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.knowledge.other_names import Lack


def folder_of(context: CheckContext, package: str) -> tuple[str, str]:
    """The folder of an installed package, and the distribution that it is of; "" if there is none."""
    for entry in context.environment.path:
        is_folder = entry.state == "folder" and context.environment.tree.names(entry.path).get(package) == "folder"
        if is_folder:
            owners = owners_of(context, [f"{package}/__init__.py"])
            return os.path.join(entry.path, package), next(iter(sorted(owners)), "")
    return "", ""


def is_in_files(context: CheckContext, folder: str, name: str) -> bool:
    """Whether the files have the name: as a module, or defined in the source."""
    place = folder
    for part in name.split(".")[1:]:
        there = context.environment.tree.names(place)
        is_module = any(
            file.partition(".")[0] == part and (file.endswith(".py") or is_library(file)) for file in there
        )
        if there.get(part) != "folder" and not is_module:
            return ModuleNames(folder).defines(name) is True
        place = os.path.join(place, part)
    return True


def _has(lack: Lack, version: str) -> bool:
    """Whether an installed release has the name by the tables; a version that cannot be read may have it."""
    try:
        return lack.is_there(Version(version))
    except InvalidVersion:
        return True


def other_release(context: CheckContext, owner: str, provider: str, name: str) -> Remedy:
    """The release that the package declares to need, or those that have the name by the tables; else words."""
    record, version, target = context.installed.get(owner), context.version(provider), context.target
    for each in dependencies_of(record) if record is not None and target is not None else ():
        is_met = specifier_set(each.specifier).contains(version, prereleases=True)
        if each.name == provider and target is not None and target.holds(each.marker) and not is_met:
            words = f"Install {provider}{each.specifier}, as {owner} declares."
            return Remedy(words, commands=add(context, provider, each.specifier))
    lack = lack_of(name)
    if lack is not None and lack.project == provider and lack.specifier and not _has(lack, version):
        words = f"Install {provider}{lack.specifier}, which has it; or a later release of {owner}."
        return Remedy(words, commands=add(context, provider, lack.specifier))
    return Remedy(
        f"Install a later release of {owner}, one that was built for {provider} {version}; or the release of "
        f"{provider} that {context.named(owner)} was built for, if nothing else here needs this one."
    )
