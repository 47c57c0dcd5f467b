"""Files and folders that an install command names: requirements files, projects, environment files of conda."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from torchlock.manifests.named_platforms import platforms_in
from torchlock.manifests.syntax.installer_platforms import MARKERS
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.working_folder import PROJECT_FILES
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.installed import Installed
    from torchlock.manifests.syntax.requirement_words import RequirementWords
    from torchlock.manifests.syntax.shell import Word

# Formats whose commands are for any system, so that the name of a requirements file says which one it is for.
_FOR_ANY_SYSTEM = ("docs", "shell", "make")


class NamedFiles:
    """Reads the files that commands name; ``uv``: the current command is one of uv."""

    def __init__(self, builder: DocumentBuilder, state: Installed, words: RequirementWords) -> None:
        self._builder = builder
        self._state = state
        self._words = words
        self.uv = False

    def file(
        self, word: Word, *, constraint: bool = False, options: Iterable[tuple[str, Word]] = ()
    ) -> list[Entry]:
        """The entries of a requirements file, or of the project that a file is of.

        Paths are those of the machine that runs the command, which may be an image.
        """
        if word.unknown:
            return self._words.unknown(word)
        located = self._state.folder.file(self._builder.path, word.value)
        if located.foreign:
            return self._elsewhere(word)
        if located.path is not None and not constraint and _is_of_project(located.path):
            from torchlock.manifests.project_commands import project_of_file

            return project_of_file(self._builder, located.path, options, word.start, uv=self.uv)
        found = self._builder.include(located.name or word.value, word.start, constraint=constraint)
        platforms = platforms_in(word.value) if self._builder.document.kind in _FOR_ANY_SYSTEM else ()
        marker = " or ".join(MARKERS[platform] for platform in platforms)
        return [replace(entry, marker=both(entry.marker, marker)) for entry in found] if marker else found

    def folder(self, word: Word) -> list[Entry]:
        """The requirements of the project in a folder: ``pip install .[audio]``."""
        from torchlock.manifests.project_commands import project_at

        if word.unknown:
            return self._words.unknown(word)
        return project_at(self._builder, self._state.folder, word, uv=self.uv)

    def environment(self, word: Word) -> list[Entry]:
        """The packages of an environment file of conda."""
        from torchlock.manifests.followed import Asked, file_entries

        located = self._state.folder.file(self._builder.path, word.value)
        if word.unknown or located.foreign or located.path is None or not word.value.endswith((".yml", ".yaml")):
            return self._words.unknown(word) if word.unknown else self._elsewhere(word)
        return file_entries(self._builder, located.path, Asked(), word.start)

    def _elsewhere(self, word: Word) -> list[Entry]:
        message = f"{word.value} is of a folder that is not in this project, so its requirements are not judged"
        self._builder.issue("TL901", "note", message, word.start)
        return []


def _is_of_project(path: str) -> bool:
    return PurePosixPath(path).name in PROJECT_FILES
