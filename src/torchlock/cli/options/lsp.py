"""The options of ``torchlock lsp``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
A language server: an editor starts it and shows what torchlock audit finds, while
the file is written. Quick fixes are those of audit --fix. It speaks the Language
Server Protocol on standard input and output. It needs torchlock[lsp] (pygls).
"""
EPILOG = """\
examples:
  torchlock lsp                         the command to name in the settings of the editor

exit codes: 0 the editor ended it, 2 wrong use
"""
NAMED_ONLY: frozenset[str] = frozenset()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the settings are those of torchlock.toml and pyproject.toml beside each file."""
