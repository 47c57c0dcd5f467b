"""The remedy for a package in a folder that Python searches first: leave the folder, or rename what is in it."""

from __future__ import annotations

import ntpath
import re
from typing import TYPE_CHECKING

from torchlock.finding import Command, Remedy
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext

# The folder of python.exe as its installers and archives name it: Python38, Python38-32, python_embeded.
_OF_PROGRAM = pattern(r"python(?:3\d{1,2}(?:-32)?|_embed\w{0,8}|-3[\w.]{1,12}-embed-\w{1,8})", re.IGNORECASE)
# What can stand in a command without being expanded.
_PLAIN = pattern(r"[\w\\:. ()+~-]{1,300}")


def left_folder(context: CheckContext, folder: str, name: str, scripts: Sequence[str] = ()) -> Remedy:
    """Start Python elsewhere; if it searches ``folder`` wherever it starts, another name for the package in it.

    ``scripts`` are files that ran: Python searches the folder of the first one.
    """
    if _is_of_program(context, folder):
        path, other = ntpath.join(folder, name), ntpath.join(folder, f"my_{name}")
        is_plain = _PLAIN.fullmatch(path) is not None
        return Remedy(
            f"Delete the folder {path}, or give it another name than {name}: Windows searches the folder of "
            "python.exe wherever Python starts.",
            commands=(Command("shell", f'move "{path}" "{other}"'),) if is_plain else (),
        )
    script = next((each for each in scripts if ntpath.dirname(each) == folder), "")
    if script:
        return Remedy(
            f"Move the script {script} to another folder: Python searches the folder of the script first."
        )
    return Remedy(f"Start Python outside of the folder {folder}.", commands=(Command("shell", "cd .."),))


def _is_of_program(context: CheckContext, folder: str) -> bool:
    """Whether a folder of Windows contains the python.exe: by its name, or it is that of this environment."""
    drive, rest = ntpath.splitdrive(folder)
    if not drive and context.operating_system != "windows":
        return False
    if _OF_PROGRAM.fullmatch(ntpath.basename(folder)):
        return True
    python = context.environment.interpreter
    inner = _spelled(rest)
    known = [_spelled(each) for each in (python.base_prefix or python.prefix,) if each and not python.virtual]
    return bool(inner.strip("/")) and any(each.endswith(inner) for each in known)


def _spelled(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").lower()
