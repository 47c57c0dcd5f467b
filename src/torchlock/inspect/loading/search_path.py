"""The folders in which macOS and Windows look for a library without the help of another library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.loading.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_HOMEBREW = {"arm64": "/opt/homebrew/lib", "x86_64": "/usr/local/lib"}


class SearchPath(NamedTuple):
    """The folders of one machine, by their paths here, in search order; rather too many than too few.

    ``homebrew`` is the folder of Homebrew's libraries for its own architecture, whether it is searched or not.
    """

    folders: tuple[str, ...]
    homebrew: str = ""

    @property
    def past_homebrew(self) -> bool:
        """Whether the search does not reach Homebrew's folder."""
        return bool(self.homebrew) and self.homebrew not in self.folders


def of_windows(prefixes: Iterable[str], environ: Mapping[str, str]) -> SearchPath:
    """This Windows: the folder of ``ffmpeg`` on the PATH, which torchcodec adds, and those of conda.

    ``prefixes`` are those of the Python and of its base Python.
    """
    own = [folder for prefix in prefixes for folder in (os.path.join(prefix, "Library", "bin"), prefix)]
    system32 = os.path.join(environ.get("SYSTEMROOT", ""), "System32")
    return SearchPath(tuple(_absolute([*environ.get("PATH", "").split(os.pathsep), *own, system32])))


def of_macos(machine: str, prefixes: Iterable[str], environ: Mapping[str, str], root: str = "/") -> SearchPath:
    """A macOS whose root folder is ``root``; conda and Homebrew lead a Python to its own folder (dyld(1))."""
    homebrew = _HOMEBREW.get(machine, "")
    first, last = ([*environ.get(f"DYLD_{name}LIBRARY_PATH", "").split(":")] for name in ("", "FALLBACK_"))
    own = [os.path.join(prefix, "lib") for prefix in prefixes]
    if any(prefix.startswith("/opt/homebrew/") for prefix in prefixes):
        own.append(homebrew)
    home = os.path.join(environ.get("HOME", ""), "lib")
    named = _absolute([*first, *own, *last, home, "/usr/local/lib", "/usr/lib"])
    there = Root(root, machine=machine)
    return SearchPath(tuple(map(there.real, named)), there.real(homebrew) if homebrew else "")


def _absolute(folders: Iterable[str]) -> Iterator[str]:
    yield from filter(os.path.isabs, dict.fromkeys(folders))
