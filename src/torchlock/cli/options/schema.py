"""The options of ``torchlock schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.report.schemas import OUTPUTS

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Write the JSON schema of what a command prints with --json (draft 2020-12).
torchlock config schema writes the schema of the configuration file.
"""
EPILOG = """\
examples:
  torchlock schema audit
  torchlock schema lock > torchlock-lock.schema.json

exit codes: 0 written, 2 wrong use
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    parser.add_argument(
        "of", choices=OUTPUTS, metavar="COMMAND", help=f"{', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}"
    )
