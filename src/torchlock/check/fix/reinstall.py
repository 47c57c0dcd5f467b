"""Remedies that install packages again: damaged ones, and extensions that were built for another torch."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.check.fix.commands import add, compiled, install
from torchlock.check.fix.fitting import fitting, steps
from torchlock.check.fix.plan import Plan, of_build, planned
from torchlock.check.index_wheels import likely_has_wheels
from torchlock.finding import Remedy
from torchlock.index.sources import Sources
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.stack import CONDA_NAMES, FAMILY, STACK, projects

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding


def again(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy:
    """The packages of a finding again, or the releases of the plan; without the installer's cache."""
    name, version = finding.packages[0]
    if name not in STACK:
        return _other_again(context, name, version)
    if (remedy := of_conda(context, name)) is not None:
        return remedy
    if plan is None:
        return _from_its_source(context, name)
    commands = install(context, plan, again=True, fresh=True)
    first = _allowed(context, finding)
    return Remedy(f"Install {steps(context, plan)}, without the installer's cache.{first}", commands=commands)


def _allowed(context: CheckContext, finding: Finding) -> str:
    """A sentence on a program of Windows that is not there: an antivirus program may remove it again."""
    is_program = finding.path.lower().endswith((".dll", ".pyd", ".exe"))
    if context.operating_system != "windows" or not is_program or os.path.exists(finding.path):
        return ""
    return " If an antivirus program removed the file, let it allow this folder before."


def of_conda(context: CheckContext, name: str) -> Remedy | None:
    """A package of conda again; None if another installer installed it."""
    record = context.record(name)
    theirs = next(
        (each for each in context.environment.conda if CONDA_NAMES.get(each.name, each.name) == name), None
    )
    if theirs is None or (record is not None and record.installer not in ("", "conda")):
        return None
    words = f"Install {theirs.name} {theirs.version} again with conda, which installed it."
    commands = conda_install(context, "--force-reinstall", f"{theirs.name}={theirs.version}={theirs.build}")
    return Remedy(words, commands=commands)


def what_conda_lost(context: CheckContext, finding: Finding) -> Remedy | None:
    """A package of conda whose library lacks another one: conda installs both again; None for all others."""
    name = finding.package
    remedy = of_conda(context, name)
    if remedy is None or not finding.lacks or name in FAMILY:
        return None
    blas = re.match(r"lib(?:open|c)?blas|liblapack|libmkl", finding.lacks[0])
    others = ("libblas", "libcblas", "liblapack") if blas else ()
    commands = conda_install(context, "--force-reinstall", name, *others)
    needed = f", which has {finding.lacks[0]}," if others else ""
    more = f" and the BLAS of conda{needed}" if others else " with what it needs"
    return Remedy(f"Install {name}{more} again with conda, which installed it.", commands=commands)


def _from_its_source(context: CheckContext, name: str) -> Remedy:
    """Words for a build that no index has."""
    version = context.version(name) or recorded(context, name)
    return Remedy(
        f"Install {name} {version} again from where it came: the vendor's wheel or image, or its source. "
        "There is no command, because no index that torchlock knows has this build."
    )


def _other_again(context: CheckContext, name: str, version: str) -> Remedy:
    """A package outside of the stack, which the stack needs."""
    version = recorded(context, name) or version
    if "+" in version or ".dev" in version:  # no index for all has these builds of its authors
        return Remedy(f"Install {name} {version} again, from where it came, with the Python of this environment.")
    plan = Plan({name: version})
    commands = install(context, plan, again=True, fresh=True) if plan.versions[name] else add(context, name)
    return Remedy(f"Install {name} again, without the installer's cache.", commands=commands)


def rebuilt(context: CheckContext, finding: Finding) -> Remedy | None:
    """A third-party extension module needs a build for this torch, from its authors or compiled here."""
    name, version = finding.packages[0]
    if name in STACK:
        return None
    words = f"Install the build of {name} for {context.named('torch')}"
    if "+" in recorded(context, name):  # no index for all has a build with a label of its authors
        return Remedy(f"{words}, from where {version} came; or compile it here.")
    if name not in projects() or not projects()[name].source:
        return Remedy(f"{words}, from its authors; or compile it here, from its repository.")
    return Remedy(f"{words}, or compile it here.", commands=compiled(context, name, version))


def complete(context: CheckContext, finding: Finding) -> Remedy | None:
    """The package that lacks a library, in releases that work together; None if no others are known."""
    name = finding.package
    if name not in FAMILY:
        return None
    plan = planned(context, {name})
    return None if plan is None else fitting(context, plan)


def same(context: CheckContext, names: set[str]) -> Plan | None:
    """A plan with the installed versions and builds; None if no known index has one of them."""
    versions = {name: context.version(name) or recorded(context, name) for name in sorted(names)}
    known = {name: version for name, version in versions.items() if version}
    label, target = context.label("torch") or "", context.target
    if not known or target is None:
        return None
    if kind_of(label) and any(name in FAMILY for name in known):
        public = {name: version.removesuffix(f"+{label}") for name, version in known.items()}
        there = [
            likely_has_wheels(name, version, label, target) for name, version in public.items() if name in FAMILY
        ]
        return of_build(public, label, target) if all(there) else None
    return Plan(known) if all(_is_on_index(context, *item) for item in known.items()) else None


def _is_on_index(context: CheckContext, name: str, version: str) -> bool:
    target = context.target
    found = (each for each in Sources(offline=True).releases(name) if each.version == version)
    return target is not None and any(rank is not None for each in found for rank in each.ranks(target.rank))


def recorded(context: CheckContext, name: str) -> str:
    """The version in the record of a package; "" if there is none."""
    record = context.installed.get(name)
    return record.version if record else ""
