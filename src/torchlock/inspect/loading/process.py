"""A process that libraries are loaded into, computed from their files: the common part of all systems."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.loading.outcome import Lookups, Outcome, unknown_file
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

# No process of this stack has more libraries; a hostile tree may.
MOST_LIBRARIES = 2000
MOST_LOOKS = 200_000


class Request(NamedTuple):
    """How a library is to be loaded; see ``LoaderProcess.load``."""

    symbols: bool
    preloaded: Callable[[str], str | None] | None
    shared: bool


class LoaderProcess(ABC):
    """Libraries stay loaded: the next one finds them by their names."""

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._read: dict[str, Binary | Unreadable] = {}
        self._lookups = Lookups()
        self._looks = 0

    @abstractmethod
    def search_in(self, folder: str) -> None:
        """Search this folder as well from now on."""

    def paths(self) -> list[str]:
        """The paths of the libraries that are loaded."""
        return []

    def load(
        self,
        path: str,
        *,
        symbols: bool = True,
        preloaded: Callable[[str], str | None] | None = None,
        shared: bool = False,
    ) -> Outcome:
        """Load a library with all its dependencies, as ``dlopen`` with RTLD_NOW does.

        ``shared``: with RTLD_GLOBAL. ``symbols``: whether all symbols of the library itself must be defined;
        symbols of its dependencies are not checked. ``preloaded`` maps the name of a library that the loader does
        not find to the path from which the program has loaded it, or None.
        """
        binary = self._binary(path)
        if isinstance(binary, Unreadable):
            if unseen := unknown_file(binary, self._real(path), path):
                return Outcome(path, unseen=(unseen,))
            return Outcome(path, unreadable=binary)
        if not self._is_for_process(binary):
            return Outcome(path, unreadable=Unreadable(path, f"is for {binary.machine}"))
        return self._load(path, binary, Request(symbols, preloaded, shared))

    @abstractmethod
    def _is_for_process(self, binary: Binary) -> bool:
        """Whether the loader accepts a library: its format and machine are those of the process."""

    @abstractmethod
    def _load(self, path: str, binary: Binary, request: Request) -> Outcome:
        """Load a library that the loader accepts."""

    def _binary(self, path: str) -> Binary | Unreadable:
        """The library that the machine of this process has at a path."""
        if path not in self._read:
            found = read_binary(self._real(path), self._machine)
            cut = found.cut if isinstance(found, Binary) else ""
            self._read[path] = Unreadable(path, cut) if cut else found
        return self._read[path]

    def _real(self, path: str) -> str:
        """The file on this machine that a path of the process leads to."""
        return path
