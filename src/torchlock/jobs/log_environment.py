"""The environment that a log names: it is checked if the user named none, else suggested."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.jobs.environment import NoEnvironmentError, context_of, context_of_log
from torchlock.runtime import files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.check import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.jobs.listener import Listener

# What code asks of projects outside the stack: only a log shows it. (TL709 looks at the installed releases.)
_OF_OTHERS = "TL710"


def take_environment_of(log: Log, arguments: argparse.Namespace, console: Listener) -> None:
    """Set ``--path`` to the environment that a log names, if it exists here and the user named no environment.

    With ``--root`` it is looked for below that folder. It is read; its interpreter is not run. The active
    environment stays as it is, because it is examined with its interpreter.
    """
    if arguments.path is not None or arguments.python is not None or arguments.probe or arguments.export:
        return
    from torchlock.check.log_place import site_of

    site = site_of(log, arguments.root or "")
    if site and (arguments.root is not None or not _is_active(site)):
        arguments.path = site
        console.say("note", f"the log names {site}: this environment is checked (choose another one with --path)")


def context_with_log(log: Log, arguments: argparse.Namespace, console: Listener) -> tuple[CheckContext, str]:
    """The context in which a log is judged; and why it is not one of the environment that was examined, else "".

    The log is judged alone if there is no environment; if that one has nothing of the stack and contradicts the
    log, or the log is of another path; or if it is another one that the user did not name.

    Raises:
        TorchlockError: wrong use, or a named environment that is not there.
    """
    from torchlock.check.log_alone import has_stack
    from torchlock.check.log_place import in_another_place

    is_asked = arguments.probe or arguments.export
    is_named = arguments.path is not None or arguments.python is not None
    try:
        context = context_of(arguments, console)
    except NoEnvironmentError as error:
        if is_asked:
            raise
        return _alone(log, arguments, str(error), console), ""
    context = _on_machine_of(log, context, arguments, console)
    strange = why_elsewhere(context, log, arguments)
    is_empty = not has_stack(context)
    why = strange or (in_another_place(log, folders_of(context, arguments)) if is_empty else "")
    if is_asked or not why or (is_named and not is_empty):
        return context, strange
    return _alone(log, arguments, why, console), ""


def _on_machine_of(
    log: Log, context: CheckContext, arguments: argparse.Namespace, console: Listener
) -> CheckContext:
    """The context on the machine that a log shows, if only the libraries of the tree show another one."""
    from torchlock.check.log_architecture import platform_of

    platform = platform_of(context, log) if arguments.platform is None else ""
    if not platform:
        return context
    arguments.platform = platform
    return context_of(arguments, console)


def _alone(log: Log, arguments: argparse.Namespace, why: str, console: Listener) -> CheckContext:
    from torchlock.check.log_alone import described

    named = described(log)
    its = f" ({named})" if named else ""
    console.say("note", f"{why}; so the log is judged alone{its}")
    return context_of_log(log, arguments)


def meant_alone(
    context: CheckContext, log: Log, found: Sequence[Finding], arguments: argparse.Namespace
) -> list[Finding]:
    """What a log means without an environment, if the examined one does not explain it.

    These are notes. A finding about the releases of projects outside the stack, which no rule examines, stays a
    warning if the log names the folder of this environment.

    ``found`` are the findings about the examined environment. What an installer printed is past where the packages
    are installed.

    Raises:
        InputError: a stated platform, GPU or build is unknown.
    """
    from torchlock.check import by_log
    from torchlock.check.fix.remedies import add_remedies
    from torchlock.check.log import plain_path
    from torchlock.check.log_alone import has_stack, unshown
    from torchlock.check.log_order import predicts
    from torchlock.knowledge.registry import group

    if log.first is None or not context.environment.path:
        return []
    if any(each.rule in log.first.rules or predicts(each, log) for each in found):
        return []
    if log.first.rules[0] in group("installers") and has_stack(context):
        return []
    alone = context_of_log(log, arguments)
    meant = [each for each in by_log(alone, log, []) if each.severity != "note"]
    add_remedies(alone, meant)
    here = {plain_path(each) for each in folders_of(context, arguments)}
    is_here = any(plain_path(each) in here for each in log.sites)
    return [each if is_here and each.rule == _OF_OTHERS else unshown(each) for each in meant]


def why_elsewhere(context: CheckContext, log: Log, arguments: argparse.Namespace) -> str:
    """Why a log is not of the environment that is examined, and how to check the other one; "" if it may be."""
    from torchlock.check.log_place import elsewhere
    from torchlock.inspect.environment_choice import root_of

    installed = {name: (context.version(name), context.label(name) or "") for name in context.pins}
    root = "" if arguments.path is None else arguments.root or root_of(arguments.path) or ""
    system = context.target.platform.system if context.target is not None else ""
    strange = elsewhere(
        log,
        folders_of(context, arguments),
        installed,
        moved=not context.live,
        exact=arguments.root is not None,
        root=root,
        system=system,
    )
    return strange + other_command(log, arguments) if strange else ""


def folders_of(context: CheckContext, arguments: argparse.Namespace) -> list[str]:
    """The folders of the import path, as the checked machine names them."""
    from torchlock.inspect.environment_choice import root_of

    folders = [entry.path for entry in context.environment.path if entry.state == "folder"]
    root = None if arguments.path is None else arguments.root or root_of(arguments.path)
    if root is None:
        return folders
    bases = {os.path.abspath(root), os.path.realpath(root)}
    return [
        f"/{os.path.relpath(folder, base)}" if f"{folder}/".startswith(f"{base.rstrip('/')}/") else folder
        for folder in folders
        for base in bases
    ]


def other_command(log: Log, arguments: argparse.Namespace) -> str:
    """How to check the environment that a log names instead of the one that was checked; "" if it is not here."""
    from torchlock.check.log_place import site_of

    site = site_of(log, arguments.root or "")
    if not site or (arguments.path is not None and Path(site).resolve() == Path(arguments.path).resolve()):
        return ""
    words = ["torchlock", "check", "--path", site, *(["--root", arguments.root] if arguments.root else [])]
    return f"; to check that one: {shlex.join([*words, '--log', arguments.log])}"


def _is_active(site: str) -> bool:
    """Whether a folder of packages belongs to the environment that is examined if none is named."""
    from torchlock.inspect.environment_choice import active_environment

    python = active_environment(os.environ).python
    if not python:
        return False
    prefix = Path(python) if files.is_folder(python) else Path(python).absolute().parent.resolve().parent
    return Path(site).resolve().is_relative_to(prefix.resolve())
