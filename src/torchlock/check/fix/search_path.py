"""Remedies that change where the loader searches: the folders of LD_LIBRARY_PATH."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import unset, word
from torchlock.check.fix.quoting import is_one_line
from torchlock.check.nvidia import copies_of, has_symbol
from torchlock.finding import Command, Remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding


def search_path(context: CheckContext, finding: Finding) -> Remedy:
    """The remedy for a library that the loader takes instead of the right one (TL613)."""
    name = os.path.basename(finding.path)
    copies = [path for path in copies_of(context, name) if all(has_symbol(path, each) for each in finding.lacks)]
    if finding.lacks and copies:
        return put_first(
            context, os.path.dirname(copies[0]), f"Make the loader find the {name} of the package first"
        )
    return taken_out(context, finding.path)


def put_first(context: CheckContext, folder: str | Sequence[str], words: str) -> Remedy:
    """Make the loader search these folders before all others; ``words`` say what for, without a full stop."""
    folders = [folder] if isinstance(folder, str) else list(dict.fromkeys(folder))
    return Remedy(f"{words}: set LD_LIBRARY_PATH before Python starts.", commands=exported(context, folders))


def exported(context: CheckContext, folders: Sequence[str]) -> tuple[Command, ...]:
    """The command that puts folders at the front of LD_LIBRARY_PATH, by their paths on that machine."""
    named = ":".join(os.path.normpath(_as_there(context, each)) for each in folders)
    line = f"export LD_LIBRARY_PATH={word(context, named)}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    return (Command("shell", line),) if is_one_line(line) else ()


def taken_out(context: CheckContext, library: str) -> Remedy:
    """Remove the folder of a library from LD_LIBRARY_PATH; other folders stay."""
    words = "Remove the folder from LD_LIBRARY_PATH."
    folder = os.path.realpath(os.path.dirname(library))
    root = context.root
    named = root.library_path if root is not None else ()
    others = [each for each in named if root is not None and os.path.realpath(root.real(each)) != folder]
    line = unset(context, "LD_LIBRARY_PATH")
    if others and len(others) < len(named):
        line = f"export LD_LIBRARY_PATH={word(context, ':'.join(others))}"
    return Remedy(words, commands=(Command("shell", line),) if is_one_line(line) else ())


def _as_there(context: CheckContext, path: str) -> str:
    """The path on the machine of the environment."""
    root = context.root
    if root is None or not root.holds(os.path.abspath(path)):
        return path
    return "/" + os.path.relpath(os.path.abspath(path), root.folder)
