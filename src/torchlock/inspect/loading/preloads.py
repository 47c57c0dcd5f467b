"""The CUDA libraries that torch opens by path when it is imported on Linux, as its own source says.

The loader does not search for a library that is already loaded. So torch since 2.5.1 uses those libraries of the
NVIDIA packages that it opens first, whatever LD_LIBRARY_PATH names. Which ones these are differs between releases.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.inspect.environment import Environment

_LARGEST = 4 << 20
# What follows the first library in the function that loads it, and the branch for an error.
_AFTER = re.compile(r"ctypes\.CDLL\(global_deps_lib_path[^\n]{0,200}\n(.{0,4000}?)except OSError", re.S)
_ONE = re.compile(r"""_preload_cuda_(?:deps|lib)\(\s*["'](\w{1,40})["'],\s*["']([^"'\n]{1,80})["']""")
_ALL = re.compile(r"_preload_cuda_deps\(\s*\)")
_TABLE = re.compile(r"cuda_libs[^=\n]{0,60}= ?[\[{](.{0,6000}?)\n {4,8}[\]}]", re.S)
_ROW = re.compile(r"""["'](\w{1,40})["'](?:,|:)\s*["'](lib[^"'\n]{1,80})["']""")
_ADDED = re.compile(r"""cuda_libs\[["']\w{1,40}["']\] = ["'](lib[^"'\n]{1,80})["']""")
_IN_MAPS = re.compile(r"""["']([^"'\n]{0,80}libcudart\.so)["'] (?:not )?in _maps""")
_VERSIONS = re.compile(r"version\.cuda (?:not )?in \[([^\]]{0,200})\]")


class Preloads(NamedTuple):
    """The folders in ``nvidia`` and the patterns of file names, in the order in which torch opens them.

    ``runtime``: it does so only if a loaded library has this in its path. ``cuda``: only in builds for these
    versions of CUDA; empty for all.
    """

    libraries: tuple[tuple[str, str], ...] = ()
    runtime: str = ""
    cuda: tuple[str, ...] = ()


def read_preloads(package: str) -> Preloads:
    """What a torch opens after its first library; nothing if its source does not say so."""
    return preloads_of(files.text(os.path.join(package, "__init__.py"), _LARGEST) or "")


def preloads_of(text: str) -> Preloads:
    """The same, from the source of ``torch/__init__.py``."""
    after = _AFTER.search(text)
    if after is None:
        return Preloads()
    found = _ONE.findall(after[1])
    if not found and _ALL.search(after[1]) and (table := _TABLE.search(text)):
        found = _ROW.findall(table[1])
    runtime, versions = _IN_MAPS.search(after[1]), _VERSIONS.search(after[1])
    cuda = tuple(re.findall(r"[\d.]+", versions[1])) if versions else ()
    return Preloads(tuple(found), runtime[1] if runtime else "", cuda)


def rescued(package: str) -> tuple[str, ...]:
    """The patterns of the libraries that a torch opens after its first one failed; () if its source does not say.

    ``package`` is the folder of torch. What a build adds for some versions of CUDA only is among them.
    """
    text = files.text(os.path.join(package, "__init__.py"), _LARGEST) or ""
    table = _TABLE.search(text)
    if table is None:
        return ()
    rows = [pattern for _, pattern in (*_ROW.findall(table[1]), *_ONE.findall(text))]
    return tuple(dict.fromkeys([*rows, *_ADDED.findall(text)]))


def opened(preloads: Preloads, environment: Environment, cuda: str, loaded: Iterable[str]) -> Iterator[str]:
    """The paths that torch opens, in its order; it stops at the first library that is not there.

    ``cuda`` is the CUDA version of its build, ``loaded`` are the paths of the libraries that are loaded already.
    """
    if (preloads.cuda and cuda not in preloads.cuda) or not _has(loaded, preloads.runtime):
        return
    for folder, pattern in preloads.libraries:
        path = next(_copies(environment, folder, pattern, cuda.partition(".")[0]), "")
        if not path:
            return
        yield path


def _has(loaded: Iterable[str], runtime: str) -> bool:
    return not runtime or any(runtime in os.path.normpath(path).replace(os.sep, "/") for path in loaded)


def _copies(environment: Environment, folder: str, pattern: str, major: str) -> Iterator[str]:
    tree = environment.tree
    for entry in environment.path:
        if entry.state != "folder" or tree.names(entry.path).get("nvidia") != "folder":
            continue
        for inner in (folder, f"cu{major}"):
            place = os.path.join(entry.path, "nvidia", inner, "lib")
            names = sorted(name for name in tree.names(place) if fnmatchcase(name, pattern))
            yield from (os.path.join(place, name) for name in names)
