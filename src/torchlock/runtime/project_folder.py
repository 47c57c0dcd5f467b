"""Find the project of a file. Included files outside of it are read, but never quoted."""

from __future__ import annotations

import os

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Of such a file, the first line is reported for each rule.
NOT_QUOTED = (
    "this line, and perhaps later ones, was not read or not judged; "
    "it is not quoted, because its file is outside of the project"
)
_REPOSITORY = (".git", ".hg", ".svn")
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")


def is_outside(path: str, named: str) -> bool:
    """Whether a file, links followed, is outside of the project of the file that the user named.

    A file that the user named is inside, unless it is a link to a file outside: a clone may contain such a link.
    """
    if path == "-" or (path == named and not os.path.islink(path)):
        return False
    from pathlib import Path

    try:
        return not Path(path).resolve().is_relative_to(root_of(named))
    except (OSError, ValueError, RuntimeError):
        return True


def root_of(path: str) -> Path:
    """The folder of the project that a file is in.

    It is the nearest folder above it with a repository, else the nearest with a project's file, else the current
    folder if the file is in it, else the file's own.
    """
    from pathlib import Path

    folder = Path(path).parent.resolve()
    found = repository_of(folder) or _nearest(folder, _PROJECT)
    if found is not None:
        return found
    here = Path.cwd().resolve()
    return here if folder.is_relative_to(here) else folder


def repository_of(folder: Path) -> Path | None:
    """The root of the repository that contains a folder, or None."""
    return _nearest(folder, _REPOSITORY)


def _nearest(folder: Path, marks: tuple[str, ...]) -> Path | None:
    above = (folder, *folder.parents)
    return next((each for each in above if any(os.path.lexists(each / mark) for mark in marks)), None)
