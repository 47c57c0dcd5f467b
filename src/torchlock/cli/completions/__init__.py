"""Completion scripts: one module for each shell, each a function from the commands to the text of a script.

The scripts contain the options and values of this release of torchlock, and start no program.
"""

from __future__ import annotations

SHELLS = ("bash", "zsh", "fish", "powershell")
