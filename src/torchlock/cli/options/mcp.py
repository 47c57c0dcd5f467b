"""The options of ``torchlock mcp``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
An MCP server: an assistant starts it and calls audit, check, explain and lock as
tools. It speaks the Model Context Protocol on standard input and output. Nothing is
written, installed or probed; lock and explain may ask package indexes. It needs
torchlock[mcp].
"""
EPILOG = """\
examples:
  torchlock mcp                         the command to name in the settings of the assistant
  torchlock mcp --offline               no tool uses the network

exit codes: 0 the assistant ended it, 2 wrong use
"""
NAMED_ONLY = frozenset({"offline"})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    parser.add_argument("--offline", action="store_true", help="use bundled and cached data alone")
