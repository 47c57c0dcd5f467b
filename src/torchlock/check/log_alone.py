"""A log by itself: its environment is not here, so no file of this machine is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.context import CheckContext
from torchlock.check.log_machine import interpreter_of, system_of
from torchlock.inspect.environment import Environment
from torchlock.inspect.interpreter import Interpreter
from torchlock.knowledge.stack import STACK
from torchlock.records import replace
from torchlock.runtime.files import Tree

if TYPE_CHECKING:
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.target import Platform

_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}


def context_of(log: Log, platform: Platform | None = None) -> CheckContext:
    """An environment without any package, on the Python and the machine that the log states.

    ``platform`` is the one that the user states.
    """
    bare = CheckContext(Environment(Interpreter(), (), Tree()), live=False, platform=platform)
    bare.environment = bare.environment._replace(interpreter=interpreter_of(bare, log))
    return bare


def has_stack(context: CheckContext) -> bool:
    """Whether an environment has a package of the stack, so that a log may be about it; NumPy is in many."""
    return any(name in context.pins or context.copy(name) is not None for name in STACK if name != "numpy")


def described(log: Log) -> str:
    """The environment that a log names: ``Python 3.10 on Windows, /srv/env``; "" if it names none."""
    python = f"Python {log.pythons[0]}" if len(set(log.pythons)) == 1 else ""
    system = _SYSTEMS.get(system_of(log.text), "")
    where = " on ".join(filter(None, (python, system)))
    places = dict.fromkeys(prefix for _, prefix in log.prefixes)
    return ", ".join(filter(None, (where, *list(places)[:1])))


def unshown(finding: Finding) -> Finding:
    """What a log means alone, as a note on an environment that does not show it.

    Not everything of an environment is examined. A command of its remedy is for the environment of the log: it
    stands in the words, so that nobody runs it here.
    """
    remedy = finding.remedy
    if remedy is not None:
        command = f" Its command: {remedy.commands[0].line}" if remedy.commands else ""
        remedy = replace(
            remedy, summary=f"In the environment of the log: {remedy.summary}{command}", commands=(), edits=()
        )
    return replace(
        finding,
        severity="note",
        message=f"the log alone shows: {finding.message}; what was examined in this environment does not show it",
        remedy=remedy,
        consequences=(),
    )
