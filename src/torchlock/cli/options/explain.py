"""The options of ``torchlock explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_base, add_build, add_sources, add_target, add_unproven

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Describe a rule, or say why some requirements work together or conflict on one
target. The answer is a list of numbered sentences with their sources.
"""
EPILOG = """\
examples:
  torchlock explain TL101
  torchlock explain "torch==2.7.1" "torchaudio==2.5.1"
  torchlock explain torchaudio torchcodec --python 3.12 --platform linux-x86_64

exit codes: 0 they work together, 1 they conflict, 2 wrong use
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    parser.add_argument(
        "requirements",
        nargs="+",
        metavar="REQUIREMENT",
        help='requirements, like "torch==2.7.1" torchaudio; or a rule, like TL101',
    )
    parser.add_argument("--json", action="store_true", help="write the answer as JSON")

    add_build(parser)
    add_target(parser)
    add_base(parser)
    add_unproven(parser.add_argument)
    add_sources(parser)
