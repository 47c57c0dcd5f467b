"""The environment that a log names: it is checked if the user named none, else suggested."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.runtime import files

if TYPE_CHECKING:
    import argparse

    from torchlock.check.log import Log
    from torchlock.cli.streams import Console


def take_environment_of(text: str, arguments: argparse.Namespace, console: Console) -> None:
    """Set ``--path`` to the environment that a log names, if it exists here and the user named no environment.

    With ``--root`` it is looked for below that folder. It is read; its interpreter is not run. The active
    environment stays as it is, because it is examined with its interpreter.
    """
    if arguments.path is not None or arguments.python is not None or arguments.probe or arguments.export:
        return
    from torchlock.check.log import read_log
    from torchlock.check.log_place import site_of

    site = site_of(read_log(text), arguments.root or "")
    if site and (arguments.root is not None or not _is_active(site)):
        arguments.path = site
        console.say("note", f"the log names {site}: this environment is checked (choose another one with --path)")


def other_command(log: Log, arguments: argparse.Namespace) -> str:
    """How to check the environment that a log names in place of the one that was checked; "" if it is not here."""
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
