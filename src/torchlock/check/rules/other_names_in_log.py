"""TL710: a name of a package outside the stack that a log shows to be missing, looked up in what is installed.

The frame of the traceback names the package that asked for it. No table has the names of these packages: what is
said is what the log shows and the files do not contradict.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from torchlock.check.context import dependencies_of
from torchlock.check.fix.commands import add
from torchlock.check.lacking_names import owner_of, shadowing_file
from torchlock.check.relevance import owners_of
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Remedy, Strength
from torchlock.inspect.library import is_library
from torchlock.inspect.module_names import ModuleNames
from torchlock.knowledge.other_names import lack_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.knowledge.other_names import Lack


@rule("TL710", on="log")
def lacking(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first name of another package that an import in the log did not find, if the files lack it, too."""
    first = log.first
    if first is None or first.rules[0] != "TL710":
        return
    missing = next((each for each in missing_names(log.text, of_others=True) if each.line >= first.line), None)
    if missing is None or missing.partly or shadowing_file(context, missing):
        return
    folder, provider = folder_of(context, missing.package)
    owner = owner_of(context, missing.caller)
    if not provider or owner in ("", provider) or is_in_files(context, folder, missing.name):
        return
    if not missing.by_import and not ModuleNames(folder).missing_part(missing.name):
        return  # The source does not show that it lacks the attribute.
    if any(each.severity != "note" and {owner, provider} <= set(dict(each.packages)) for each in found):
        return
    version, code = context.version(provider), missing.caller.code if missing.caller else ""
    verb = "imports" if missing.by_import else "uses"
    yield context.finding(
        "TL710",
        "warning",
        f"{context.named(owner)} {verb} {missing.name}, which {provider} {version} does not have",
        owner,
        provider,
        path=folder,
        because="the log shows that it was not found" + (f"; the line is: {code}" if code else ""),
        expected_error=missing.text,
        remedy=other_release(context, owner, provider, missing.name),
        sources=(),
        strength=Strength.RAN,
        lacks=(missing.name,),
    )


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
