"""The options of ``torchlock explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_build, add_sources, add_target, add_unproven

if TYPE_CHECKING:
    import argparse

DESCRIPTION = (
    "Why some requirements do or do not go together on one target, or what a rule is about, in numbered sentences "
    "with their sources."
)
EPILOG = """\
examples:
  torchlock explain TL101
  torchlock explain "torch==2.7.1" "torchaudio==2.5.1"
  torchlock explain torchaudio torchcodec --python 3.12 --platform linux-x86_64

exit codes: 0 they go together, 1 they do not, 2 wrong use
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, but for those that every command has."""
    parser.add_argument(
        "requirements",
        nargs="+",
        metavar="REQUIREMENT",
        help='like "torch==2.7.1" torchaudio; or a rule, like TL101',
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_build(parser)
    add_target(parser)
    add_unproven(parser.add_argument)
    add_sources(parser)
