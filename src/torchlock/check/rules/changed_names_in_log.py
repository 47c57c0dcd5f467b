"""TL710, TL709, TL606: names, members and arguments of projects outside the stack, by what their releases have.

It is asked if no finding explains the line. The files of the log's environment are not needed: the tables say
which releases have what the log shows to be missing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.fix.commands import add
from torchlock.check.lacking_names import owner_of
from torchlock.check.log_alone import has_stack
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.tracebacks import last_caller, missing_names
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.other_names import (
    lack_of,
    lacks_of_argument,
    lacks_of_member,
    never_in,
    project_of,
    sharing,
)
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.check.tracebacks import Frame, MissingName
    from torchlock.finding import Finding
    from torchlock.knowledge.other_names import Lack

_MEMBER = re.compile(
    r"(?:type object )?'(?P<owner>[A-Za-z_]\w{0,80})'(?: object)? has no attribute '(?P<member>\w{1,80})'"
)
_ARGUMENT = re.compile(
    r"(?P<function>(?:\w{1,80}\.)?\w{1,80})\(\) got an unexpected keyword argument '(?P<argument>\w{1,80})'"
)
# What Python names as the file of a folder without __init__.py.
_NO_CODE = "unknown location"
_TABLES = "the tables of its releases show it; the files of the log's environment were not read"


@rule("TL710", "TL606", on="unexplained")
def name(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The name of another project's module that the first failure of a log shows to be missing."""
    first = log.first
    missing = first_missing(log, first) if first is not None and "TL710" in first.rules else None
    if first is None or missing is None or missing.partly or missing.asker or missing.file == _NO_CODE:
        return
    lack = lack_of(missing.name)
    if lack is None or not _holds(context, lack) or _has_gone_with_module(lack, missing):
        return
    if not lack.added and not lack.removed:
        if not missing.by_import:
            yield _other_module(context, missing, lack)
        return
    yield _finding(context, "TL710", lack, missing.caller, first.text, f"uses {missing.name}")


def _has_gone_with_module(lack: Lack, missing: MissingName) -> bool:
    """Whether all that is known is the end of the module of a name, and Python found that module."""
    module = missing.name.rpartition(".")[0]
    if lack.part == module:
        return True
    above = lack_of(module) if missing.file and lack.removed and not lack.gap else None
    return above is not None and above.removed == lack.removed


@rule("TL710", on="unexplained")
def nowhere(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name that no known release of a project has: of an earlier one, or of a changed copy."""
    first = log.first
    missing = first_missing(log, first) if first is not None and "TL710" in first.rules else None
    if first is None or missing is None or missing.partly or missing.asker or missing.file == _NO_CODE:
        return
    project, oldest, newest = never_in(missing.name)
    if not project or has_stack(context):
        return
    owner = owner_of(context, missing.caller)
    yield context.finding(
        "TL710",
        "warning",
        f"{who_calls(context, missing.caller, owner)} uses {missing.name}, which no release of {project} from "
        f"{oldest} to {newest} has",
        because=_TABLES,
        expected_error=first.text,
        remedy=Remedy(
            f"Look for which {project} this code was written: a release before {oldest}, or a changed copy that "
            "its own repository contains or names; install that one, or a later release of the code."
        ),
        sources=("other-names-in-wheels",),
        strength=Strength.RAN,
    )


@rule("TL710", on="unexplained")
def member(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A member of a class that later or earlier releases of one project do not have."""
    first = log.first
    match = _MEMBER.search(first.text) if first is not None and "TL710" in first.rules else None
    if first is None or match is None:
        return
    lacks = [each for each in lacks_of_member(match["owner"], match["member"]) if _holds(context, each)]
    lacks = [each for each in lacks if _is_mentioned(each, match["owner"], log.text)]
    if len(lacks) == 1:
        caller = last_caller(log.text, first.line, lacks[0].project.replace("-", "_"))
        yield _finding(context, "TL710", lacks[0], caller, first.text, f"uses {lacks[0].name}")


def _is_mentioned(lack: Lack, owner: str, text: str) -> bool:
    """Whether a log names the package of a class, if the table has it: others may have a class of this name."""
    module = lack.name.partition(".")[0]
    return module == owner or module in text


@rule("TL709", on="unexplained")
def argument(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """An argument that later or earlier releases of one project do not know."""
    first = log.first
    match = _ARGUMENT.search(first.text) if first is not None and "TL709" in first.rules else None
    if first is None or match is None:
        return
    caller = last_caller(log.text, first.line, "python")
    code = caller.code if caller is not None else ""
    lacks = [
        each for each in lacks_of_argument(match["function"], match["argument"], code) if _holds(context, each)
    ]
    if len({(each.project, each.specifier) for each in lacks}) == 1:
        what = f"passes {match['argument']} to {lacks[0].name.partition('(')[0].removesuffix('.__init__')}"
        yield _finding(context, "TL709", lacks[0], caller, first.text, what)


def first_missing(log: Log, first: Signature) -> MissingName | None:
    """The missing name of the first failure; of lines that sum it up, the one whose traceback is known."""
    rows = [each for each in missing_names(log.text, of_others=True) if each.line >= first.line]
    return next((each for each in rows if each.text and each.name.rpartition(".")[2] in first.text), None)


def _holds(context: CheckContext, lack: Lack) -> bool:
    """Whether the installed release lacks it; without an environment, whether some release does."""
    version = context.version(lack.project)
    if version:
        return bool(lack.specifier) and not lack.is_there(Version(version))
    return not has_stack(context)


def _finding(
    context: CheckContext, rule_id: str, lack: Lack, caller: Frame | None, line: str, what: str
) -> Finding:
    owner, version = owner_of(context, caller), context.version(lack.project)
    installed = [lack.project] if version else []
    here = f", and {lack.project} {version} is installed" if version else ""
    others = [owner] if owner and owner not in STACK and owner != lack.project else []
    return context.finding(
        rule_id,
        "warning",
        f"{who_calls(context, caller, owner)} {what}, {_when(lack)}{here}",
        *others,
        *installed,
        because=f"the line is: {caller.code}" if caller is not None and caller.code else _TABLES,
        expected_error=line,
        remedy=_remedy(context, lack, owner),
        sources=lack.sources,
        strength=Strength.RAN,
        lacks=(lack.name,),
    )


def _when(lack: Lack) -> str:
    if lack.part and lack.removed:
        return f"a part of {lack.part}, which {lack.project} {lack.removed} removed"
    if lack.gap:
        later = f", and {lack.removed} removed for good" if lack.removed else ""
        return f"which {lack.project} {lack.gap[0]} removed, {lack.gap[1]} has again{later}"
    if lack.added and lack.removed:
        return f"which {lack.project} {lack.added} added and {lack.removed} removed"
    return (
        f"which {lack.project} {lack.removed} removed"
        if lack.removed
        else (f"which is new in {lack.project} {lack.added}")
    )


def _remedy(context: CheckContext, lack: Lack, owner: str) -> Remedy:
    where = "" if context.version(lack.project) else " in the environment of the log"
    other = f"; or a later release of {owner or 'the code that uses it'}" if lack.removed else ""
    change = f"; or change that line: {lack.instead}" if lack.instead else ""
    summary = f"Install {lack.project}{lack.specifier}{where}{other}{change}."
    return Remedy(summary, commands=command_for(context, lack.project, lack.specifier))


def command_for(context: CheckContext, project: str, specifier: str = "") -> tuple[Command, ...]:
    """The command that installs a project: in the environment here, or in that of a log."""
    if has_stack(context):
        return add(context, project, specifier)
    line = f'"{project}{specifier}"' if specifier else project
    return (Command("pip", f"python -m pip install {line}"),)


def _other_module(context: CheckContext, missing: MissingName, lack: Lack) -> Finding:
    """A name that all releases have: Python imported something else under that of the module."""
    module = missing.name.partition(".")[0]
    return context.finding(
        "TL606",
        "warning",
        f"Python found no {missing.name}, which all known releases of {lack.project} have: it imported something "
        f"else as {module}",
        because=f"a file or a folder of the name {module} was found first, or the installation is incomplete",
        expected_error=missing.text,
        remedy=Remedy(
            f"Look where it is: print({module}.__file__, {module}.__path__). Rename a file or folder of your own "
            f"that has this name; if it is in site-packages, install {lack.project} again with --force-reinstall."
        ),
        sources=("python-import-system",),
        strength=Strength.RAN,
    )


@rule("TL606", on="unexplained")
def hidden(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A known module instead of which Python imported a folder without code, or a file of the user."""
    first = log.first
    missing = first_missing(log, first) if first is not None else None
    if first is None or missing is None or has_stack(context):
        return
    module = missing.name.partition(".")[0]
    project = project_of(missing.package)
    is_own = f"{module}/" in "".join(log.frames[-1:])  # Its own files ask for it.
    if not project or is_own or (missing.file and "-packages" in missing.file):
        return
    if missing.file == _NO_CODE:
        said = f"Python found a folder {module} without code, instead of the package {module}"
        look = (
            f"Start Python in another folder, or remove the folder {module} that is empty or is another checkout."
            f" If it is in site-packages, {_again(module, project)}."
        )
    elif missing.partly:
        said = f"a file of the user, {missing.file or f'{module}.py'}, is imported instead of the package {module}"
        look = f"Rename the file {module}.py beside the program, and delete __pycache__ there."
    else:
        return
    yield context.finding(
        "TL606", "warning", said, expected_error=first.text, remedy=Remedy(look), strength=Strength.RAN
    )


def _again(module: str, project: str) -> str:
    """How a package gets its files back; where several projects have the module, one may have removed them."""
    several, _ = sharing(module)
    if several and "opencv-python" not in several:
        return (
            f"uninstall {' and '.join(several)}, which both have it, and install the one that the program requires"
        )
    return f"install {project} again with --force-reinstall"
