"""TL405: a package uses what a later Python no longer has, or refuses, as a log shows."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.lacking_names import owner_of
from torchlock.check.log_signatures import ECHO
from torchlock.check.removed_modules import bring_back, is_there, message, number
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.tracebacks import Frame, last_caller
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.python_changes import backport, refused, removed, removed_names
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.knowledge.python_changes import Change

_NO_MODULE = re.compile(r"No module named ['\"]?(?P<module>[A-Za-z]\w{0,40}(?:\.\w{1,40}){0,3})")
_NO_NAME = re.compile(
    r"module ['\"]?(?P<module>[a-z]\w{0,40})['\"]? has no attribute ['\"]?(?P<name>\w{1,60})"
    r"|cannot import name ['\"]?(?P<imported>\w{1,60})['\"]? from ['\"]?(?P<of>[a-z][\w.]{0,40})"
)
_IMPORTS = re.compile(r"^[ \t]{0,16}(?:import|from) ([a-z]\w{0,30})\b", re.MULTILINE)
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\](.{1,300})$")
_OF_PYTHON = re.compile(r"[/\\](?:python3\.\d{1,2}|Lib)[/\\](?!(?:site|dist)-packages)", re.IGNORECASE)
# The import of pydub asks for this one if Python has no audioop.
_OTHER_NAMES = {"pyaudioop": "audioop"}
_LARGEST = 1 << 20


@rule("TL405", on="log")
def changed_in_python(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first failure of a log, if this Python is one of those without what was used."""
    first = log.first
    if first is None or first.weight == ECHO or "TL405" not in first.rules:
        return
    change, version = _change(first.text), context.environment.interpreter.version
    if change is None or number(version) < number(change.release) or is_there(context, change.what):
        return
    caller = _caller(log, first.line)
    owner = owner_of(context, caller)
    known = (each for each in found if each.lacks == (change.what,) and owner in dict(each.packages))
    if (same := next(known, None)) is not None:  # the files show it, too
        same.strength, same.expected_error = Strength.RAN, first.text
        return
    is_removed = removed(change.what) is not None
    yield context.finding(
        "TL405",
        "warning",
        message(who_calls(context, caller, owner), change, ".".join(version.split(".")[:2])),
        *([owner] if owner and owner not in STACK else []),
        because=f"the line is: {caller.code}" if caller is not None and caller.code else None,
        expected_error=first.text,
        sources=change.sources,
        remedy=_remedy(context, change, owner, caller),
        strength=Strength.RAN,
        lacks=(change.what,) if is_removed else (),
    )


def _caller(log: Log, line: int) -> Frame | None:
    """The line of code that led to an error; instead of a module of Python, the last installed file, if any."""
    caller = last_caller(log.text, line, "python")
    if caller is None or not _OF_PYTHON.search(caller.path):
        return caller
    return Frame(f"/site-packages/{log.frames[-1]}") if log.frames else None


def _change(line: str) -> Change | None:
    if (match := _NO_MODULE.search(line)) is not None:
        name = _OTHER_NAMES.get(match["module"], match["module"])
        return removed(name) or removed(name.partition(".")[0])
    if (match := _NO_NAME.search(line)) is not None:
        return removed(f"{match['module'] or match['of']}.{match['name'] or match['imported']}")
    return refused(line)


def _remedy(context: CheckContext, change: Change, owner: str, caller: Frame | None) -> Remedy:
    """The projects that bring back the modules which the file imports; else an earlier Python, in words."""
    modules = [change.what, *_imported(context, caller)] if backport(change.what) else []
    return bring_back(context, change, owner, modules)


def _imported(context: CheckContext, caller: Frame | None) -> list[str]:
    """The other modules without which the same file fails, by its text in this environment."""
    match = _INSTALLED.search(caller.path) if caller is not None else None
    inner = match[1].replace("\\", "/").split("/") if match is not None else [".."]
    paths = [os.path.join(entry.path, *inner) for entry in context.environment.sites if ".." not in inner]
    text = next((text for path in paths if (text := files.text(path, _LARGEST)) is not None), "")
    version = context.environment.interpreter.version
    lost = {
        each for each in removed_names() if (found := removed(each)) and number(found.release) <= number(version)
    }
    return [each for each in _IMPORTS.findall(text) if each in lost and not is_there(context, each)]
