"""The options of ``torchlock config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Say where each setting comes from, and describe the configuration file.

  show     the value of each option, and the file and line, the variable or the
           default that it comes from (the default)
  schema   the JSON schema of the configuration file, for editors

A setting comes from the command line, else from a TORCHLOCK_* variable, else
from the file of the project, else from the file of the user. The file of the
project is the nearest one in the current folder or above it: torchlock.toml, or
pyproject.toml with a table [tool.torchlock]. In one folder, torchlock.toml wins.
"""
EPILOG = """\
examples:
  torchlock config show
  torchlock config show lock
  torchlock config show audit packages/a/requirements.txt     audit takes settings from the folder of each file
  torchlock config schema > torchlock.schema.json

exit codes: 0 done, 2 wrong use, or a configuration file that cannot be used
"""
NAMED_ONLY = frozenset({"json", "user"})
ACTIONS = ("show", "schema")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    add = parser.add_argument
    add("action", nargs="?", choices=ACTIONS, default="show", help="what to do (default: show)")
    add("of", nargs="?", metavar="COMMAND", help="with show: the settings of this command (default: of all)")
    add("file", nargs="?", metavar="FILE", help="with show audit: the settings of this file")
    add("--json", action="store_true", help="with show: write JSON")
    add(
        "--user",
        action="store_true",
        help="with schema: the schema of the user's own file, which may set more than that of a project",
    )
