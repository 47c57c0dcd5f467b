"""TL620: a module that several projects have, as a log shows: its files are of two of them, or of two releases.

Each of these projects installs the same files, and installers do not compare projects with other names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_signatures import ECHO
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.other_names import project_of, sharing
from torchlock.knowledge.registry import rule
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# What mixed files of a module lead to; a library of the system that is missing is another failure.
_MIXED = re.compile(r"has no attribute|cannot import name|multiarray failed to import|partially initialized")


# A project with its version, as pip and conda list it, or as pip says what it installed.
_LISTED = re.compile(r"(?<![\w.-])([a-z][\w-]{2,60}?)(?:==|[ \t]{1,60}|-)(\d[\w.]{0,30})(?=\s|$)")
_REMOVED = re.compile(r"ninstalling|uninstalled|existing installation")
_LONGEST = 4000


@rule("TL620", on="log")
def of_several(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The module that failed, if several of its projects are installed, or if it lacks a name of its own."""
    first = log.first
    if first is None or first.weight == ECHO or not _MIXED.search(first.text):
        return
    module = _failed(log)
    projects, sources = sharing(module)
    if any(context.installed.get(name) is not None for name in projects):
        return  # Their files here say more: see records_in_log.
    there = _listed(log, projects)
    lacking = _own_lack(log, module)
    is_own = f"{module}/" in "".join(log.frames[-1:])
    if not projects or (not lacking and (len(there) < 2 or not (is_own or len(set(there.values())) > 1))):
        return
    if len(there) > 1:
        listed = " and ".join(f"{name} {version}".strip() for name, version in there.items())
        message = f"{listed} each install the module {module}, and the files of both are in its folder"
    else:
        message = f"files of two packages, or of two releases, of {project_of(module)} are mixed: {lacking}"
    yield context.finding(
        "TL620",
        "warning",
        message,
        *there,
        because="the later one overwrites files of the other, and leaves those that only the other has",
        expected_error=first.text,
        remedy=_remedy(projects, module),
        sources=sources,
        strength=Strength.RAN,
    )


def _failed(log: Log) -> str:
    """The top module of the last file of the traceback; else the one that the line names."""
    if log.frames:
        return log.frames[-1].partition("/")[0].removesuffix(".py")
    first = log.first
    named = re.search(r"module '(\w{1,60})'", first.text) if first is not None else None
    return named[1] if named else ""


def _own_lack(log: Log, module: str) -> str:
    """What a file of the module needs of the module itself, and does not find; "" if nothing shows that."""
    names = [each for each in missing_names(log.text, of_others=True) if each.package == module]
    own = next((each for each in names if each.partly and f"{module}/" in "".join(log.frames[-1:])), None)
    if own is None:
        return ""
    return f"{log.frames[-1]} needs {own.name.rpartition('.')[2]}, which the module lacks"


def _listed(log: Log, projects: Sequence[str]) -> dict[str, str]:
    """Those of the projects that the log lists as installed, with their versions."""
    listed: dict[str, str] = {}
    for line in log.text.split("\n"):
        if not _REMOVED.search(line):
            listed.update((normalise(match[1]), match[2]) for match in _LISTED.finditer(line[:_LONGEST]))
    return {name: listed[name] for name in projects if name in listed}


def _remedy(projects: Sequence[str], module: str) -> Remedy:
    one = project_of(module)
    headless = f", or {one}-headless on a machine without a desktop" if f"{one}-headless" in projects else ""
    return Remedy(
        f"Uninstall all of these projects, and install the one that you need: {one}{headless}.",
        commands=(
            Command("pip", f"python -m pip uninstall -y {' '.join(projects)} && python -m pip install {one}"),
        ),
    )
