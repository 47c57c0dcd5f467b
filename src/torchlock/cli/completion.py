"""``torchlock completion``: write the completion script of a shell."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from torchlock.cli.exit_codes import OK
from torchlock.cli.interface import interface
from torchlock.cli.streams import write_whole

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code."""
    shell = import_module(f"torchlock.cli.completions.{arguments.shell}")
    write_whole(shell.script(interface()), console)
    return OK
