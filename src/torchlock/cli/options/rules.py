"""The options of ``torchlock rules``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
List the rules: identifier, worst severity, the commands that report it, and title.
With the name of a rule, describe it, as torchlock explain does.
"""
EPILOG = """\
examples:
  torchlock rules
  torchlock rules TL101
  torchlock rules --json

exit codes: 0 done, 2 no such rule
"""
# What is listed depends on the command line alone.
NAMED_ONLY = frozenset({"json"})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    parser.add_argument("rules", nargs="*", metavar="RULE", help="describe these rules (default: list all)")
    parser.add_argument("--json", action="store_true", help="write JSON")
