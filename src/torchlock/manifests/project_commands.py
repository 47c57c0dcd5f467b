"""Commands that install the project of a folder: ``pip install .[audio]``, ``uv sync --extra cpu``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.manifests.followed import Asked, extras_of, file_entries, project_entries
from torchlock.manifests.paths import is_there

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.shell import Word
    from torchlock.manifests.working_folder import Located, WorkingFolder

_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock"}
_EXTRAS = ("--extra", "--extras", "-E")
_GROUPS = ("--group", "--with", "-G", "--only-group", "--only")
_FOLDERS = ("--project", "--directory", "-C", "-p")


def project_at(builder: DocumentBuilder, folder: WorkingFolder, word: Word, *, uv: bool) -> list[Entry]:
    """The requirements of the project that a path with extras means."""
    path, extras = extras_of(word.value.removeprefix("file://"))
    located = folder.project(builder.path, path)
    if located.path is None:
        return _not_here(builder, located, path, word.start)
    return project_entries(builder, located.path, Asked(extras, uv=uv), word.start)


def project_of_file(
    builder: DocumentBuilder, path: str, options: Iterable[tuple[str, Word]], at: int, *, uv: bool
) -> list[Entry]:
    """The requirements in a project's file: ``uv pip install -r pyproject.toml --extra cpu``."""
    named = [(name, word.value) for name, word in options]
    extras = [value for name, value in named if name in _EXTRAS]
    groups = [value for name, value in named if name in _GROUPS]
    return file_entries(builder, path, Asked(None if "all" in extras else extras, groups, uv=uv), at)


def project_of_folder(builder: DocumentBuilder, folder: WorkingFolder, words: list[Word]) -> list[Entry]:
    """The requirements of the project that ``uv sync``, ``poetry install`` and the like install.

    If the tool has locked the project, its lock says what is installed: that file is judged by itself.
    """
    tool, at = words[0].value, words[0].start
    values = dict(_options(words[2:]))
    path = next((value for name, value in values.items() if name in _FOLDERS), ".")
    located = folder.project(builder.path, path)
    if located.path is None:
        return _not_here(builder, located, path, at)
    lock = _LOCKS.get(tool)
    if lock and is_there(str(Path(located.path, lock))):
        message = f"{tool} installs what {lock} says: not judged here, but in that file"
        builder.issue("TL901", "note", message, at)
        return []
    names = [(name, part) for name, value in _options(words[2:]) for part in re.split(r"[\s,]+", value)]
    extras = [value for name, value in names if name in _EXTRAS]
    groups = [value for name, value in names if name in _GROUPS]
    flags = {word.value for word in words}
    asked = Asked(
        None if "--all-extras" in flags else extras,
        None if "--all-groups" in flags else groups,
        uv=tool != "python",
        only_groups="--only-group" in values,
    )
    return project_entries(builder, located.path, asked, at)


def _options(words: list[Word]) -> Iterable[tuple[str, str]]:
    """The options with a value."""
    for number, word in enumerate(words):
        name, equals, value = word.value.partition("=")
        if name in (*_EXTRAS, *_GROUPS, *_FOLDERS):
            yield name, value if equals else words[number + 1].value if number + 1 < len(words) else ""


def _not_here(builder: DocumentBuilder, located: Located, path: str, at: int) -> list[Entry]:
    what = "is in another repository" if located.foreign else "has no project here"
    builder.issue("TL901", "note", f"the folder {path} {what}, so its requirements are not judged", at)
    return []
