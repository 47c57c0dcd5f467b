"""The remedy for a package with files of several installations: delete all of it, and install it again."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.context import version_of
from torchlock.check.fix.commands import add, install, is_managed, uninstall
from torchlock.check.fix.deletion import deletion
from torchlock.check.fix.fitting import steps
from torchlock.check.fix.plan import Plan, of_build, planned
from torchlock.check.fix.torch_builds import public_build
from torchlock.check.relevance import module_of
from torchlock.check.rules.import_path import has_open_files
from torchlock.check.rules.libsndfile import machine_has_libsndfile
from torchlock.check.soundfile_data import opened
from torchlock.finding import Remedy
from torchlock.inspect.build import read_build
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check import CheckContext
    from torchlock.finding import Command, Finding

_RECORD = re.compile(r"-([\w.+!]{1,60})\.dist-info$")  # the version in the name of a record
_CLOSE = "Close all programs that use this Python (Jupyter, servers, editors), "


def afresh(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    """Delete what is there of a package, and install it again; None if a part of it must stay.

    Installers remove only the files of one record, and write over the others.
    """
    if not finding.packages or is_managed(context):  # the files of a distribution stay
        return None
    name = finding.package
    paths = list(_remains(context, name))
    plan = _moved_aside(context, name) or plan
    if name not in STACK or not paths or plan is None or name not in plan.versions:
        return None
    delete = deletion(context, paths, name)
    if not delete:
        return None
    listed = ", ".join(os.path.basename(path) for path in paths)
    leftovers = any(each.meant == name for each in context.installed.leftovers)
    close = _CLOSE if leftovers or has_open_files(context, paths[0]) else ""
    words = f"delete {listed}, and install {steps(context, plan)}, without the installer's cache"
    summary = f"{close}{words if close else words[0].upper() + words[1:]}."
    return Remedy(summary, commands=tuple(_after(delete, install(context, plan, again=True, fresh=True))))


def of_rest(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    """The same for the rest of a package; None if its first module is there, or nothing of it."""
    copy = context.copy(finding.package) if finding.package else None
    return afresh(context, finding, plan) if copy is not None and copy.kind == "namespace" else None


def one_of_two(context: CheckContext, finding: Finding) -> Remedy:
    """Uninstall both packages that have the same files, and install the one that is needed."""
    (name, _), (other, _) = finding.packages[:2]
    record = context.installed.get(name)
    version = record.version if record is not None else ""
    installs = add(context, name, f"=={version}", "--no-cache-dir", removed=True)
    lines = {each.tool: each.line for each in installs}
    commands = tuple(
        each._replace(line=f"{each.line} && {lines[each.tool]}")
        for each in uninstall(context, [other, name])
        if each.tool in lines
    )
    return Remedy(f"Uninstall both, and install only {name} {version} again.", commands=commands)


def _after(delete: tuple[Command, ...], installs: tuple[Command, ...]) -> Iterator[Command]:
    for each in installs:
        yield each._replace(line=f"{delete[0].line} && {each.line}")


def _remains(context: CheckContext, name: str) -> Iterator[str]:
    """The paths of a package, of its records, and of what an interrupted installation left of it."""
    leftovers = [each.path for each in context.installed.leftovers if each.meant == name]
    records = [each for each in context.installed.distributions if each.name == name]
    copy = context.copy(module_of(name))
    folders = {os.path.dirname(path) for path in leftovers} | {each.entry.path for each in records}
    if copy is not None and copy.entry is not None and copy.entry.is_site and copy.kind != "editable":
        yield copy.path
        if name == "soundfile":
            folder = os.path.dirname(copy.path)
            names = context.environment.tree.names(folder)
            yield from (
                os.path.join(folder, each) for each in ("_soundfile.py", "_soundfile_data") if each in names
            )
        folders.add(copy.entry.path)
    if len(folders) == 1:
        yield from (each.path for each in records)
        yield from leftovers


def with_library(context: CheckContext, finding: Finding, plan: Plan | None) -> Plan | None:
    """For soundfile, a release whose wheels contain libsndfile, unless the machine has one; else the plan."""
    name = finding.package
    if name != "soundfile" or plan is None or not specifier_set("<0.12.1").contains(plan.versions.get(name, "1")):
        return plan
    copy = context.copy(name)
    takes_own = copy is not None and copy.kind == "module" and bool(opened(context, copy))
    if not takes_own and machine_has_libsndfile(context) is True:
        return plan
    return planned(context, {name}, asked=["soundfile>=0.12.1"]) or plan


def _moved_aside(context: CheckContext, name: str) -> Plan | None:
    """The release and build that an interrupted installation moved aside, if no other is there."""
    target = context.target
    if target is None or name in context.pins:
        return None
    mine = [each.path for each in context.installed.leftovers if each.meant == name]
    builds = (read_build(path, context.environment.tree) for path in mine)
    spelled = [each.version for each in builds if each is not None]
    spelled += [match[1] for path in mine if (match := _RECORD.search(path))]
    version = next((version_of(each) for each in spelled), None)
    if version is None:
        return None
    label = version.local or ""
    is_public = not kind_of(label) or label == public_build(name, version.public, target)
    return of_build({name: version.public}, "" if is_public else label, target)
