"""The folders in which macOS and Windows look for a library without the help of another library."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.loading.root import Root
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_HOMEBREW = {"arm64": "/opt/homebrew", "x86_64": "/usr/local"}
_MACPORTS = "/opt/local"
# Folders of conda installations, in the home folder or below /opt.
_CONDA = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "opt/anaconda3", "opt/miniconda3")
_OF_HOME = ("homebrew", ".homebrew", ".brew")
# No path of an installation is longer.
_LONGEST = 1000
# Homebrew's formula for Python has "-Wl,-rpath,HOMEBREW_PREFIX/lib" in its linker flags.
_PYTHON_OF_HOMEBREW = pattern(
    r"(/opt/homebrew|/usr/local|/.+/\.?(?:home)?brew)/(?:opt|Cellar|Frameworks)/.*python", re.I
)
# Pythons whose LC_RPATH names no folder of Homebrew: those of conda, uv, python.org and Apple. Those of pyenv and
# asdf are of neither kind: their python-build leads to Homebrew's folder if it finds Homebrew outside /usr/local.
_OTHER_PYTHON = pattern(
    r"conda|miniforge|mambaforge|mamba|/uv/python/|^/Library/(?:Frameworks/Python|Developer)|^/Applications/Xcode|^/usr$"
)
_OF_APPLE = pattern(r"^/usr$|^/Library/Developer|^/Applications/Xcode|^/System/")
# The limit on homes and folders of formulas that are looked at.
_FOLDERS = 50
# Formulas whose folder is not linked into Homebrew's lib, and ports with their own folder.
_KEG = pattern(r"(ffmpeg|sox|libsndfile)([@_-].*|\d*)")


class LibraryFolder(NamedTuple):
    """A folder that a package manager fills: its path here, its name on its own machine, and the manager."""

    path: str
    name: str
    manager: str


class SearchPath(NamedTuple):
    """The folders of one machine, by their paths here, in search order; rather too many than too few.

    ``homebrew`` is the folder of Homebrew's libraries for its own architecture, whether it is searched or not.
    ``managed`` are the folders of all package managers there. ``is_whole``: the Python is one of which it is known
    that it searches no other folder. ``is_apples``: macOS removes DYLD_* variables when this Python starts.
    ``root`` is the root folder of another machine. ``fallback`` are the folders in which dyld looks for a library
    that is not in the place that its user names by a whole path.
    """

    folders: tuple[str, ...]
    homebrew: str = ""
    managed: tuple[LibraryFolder, ...] = ()
    is_whole: bool = True
    is_apples: bool = False
    root: str = os.path.sep
    fallback: tuple[str, ...] = ()

    @property
    def unsearched(self) -> tuple[LibraryFolder, ...]:
        """The folders of package managers that the loader is not known to search."""
        return tuple(each for each in self.managed if each.path not in self.folders)

    def name(self, path: str) -> str:
        """A path as its own machine names it."""
        return Root(self.root).name(path)

    def said(self, text: str) -> str:
        """A text as its own machine says it: paths below the root folder are those of that machine."""
        return Root(self.root).said(text)


def of_windows(prefixes: Iterable[str], environ: Mapping[str, str]) -> SearchPath:
    """This Windows: the folder of ``ffmpeg`` on the PATH, which torchcodec adds, and those of conda.

    ``prefixes`` are those of the Python and of its base Python.
    """
    own = [folder for prefix in prefixes for folder in (os.path.join(prefix, "Library", "bin"), prefix)]
    system32 = os.path.join(environ.get("SYSTEMROOT", ""), "System32")
    return SearchPath(tuple(_absolute([*environ.get("PATH", "").split(os.pathsep), *own, system32])))


def of_macos(
    machine: str, prefixes: Iterable[str], environ: Mapping[str, str], root: str = "/", *, conda: bool = False
) -> SearchPath:
    """A macOS whose root folder is ``root`` (dyld(1)).

    ``prefixes`` are those of the Python and of its base Python, ``conda``: it is one of conda. A Python of conda,
    Homebrew or MacPorts makes the loader search the libraries of its own package manager.
    """
    there = Root(root, machine=machine)
    names = [_prefix(there.name(each)) for each in prefixes if each]
    homebrew = _HOMEBREW.get(machine, "")
    first, last = ([*environ.get(f"DYLD_{name}LIBRARY_PATH", "").split(":")] for name in ("", "FALLBACK_"))
    own = [os.path.join(each, "lib") for each in names]
    brought = [folder for each in names for folder in _of_python(each)]
    home = os.path.join(environ.get("HOME", ""), "lib")
    fallback = [*last, home, "/usr/local/lib", "/usr/lib"]
    named = _absolute([*first, *own, *brought, *fallback])
    is_known = conda or bool(brought) or any(map(_OTHER_PYTHON.search, names))
    return SearchPath(
        tuple(map(there.real, named)),
        there.real(f"{homebrew}/lib") if homebrew else "",
        tuple(_managed(there, homebrew, environ.get("HOME", ""))),
        is_known,
        any(map(_OF_APPLE.match, names)),
        there.folder,
        tuple(map(there.real, _absolute([*first, *fallback]))),
    )


def _prefix(path: str) -> str:
    """The prefix of a Python: ``pyvenv.cfg`` names its folder of programs."""
    return os.path.dirname(path) if os.path.basename(path) == "bin" else path


def _of_python(prefix: str) -> Iterator[str]:
    """The folders of its package manager that a Python searches, from where it is installed."""
    if found := _PYTHON_OF_HOMEBREW.match(prefix[:_LONGEST] + "/"):
        yield f"{found[1]}/lib"
    elif prefix.startswith("/opt/homebrew") and not _OTHER_PYTHON.search(prefix):
        yield "/opt/homebrew/lib"
    elif prefix.startswith(_MACPORTS):
        yield f"{_MACPORTS}/lib"


def _managed(there: Root, homebrew: str, home: str) -> Iterator[LibraryFolder]:
    """The folders of libraries of Homebrew, MacPorts and conda that exist; this architecture's Homebrew first."""
    tree = files.Tree()
    homes = (
        [home]
        if there.is_here
        else [f"/Users/{each}" for each in islice(tree.names(there.real("/Users")), _FOLDERS)]
    )
    brews = [
        *filter(None, (homebrew,)),
        *_HOMEBREW.values(),
        *(f"{each}/{name}" for each in homes for name in _OF_HOME),
    ]
    condas = [f"{each}/{name}" for each in (*homes, "/opt") for name in _CONDA]
    condas.append("/opt/homebrew/Caskroom/miniconda/base")
    listed = [(brew, "Homebrew", "opt") for brew in dict.fromkeys(brews)]
    listed += [(_MACPORTS, "MacPorts", "libexec"), *((each, "conda", "") for each in condas)]
    for prefix, manager, kegs in listed:
        names = [f"{prefix}/lib"]
        inside = tree.names(there.real(f"{prefix}/{kegs}")) if kegs else {}
        names += [f"{prefix}/{kegs}/{each}/lib" for each in sorted(inside, reverse=True) if _KEG.fullmatch(each)]
        for name in names[:_FOLDERS]:
            if files.is_folder(path := there.real(name)):
                yield LibraryFolder(path, name, manager)


def _absolute(folders: Iterable[str]) -> Iterator[str]:
    yield from filter(os.path.isabs, dict.fromkeys(folders))
