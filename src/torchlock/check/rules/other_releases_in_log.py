"""TL710 and TL709: code that was built for another release of a project outside the stack; no table shows which.

It is asked if nothing else explains the line. The traceback names both: the package that lacks something, by its
file or the name of its class, and the code that asked for it.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.changed_names_in_log import command_for, first_missing
from torchlock.check.rules.meanings_in_log import meant
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.tracebacks import last_caller
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.other_names import lack_of, mistaken, module_of_class, project_of, span_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import Frame, MissingName
    from torchlock.finding import Finding

_CALL = re.compile(
    r"\b(?P<owner>[A-Z]\w{1,80})\.(?P<function>_?[A-Za-z]\w{1,80})\(\) "
    r"(?:takes (?:from )?\d{1,2} |missing \d{1,2} required |got an unexpected keyword argument )"
)
_NO_PART = re.compile(r"No module named ['\"](?P<module>[A-Za-z_]\w{0,60}(?:\.\w{1,60}){1,9})['\"]")
_TOP = re.compile(r"[/\\](?:site|dist)-packages[/\\](\w{1,80})[/\\.]")

# A package with its release, as lists of pip and programs show it.
_SHOWN = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]{1,60})(?:==| {1,20}|: )(\d{1,4}(?:\.\d{1,4}){1,2})(?=\s|$)")
_MOST = 200_000


@rule("TL710", on="unexplained")
def other_name(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name that an installed file of a known project lacks, and that other code imports from it."""
    first = log.first
    missing = first_missing(log, first) if first is not None and "TL710" in first.rules else None
    if first is None or missing is None or has_stack(context):
        return
    project = (project_of(missing.name) or _unlisted(missing)) if _is_of(missing) else _provider(missing)
    is_told = lack_of(missing.name) is not None or mistaken(missing.name) is not None
    if not project or not _is_between_packages(missing) or is_told:
        return
    if _is_explained(context, log, found):
        return
    verb = "imports" if missing.by_import else "uses"
    what = f"{verb} {missing.name}, which the {_named(log, project)} in the log does not have"
    yield _finding(context, "TL710", missing.caller, project, what, first.text)


@rule("TL710", on="unexplained")
def lost_attribute(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """An attribute that a module of a known project does not have; another file may have its name."""
    first = log.first
    missing = first_missing(log, first) if first is not None and "TL710" in first.rules else None
    if first is None or missing is None or missing.by_import or missing.partly or missing.asker:
        return
    project = project_of(missing.name)
    if missing.caller is not None and not missing.caller.is_installed:
        return  # What a user writes may be a slip.
    is_told = lack_of(missing.name) is not None or mistaken(missing.name) is not None or missing.file
    if not project or is_told or has_stack(context) or _is_explained(context, log, found):
        return
    module = missing.name.partition(".")[0]
    yield context.finding(
        "TL710",
        "warning",
        f"{who_calls(context, missing.caller, '')} uses {missing.name}, which the module {module} in the log does "
        f"not have: the code was written for another release of {_named(log, project)}, or Python found another "
        f"file as {module}",
        because="the log shows it; which releases have this name is not known",
        expected_error=first.text,
        remedy=Remedy(
            f'Run python -c "import {module}; print({module}.__file__)" in the folder of the program. If that is '
            f"not the file of {project}, rename it. Otherwise compare python -m pip show {project} with the "
            "release in the requirements of the code, and install that one; or change that line."
        ),
        sources=(),
        strength=Strength.RAN,
    )


@rule("TL710", on="unexplained")
def earlier(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name that all known releases of a project have, and that its installed file lacks: an earlier release."""
    first = log.first
    missing = first_missing(log, first) if first is not None and "TL710" in first.rules else None
    if first is None or missing is None or missing.partly or missing.asker or not missing.by_import:
        return
    lack, (oldest, newest) = lack_of(missing.name), span_of(project_of(missing.name))
    is_told = lack is None or lack.added or lack.removed or not oldest
    if lack is None or is_told or has_stack(context) or "-packages" not in missing.file or not _is_of(missing):
        return
    project = lack.project
    yield context.finding(
        "TL710",
        "warning",
        f"{who_calls(context, missing.caller, '')} imports {missing.name}, which all known releases of {project} "
        f"have, from {oldest} to {newest}: that in the log is older than {oldest}, or its files are not whole",
        because="the tables of its releases show it; the files of the log's environment were not read",
        expected_error=first.text,
        remedy=Remedy(
            f"Install {project}>={oldest} in the environment of the log; if it is that one already, install it "
            "again with --force-reinstall --no-deps.",
            commands=command_for(context, project, f">={oldest}"),
        ),
        sources=lack.sources,
        strength=Strength.RAN,
    )


@rule("TL710", on="unexplained")
def lost_module(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A part of a known project that Python did not find, though it found the package; no table has its parts."""
    first = log.first
    match = _NO_PART.search(first.text) if first is not None and first.weight != ECHO else None
    project = project_of(match["module"]) if match is not None else ""
    if first is None or match is None or not project or project in STACK or has_stack(context):
        return
    caller, module = last_caller(log.text, first.line, match["module"]), match["module"].partition(".")[0]
    if (caller is not None and not caller.is_installed) or span_of(project)[0] or project_of(module) != project:
        return  # What a user writes may be a slip.
    if lack_of(match["module"]) is not None or _is_explained(context, log, found):
        return
    yield context.finding(
        "TL710",
        "warning",
        f"{who_calls(context, caller, '')} imports {match['module']}; Python found the package {module}, and not "
        f"this part of it: {project} is of another release than the code was written for, or not whole",
        because="the log shows it; which releases have this part is not known",
        expected_error=first.text,
        remedy=Remedy(
            f"Run python -m pip check: does a package require another {project}? Install that one. Otherwise "
            f"install {project} again with --force-reinstall --no-deps, in the release that is installed."
        ),
        sources=(),
        strength=Strength.RAN,
    )


def _is_between_packages(missing: MissingName) -> bool:
    """Whether an installed file lacks a name: by the error, or because another installed package asks."""
    if missing.partly or missing.asker or "No module named" in missing.text:
        return False
    if missing.file or missing.caller is None:
        return missing.by_import and (
            "-packages" in missing.file or (not missing.file and bool(project_of(missing.name)))
        )
    return missing.caller.is_installed


def _is_of(missing: MissingName) -> bool:
    """Whether the file that lacks a name is in the folder of its package: another project may have its modules."""
    top = _TOP.search(missing.file)
    return top is None or top[1] == missing.package


def _unlisted(missing: MissingName) -> str:
    """The package that lacks a name, if no table has it, and if it is surely not a file of the user; else "".

    Its file is installed, or one of its modules was found. The code of another installed package asks.
    """
    top = _TOP.search(missing.caller.path) if missing.caller is not None else None
    is_found = "-packages" in missing.file or (not missing.by_import and missing.name.count(".") > 1)
    is_of_python = missing.package in sys.stdlib_module_names
    is_other = missing.caller is None or (top is not None and top[1] != missing.package)
    return normalise(missing.package) if is_other and is_found and not is_of_python else ""


def _provider(missing: MissingName) -> str:
    """The project in whose folder the file is: numba-cuda has its own ``numba.cuda``, in the folder numba_cuda."""
    top = _TOP.search(missing.file)
    return normalise(top[1]) if top is not None else ""


@rule("TL709", on="unexplained")
def other_call(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A call of a method of a known project with arguments that this one does not take.

    The code is that of another package, or it uses an internal method: what a user writes may be a slip.
    """
    first = log.first
    match = _CALL.search(first.text) if first is not None and "TL709" in first.rules else None
    if first is None or match is None or has_stack(context):
        return
    module = module_of_class(match["owner"])
    caller = _caller(log, match[0], module) if module else None
    if caller is None or f"-packages/{module}/" not in log.text.replace("\\", "/"):
        return
    if not caller.is_installed and not match["function"].startswith("_"):
        return
    if _is_explained(context, log, found):
        return
    project = project_of(module)
    call = f"{match['owner']}.{match['function']}"
    what = f"calls {call} with other arguments than the {_named(log, project)} in the log takes"
    yield _finding(context, "TL709", caller, project, what, first.text)


def _is_explained(context: CheckContext, log: Log, found: Sequence[Finding]) -> bool:
    """Whether something else explains the first failure, or its meaning is known."""
    is_said = any(log.first and each.expected_error == log.first.text for each in found)
    return is_said or next(iter(meant(context, log, found)), None) is not None


def _caller(log: Log, error: str, module: str) -> Frame | None:
    """The line of code that led to an error: that of the traceback which ends with it."""
    numbers = [number for number, line in enumerate(log.text.split("\n"), 1) if error in line]
    return next(filter(None, (last_caller(log.text, each, module) for each in numbers)), None)


def _named(log: Log, project: str) -> str:
    """A project with the release that a log shows as installed, if it shows one."""
    rows = _SHOWN.findall(log.text[-_MOST:])
    versions = {version for name, version in rows if normalise(name) == project}
    return f"{project} {versions.pop()}" if len(versions) == 1 else project


def _finding(
    context: CheckContext, rule_id: str, caller: Frame | None, project: str, what: str, line: str
) -> Finding:
    """A finding about the code that asks; without ``caller``, the log does not show which code that is."""
    top = _TOP.search(caller.path) if caller is not None else None
    who = top[1] if top is not None else who_calls(context, caller, "")
    code = "this code" if top is None else who
    return context.finding(
        rule_id,
        "warning",
        f"{who} {what}: it was written for another release of {project}",
        because=f"the line is: {caller.code}" if caller is not None and caller.code else "the log shows it",
        expected_error=line,
        remedy=Remedy(
            f"Install the release of {project} that {code} was written for: look in its requirements, and whether "
            f"python -m pip check names {project}. Or install a later release of {code}, one that was made for "
            f"this {project}."
        ),
        sources=(),
        strength=Strength.RAN,
    )
