"""The options of ``torchlock completion``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.completions import SHELLS

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Write a script that completes commands, options and their values in a shell. The
script contains what this release of torchlock has, and starts no program: write
it again after an update.
"""
EPILOG = """\
examples:
  torchlock completion bash > ~/.local/share/bash-completion/completions/torchlock
  torchlock completion zsh > ~/.zfunc/_torchlock            a folder of fpath
  torchlock completion fish > ~/.config/fish/completions/torchlock.fish
  torchlock completion powershell >> $PROFILE

exit codes: 0 written, 2 wrong use
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    parser.add_argument("shell", choices=SHELLS, help="bash, zsh, fish or powershell")
