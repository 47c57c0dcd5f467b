"""Remedies for a package whose libraries are for the other architecture of a Mac."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check import known_wheels as wheels
from torchlock.check.fix.commands import add, install, is_managed
from torchlock.check.fix.plan import Plan
from torchlock.finding import Remedy
from torchlock.knowledge.stack import FAMILY
from torchlock.records import replace
from torchlock.target import Platform

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Command

# Rosetta runs programs for Intel on Apple silicon, not the other way round.
_TRANSLATED = "x86_64"


def is_tagged_for(context: CheckContext, name: str, machine: str) -> bool:
    """Whether the tags of an installed wheel say that it is for this architecture of a Mac."""
    record = context.installed.get(name)
    platforms = [tag.rpartition("-")[2] for tag in (record.tags if record is not None else ())]
    return any(each.startswith("macosx_") and each.endswith((machine, "universal2")) for each in platforms)


def for_machine(context: CheckContext, name: str, need: str, theirs: str) -> Remedy:
    """The package for the architecture ``need`` instead of the one for ``theirs``, or a Python for the latter."""
    record = context.installed.get(name)
    version = record.version if record is not None else context.version(name)
    if is_tagged_for(context, name, need):
        summary = f"Install another release of {name}, whose wheel has what its tag says."
        return Remedy(summary, commands=add(context, name, f"!={version}", *_FRESH) if version else ())
    has_wheel = _has_wheel(context, name, version, need)
    if need == _TRANSLATED:
        return _without_rosetta(context, name, version, has_wheel)
    if has_wheel is False:
        return Remedy(f"Use a Python for {theirs}: no wheel of {name} {version} is for {need}.")
    taken = f"whose installer takes wheels for {need}{'' if has_wheel else ', if the release has them'}"
    summary = f"Install {name} again with the Python that imports it, {taken}; or use a Python for {theirs}."
    return Remedy(summary, commands=_again(context, name, version))


def _without_rosetta(context: CheckContext, name: str, version: str, has_wheel: bool | None) -> Remedy:
    """Packages for Apple silicon are on such a machine; their Python ran by translation."""
    native = "On Apple silicon, start Python without Rosetta (arch -arm64), or use a Python for arm64"
    if has_wheel is False:
        return Remedy(f"{native}: no wheel of {name} {version} is for {_TRANSLATED}.")
    other = "" if has_wheel else ", if the release has a wheel for it"
    return Remedy(f"{native}; or install {name} again with the Python for {_TRANSLATED}{other}.")


def _again(context: CheckContext, name: str, version: str) -> tuple[Command, ...]:
    if not version or is_managed(context) or (context.environment.conda and name in FAMILY):
        return ()
    return install(context, Plan({name: version}, alone=True), again=True, fresh=True)


_FRESH = ("--force-reinstall", "--no-deps")


def _has_wheel(context: CheckContext, name: str, version: str, machine: str) -> bool | None:
    """Whether the release has a wheel for this Python on a Mac of that architecture; None if it is not known."""
    target = context.target
    if target is None or target.platform.system != "macos":
        return None
    other = replace(target, platform=Platform.parse(f"macos-{machine}"))
    answer = wheels.installs(name, version, "", other)
    return answer if isinstance(answer, bool) else None
