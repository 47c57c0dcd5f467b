"""Commands that delete what an installer left of one package in a folder of packages, and nothing else."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import is_windows, shell
from torchlock.finding import Command
from torchlock.inspect.ownership import rows_of
from torchlock.patterns import pattern
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torchlock.check import CheckContext

_METADATA = pattern(r"([^-]+?)(?:-.*)?\.(?:dist-info|egg-info|egg)", re.IGNORECASE | re.DOTALL)
# The folders that belong to the package manager of a distribution.
_OF_SYSTEM = pattern(r"/usr/lib(?:64)?/python3[\d.]*/(?:dist|site)-packages")


def deletion(context: CheckContext, paths: Sequence[str], name: str) -> tuple[Command, ...]:
    """The command that deletes paths of one distribution; none if one of them may hold anything else."""
    if (
        not paths
        or not all(_is_in_site(context, path, name) for path in paths)
        or _has_others(context, paths, name)
    ):
        return ()
    if not is_windows(context):
        return shell(context, "rm -rf", *paths)
    folders = [path for path in paths if os.path.isdir(path)]
    files = [path for path in paths if path not in folders]
    steps = [
        shell(context, verb, *those) for verb, those in (("rmdir /s /q", folders), ("del /q", files)) if those
    ]
    return (Command("shell", " && ".join(step[0].line for step in steps)),) if all(steps) else ()


def file_deletion(context: CheckContext, path: str) -> tuple[Command, ...]:
    """The command that deletes one file which no package recorded."""
    return shell(context, "del /q" if is_windows(context) else "rm", path)


def _is_in_site(context: CheckContext, path: str, name: str) -> bool:
    """Whether a path is an item of a folder into which installers put packages, and not the system's.

    A folder of metadata must have the name of the distribution: what is written in it may be wrong.
    """
    folder, item = os.path.split(path)
    is_site = any(entry.path == folder for entry in context.environment.sites)
    meant = _METADATA.fullmatch(item)
    is_own = meant is None or item.startswith("~") or normalise(meant[1]) == name
    return bool(item) and item not in (".", "..") and is_site and is_own and not _OF_SYSTEM.search(folder)


def _has_others(context: CheckContext, paths: Collection[str], name: str) -> bool:
    """Whether another distribution recorded a file at one of these paths, or below it."""
    others = (each for each in context.installed.distributions if each.name != name)
    return any(_item_of(path, each.entry.path) in paths for each in others for path in rows_of(each))


def _item_of(path: str, site: str) -> str:
    """The item of a folder of packages in which a file is."""
    inside = path.removeprefix(site + os.sep)
    return path if inside == path else os.path.join(site, inside.partition(os.sep)[0])
