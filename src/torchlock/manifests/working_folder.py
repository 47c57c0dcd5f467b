"""The folder in which a command runs, and the file of the project that a path in a command means.

A command runs in a checkout of the project, in an image into which files were copied, or in a clone of another
repository. A file of another repository is foreign: it is not here, though a file of the same name may be.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from torchlock.manifests.paths import beside, is_folder, is_there
from torchlock.patterns import pattern
from torchlock.runtime.project_folder import is_outside, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Ways to name the folder of the script itself, or the root of the checkout.
_OWN = pattern(
    r"dirname|BASH_SOURCE|GITHUB_WORKSPACE|CI_PROJECT_DIR|github\.workspace|show-toplevel|~dp0|PSScriptRoot"
)
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


def names_own_folder(text: str) -> bool:
    """Whether an expression of a shell means the folder of the script, or the root of the checkout."""
    return bool(_OWN.search(text))


class Copied(NamedTuple):
    """A file or folder of the build context, and where an image has it."""

    source: str
    target: str


class Located(NamedTuple):
    """``path`` is the file or folder of the project, None for none; ``name`` is its path from the document.

    ``foreign``: it is in another repository.
    """

    path: str | None
    name: str = ""
    foreign: bool = False


@dataclass(slots=True)
class WorkingFolder:
    """``here`` is the folder of the commands, relative to where they begin, or absolute; None if it is unknown.

    ``copies`` are what a Dockerfile copies into the image, ``clones`` the folders of cloned repositories.
    """

    here: str | None = ""
    copies: tuple[Copied, ...] = ()
    clones: tuple[str, ...] = ()

    def moved(self, name: str | None) -> None:
        """``cd NAME``; None for a name that is unknown."""
        if name is None:
            self.here = None
        elif name in ("-", "~") or names_own_folder(name):
            self.here = ""
        else:
            self.here = self._joined(name)

    def clone(self, target: str) -> None:
        """A repository is cloned into a folder."""
        self.clones = (*self.clones, self._joined(target))

    def copy(self, sources: Iterable[str], target: str, is_folder_there: Callable[[str], bool]) -> None:
        """``COPY SOURCE … TARGET`` of a Dockerfile."""
        sources = list(sources)
        into = self._joined(target)
        for source in sources:
            whole = source in (".", "./", "/") or source.endswith("/") or is_folder_there(source)
            file = not whole and (target.endswith(("/", ".")) or len(sources) > 1)
            path = PurePosixPath(source.strip("/") or ".")
            beside = (
                (Copied(str(path.parent), into),) if file else ()
            )  # The folder of the file, as far as it is known.
            self.copies = (*beside, *self.copies, Copied(str(path), f"{into}/{path.name}" if file else into))

    def file(self, document: str, name: str) -> Located:
        """The file of the project that a path in a command means."""
        return self._located(document, name, is_there, 1 if name.startswith("/") else None)

    def project(self, document: str, name: str) -> Located:
        """The folder of the project with a ``pyproject.toml``, ``setup.py`` or ``setup.cfg`` that a path means."""
        return self._located(document, name, _is_project, None)

    def _located(self, document: str, name: str, fits: Callable[[str], bool], kept: int | None) -> Located:
        """``kept`` is how many of the last parts of a path say which file it is; None: those of ``name``."""
        if self.here is None and not name.startswith("/"):
            return Located(None, foreign=True)
        wanted = self._joined(name)
        if self._is_foreign(document, wanted):
            return Located(None, foreign=True)
        for candidate in self._candidates(wanted, name, kept):
            for way in _ways(document):
                path = os.path.normpath(beside(document, f"{way}{candidate}"))
                if fits(path) and not is_outside(path, document):
                    return Located(path, f"{way}{candidate}")
        return Located(None)

    def _joined(self, name: str) -> str:
        return os.path.normpath(PurePosixPath(self.here or "", name.replace("\\", "/")))

    def _is_foreign(self, document: str, wanted: str) -> bool:
        parts = PurePosixPath(wanted).parts
        own = root_of(document).name.lower()
        for clone in self.clones:
            name = PurePosixPath(clone).name
            if name.lower() == own or is_folder(beside(document, clone)):
                continue
            if not name or name in parts:
                return True
        return False

    def _candidates(self, wanted: str, name: str, kept: int | None) -> Iterable[str]:
        """Paths in the checkout, the likeliest first: what was copied there, then the ends of the path."""
        for copied in reversed(self.copies):
            inner = wanted.removeprefix(copied.target).lstrip("/")
            if copied.target == "." and not wanted.startswith("/"):
                yield f"{copied.source}/{wanted}"
            elif wanted == copied.target or wanted.startswith(f"{copied.target.rstrip('/')}/"):
                yield f"{copied.source}/{inner}".rstrip("/")
        parts = [part for part in PurePosixPath(wanted).parts if part != "/"]
        own = PurePosixPath(os.path.normpath(name)).parts
        least = len([part for part in own if part != "/"]) if kept is None else kept
        yield from ("/".join(parts[start:]) or "." for start in range(max(0, len(parts) - least) + 1))


def _is_project(path: str) -> bool:
    return any(is_there(str(Path(path, name))) for name in PROJECT_FILES)


def _ways(document: str) -> Iterable[str]:
    """From the folder of the document up to the root of its project: commands begin in one of these two."""
    yield ""
    root = root_of(document)
    way = os.path.relpath(root, Path(document).parent.resolve())
    if way != ".":
        yield f"{way}/"
