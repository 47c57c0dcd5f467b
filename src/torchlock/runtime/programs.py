"""Programs by their names, as a shell of POSIX finds them: on the PATH, and never in the current folder."""

from __future__ import annotations

import os
import shutil


def program(name: str, path: str | None = None) -> str | None:
    """Where a program of this name is, None where it is nowhere.

    Only absolute folders of ``path`` (default: the PATH) count. An empty or relative entry, and on Windows the
    current folder itself, would take a program out of the folder that one happens to stand in.
    """
    endings = ("", ".exe", ".bat", ".cmd") if os.name == "nt" else ("",)
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        for ending in endings if os.path.isabs(folder) else ():
            if found := shutil.which(os.path.join(folder, name + ending)):
                return found
    return None
