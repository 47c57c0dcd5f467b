"""The options of ``torchlock upgrade``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options import lock

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Move an input and its lock to other releases together. Of the lines of the input,
those change that exclude the release, and the pins of torchaudio, torchvision
and torchcodec that must follow it. A pin stays a pin, a bound stays a bound. What
the new releases mean for builds, NVIDIA drivers, GPUs and Pythons is said.
All files are written, or none.

The options are those of torchlock lock. Options that are not given, for the
target and for what is locked, are those in the first lines of the lock.
"""
NAMED_ONLY = lock.NAMED_ONLY
EPILOG = """\
examples:
  torchlock upgrade torch==2.9.1 -r requirements.in                    with the lock in requirements.txt
  torchlock upgrade torch -r requirements.in -o requirements.txt       to the newest release that works
  torchlock upgrade torch==2.9.1 -r pyproject.toml -o pylock.toml --diff     show it, write nothing
  torchlock upgrade "torch>=2.9" librosa -r requirements.in            several at once

exit codes: 0 upgraded, 1 no solution (or --check found a difference), 2 input that cannot be used
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    lock.add_options(
        parser, "what to move to which release: torch (the newest that works), torch==2.9.1, torch>=2.9"
    )
