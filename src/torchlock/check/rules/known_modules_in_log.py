"""TL609, TL532: modules that a log shows to be missing, and the project that has each.

It is asked if no finding explains the line. A module that no table (``compat_data/modules.toml``) has may be the
user's own: nothing is said of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.changed_names_in_log import command_for
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.tracebacks import last_caller, missing_names
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.compatibility import newest_beside
from torchlock.knowledge.known_names import dependents
from torchlock.knowledge.other_names import built, known_projects, mistaken, project_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import FAMILY, STACK
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

_NO_MODULE = re.compile(r"No module named ['\"]?(?P<module>[A-Za-z_][\w.]{0,80}\w)")
_LEFT = re.compile(
    r"(?P<user>[\w.-]{2,60}) (?P<version>\d[\w.+]{0,30}) requires (?P<needed>[\w.-]{2,60}(?:\[[\w,-]{1,60}\])?"
    r"(?:[<>=!~]{1,2}[\w.*+!]{1,30},?){1,6}), but you have (?P<have>[\w.-]{2,60} \d[\w.+]{0,30}) which is incompat"
)
_MEMBER = re.compile(r"type object '(?P<owner>\w{1,60})' has no attribute '(?P<member>\w{1,60})'")


@rule("TL609", on="unexplained")
def absent(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The module of a known project that the process of a log did not find."""
    first = log.first
    match = _NO_MODULE.search(first.text) if first is not None and first.weight != ECHO else None
    if first is None or match is None or has_stack(context):
        return
    module, compiled = match["module"], built(match["module"])
    module = module if project_of(module) else _of_namespace(log, first, module)
    project = project_of(module)
    if compiled is not None:
        message = f"the code in the log did not find {module}: {compiled.text}"
        remedy = Remedy(compiled.fix, commands=(Command("shell", compiled.command),))
    elif project and ("." not in module or project_of(module.rpartition(".")[0]) != project):
        message = f"the environment of the log has no module {module}, which the project {project} has"
        words = f"Install {project} with the Python that ran the code."
        remedy = Remedy(words, commands=command_for(context, project))
    else:
        return
    yield context.finding(
        "TL609",
        "warning",
        message,
        because="no folder of the import path has this module",
        expected_error=first.text,
        remedy=remedy,
        sources=compiled.sources if compiled is not None else (),
        strength=Strength.RAN,
    )


def _of_namespace(log: Log, first: Signature, module: str) -> str:
    """The module that the line of code asked for, if the missing one is a folder that several projects share."""
    caller = last_caller(log.text, first.line, module)
    asked = re.search(
        rf"\b(?:from|import) ({re.escape(module)}(?:\.\w{{1,60}}){{1,9}})", caller.code if caller else ""
    )
    return asked[1] if asked else module


@rule("TL609", on="unexplained")
def left_behind(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A package that pip left beside another one that does not accept it, if both are of this field."""
    first = log.first
    match = _LEFT.search(first.text) if first is not None else None
    if first is None or match is None or has_stack(context):
        return
    user, needed = match["user"], match["needed"]
    if (finding := _of_family(context, match)) is not None:
        yield finding
        return
    names = {normalise(user), normalise(re.split(r"[\[<>=!~ ]", needed)[0])}
    known = known_projects() | set(STACK)
    if not (names <= known or normalise(user) in dependents()) or names & FAMILY:
        return
    yield context.finding(
        "TL609",
        "warning",
        f"the installation of the log left {match['have']} beside {user} {match['version']}, which declares "
        f"{needed}",
        because="pip installs the requested packages, and then lists the packages whose requirements are not met",
        expected_error=first.text,
        remedy=Remedy(
            f"Install {needed} again; or a release of {user} that declares the other one; or install the two in "
            "their own environments.",
            commands=(Command("pip", f'python -m pip install "{needed}"'),),
        ),
        strength=Strength.RAN,
    )


def _of_family(context: CheckContext, match: re.Match[str]) -> Finding | None:
    """The same for a companion of torch: the one that belongs to the torch that is there now."""
    user, (name, _, have) = normalise(match["user"]), match["have"].partition(" ")
    if user not in FAMILY or normalise(name) != "torch":
        return None
    release = newest_beside(user, have.partition("+")[0])
    ways = [f"install {user} {release}, which belongs to this torch"] if release else []
    words = "; or ".join([*ways, f"install {match['needed']} again, with its other companions"])
    return context.finding(
        "TL609",
        "warning",
        f"the installation of the log left torch {have} beside {user} {match['version']}, which declares "
        f"{match['needed']}",
        because="pip installs the requested packages, and then lists the packages whose requirements are not met; "
        "a companion loads with the torch that it was built for",
        expected_error=match.string,
        remedy=Remedy(f"{words[0].upper()}{words[1:]}."),
        strength=Strength.RAN,
    )


@rule("TL532", on="unexplained")
def mixed_up(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A project that was installed for another one with a module of the same name."""
    first = log.first
    if first is None:
        return
    rows = [each for each in missing_names(log.text, of_others=True) if each.line >= first.line]
    names = [each.name for each in rows if not each.partly and (not each.file or "-packages" in each.file)]
    if match := _MEMBER.search(first.text):
        names.append(f"{match['owner']}.{match['member']}")
    other = next((row for each in names if (row := mistaken(each))), None)
    wrong = context.installed.get(normalise(other.wrong)) if other is not None else None
    if other is None or (has_stack(context) and wrong is None):
        return
    caller = last_caller(log.text, first.line, "python")
    where = (
        f"{wrong.name} {wrong.version} is installed"
        if wrong is not None
        else f"Python found another module of this name, probably that of {other.wrong}"
    )
    both = wrong is not None and context.installed.get(normalise(other.wanted)) is not None
    gone = f"{other.wrong} {other.wanted}" if both else other.wrong
    yield context.finding(
        "TL532",
        "warning",
        f"{who_calls(context, caller, '')} was written for {other.wanted}, and {where}: {other.text}",
        *([wrong.name] if wrong is not None else []),
        because="both have a module of this name, and only one of them has what the log shows to be missing"
        + ("; the one that was installed last overwrote its files" if both else ""),
        expected_error=first.text,
        remedy=Remedy(
            f"Uninstall {gone.replace(' ', ' and ')}, and install {other.wanted}{' again' if both else ''}.",
            commands=(
                Command("pip", f"python -m pip uninstall -y {gone} && python -m pip install {other.wanted}"),
            ),
        ),
        sources=other.sources,
        strength=Strength.RAN,
    )
