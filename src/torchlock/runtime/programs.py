"""Find programs by name on the PATH, and never in the current folder."""

from __future__ import annotations

import os
import shutil


def find_program(name: str, path: str | None = None) -> str | None:
    """The path of a program, or None.

    Only absolute folders of ``path`` (default: the PATH) count. An empty or relative entry, and on Windows the
    current folder itself, would find a program in the current folder.
    """
    endings = ("", ".exe", ".bat", ".cmd") if os.name == "nt" else ("",)
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        for ending in endings if os.path.isabs(folder) else ():
            if found := shutil.which(os.path.join(folder, name + ending)):
                return found
    return None
