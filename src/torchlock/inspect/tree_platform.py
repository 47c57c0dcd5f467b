"""The platform of a tree whose interpreter is not run: by interpreter, libraries, and tags of wheels.

The header of a binary shows what it is for; the tag of a wheel is a claim. So the binaries decide.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.inspect.machine import Machine, machine_in, suffix_of
from torchlock.knowledge.stack import MEMBERS
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.inspect.loading.root import Root
    from torchlock.runtime.files import Tree

# Packages whose libraries are read first.
FIRST = tuple(name for name, member in MEMBERS.items() if member.is_compiled)
# How many packages are searched for a library.
_ASKED = 300
_VOTES = 50
# How many libraries of one package are searched.
_OF_ONE = 12
_LIBRARIES = (".so", ".dylib", ".pyd", ".dll")
_SCRIPT = 64 << 10
# The folder of a Python for Windows that has the packages of one user: Python311, Python311-32.
OF_WINDOWS = pattern(r"Python(?P<major>3)(?P<minor>\d{1,2})(?:-(?:32|arm64))?")
_PYTHONS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe", "bin/pypy3")


def platform_of(
    site: str,
    prefix: str,
    settings: Mapping[str, str],
    tags: Sequence[str],
    tree: Tree,
    root: Root | None = None,
) -> tuple[str, str]:
    """The platform as ``sysconfig`` spells it, and where it was found; both "" if it is unknown.

    ``prefix`` is the installation around ``site``, ``settings`` its ``pyvenv.cfg``, ``tags`` those of the wheels
    in it. Asked in turn: the interpreter, if it lies here or this environment was made here; the libraries, most
    of which agree; the tags; the interpreter that a link leads to; the C library of the tree below ``root``.
    """
    python, machine, is_firm = _interpreter(prefix, settings, tree, root)
    if machine is not None and is_firm:
        return _platform_text(machine, tags), python
    found = _by_libraries(site, tags, tree)
    if found[0]:
        return found
    for tag in tags:
        if told := platform_of_tag(tag.rpartition("-")[2]):
            return told, f"wheels here are for {tag.rpartition('-')[2]}"
    if machine is None:
        python, machine = _of_machine(root)
    return (_platform_text(machine, tags), python) if machine is not None else ("", "")


def platform_by_layout(site: str) -> tuple[str, str]:
    """Windows, if the folder of packages is where only its Pythons have one; both "" if it is not.

    A folder that does not name its machine may be for any: most are for amd64, so ``win-amd64`` is an assumption.
    """
    folder, name = os.path.split(site)
    prefix, above = os.path.split(folder)
    if name != "site-packages" or not (above == "Lib" or OF_WINDOWS.fullmatch(above)):
        return "", ""
    ending = re.search(r"-(32|arm64)$", prefix if above == "Lib" else above)
    platforms = {"32": "win32", "arm64": "win-arm64"}
    return platforms.get(ending[1] if ending else "", "win-amd64"), f"the folder is {above}{os.sep}{name}"


# The C library, and the shell, of a distribution.
_FOLDERS = ("lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "usr/lib64")
_OF_MACHINE = (*(f"/{folder}/libc.so.6" for folder in _FOLDERS), "/bin/sh")


def _of_machine(root: Root | None) -> tuple[str, Machine | None]:
    """The machine of a tree that is a whole system, by its C library; nothing for the running one."""
    if root is None or root.folder == "/":
        return "", None
    for path in filter(None, map(root.file, _OF_MACHINE)):
        machine = machine_in(path)
        if machine is not None and len(machine.machines) == 1:
            return path, machine
    return "", None


def platform_of_tag(tag: str) -> str:
    """As ``sysconfig`` spells it; empty for ``any``, and for macOS wheels that hold both machines."""
    match = re.fullmatch(r"(?:manylinux\w*?|musllinux\w*?|linux)_(x86_64|aarch64|i686|armv7l|ppc64le|s390x)", tag)
    if match:
        return f"linux-{match[1]}"
    match = re.fullmatch(r"macosx_(\d+)_(\d+)_(arm64|x86_64)", tag)
    if match:
        return f"macosx-{match[1]}.{match[2]}-{match[3]}"
    return tag.replace("_", "-") if tag in ("win_amd64", "win_arm64", "win32") else ""


def machine_of_tag(tag: str) -> Machine | None:
    """The machine that a platform tag names; None for ``any``, and for one that names several."""
    told = platform_of_tag(tag)
    system = {"linux": "linux", "macosx": "macos", "win": "windows", "win32": "windows"}.get(
        told.partition("-")[0]
    )
    return Machine(system, (told.rpartition("-")[2],)) if system else None


def extensions(site: str, tree: Tree) -> Iterator[tuple[str, str]]:
    """Libraries of the packages here, those of the stack first: name and path."""
    for folder in _packages(site, tree):
        yield from _libraries(site, folder, tree)


def is_made_here(prefix: str, settings: Mapping[str, str]) -> bool:
    """Whether a virtual environment says that it was made in this very folder, so that its links lead right."""
    command = settings.get("command", "")
    activate = files.text(os.path.join(prefix, "bin", "activate"), _SCRIPT) or ""
    named = re.search(
        r"^[ \t]*(?:export )?VIRTUAL_ENV=['\"]?([^'\"\n]*[^'\"\s])['\"]?[ \t\r]*$", activate, re.MULTILINE
    )
    places = [command.rpartition(" -m venv ")[2].rpartition(" ")[2], named[1] if named else ""]
    return any(place.startswith("/") and os.path.realpath(place) == os.path.realpath(prefix) for place in places)


def _interpreter(
    prefix: str, settings: Mapping[str, str], tree: Tree, root: Root | None
) -> tuple[str, Machine | None, bool]:
    """The interpreter of an installation, its machine, and whether it is surely the one that is meant there."""
    inside = tree.names(os.path.join(prefix, "bin")) if prefix else {}
    named = [f"bin/{name}" for name in sorted(inside) if re.fullmatch(r"python3\.\d+t?", name)]
    for name in (*_PYTHONS, *named) if prefix else ():
        path = os.path.join(prefix, *name.split("/"))
        is_inside = root is not None and root.holds(os.path.abspath(path))
        real = root.real(os.path.abspath(path)) if root is not None and is_inside else os.path.realpath(path)
        machine = machine_in(real)
        if machine is not None and len(machine.machines) == 1:
            own = os.path.realpath(prefix) + os.sep
            is_firm = is_inside or real.startswith(own) or is_made_here(prefix, settings)
            return path, machine, is_firm
    return "", None, False


def _by_libraries(site: str, tags: Sequence[str], tree: Tree) -> tuple[str, str]:
    """What most packages are for; of equally many, what the first package is."""
    votes: dict[str, tuple[Machine, str]] = {}
    for folder in _packages(site, tree):
        if (vote := _vote(_libraries(site, folder, tree))) is not None:
            votes[folder] = vote
        if len(votes) >= _VOTES:
            break
    if not votes:
        return "", ""
    ((most, _),) = Counter(machine for machine, _ in votes.values()).most_common(1)
    return _platform_text(most, tags), next(path for machine, path in votes.values() if machine == most)


def _vote(libraries: Iterable[tuple[str, str]]) -> tuple[Machine, str] | None:
    """What most libraries of a package are for, and the first of them; those for several machines do not tell.

    A package may bring one of another machine, which nothing opens, as torch 1.10 for macOS does.
    """
    found: dict[str, Machine] = {}
    for name, path in islice(libraries, _OF_ONE):
        machine = machine_in(path) or _by_suffix(name)
        if machine is not None and len(machine.machines) == 1:
            found[path] = machine
    if not found:
        return None
    ((most, _),) = Counter(found.values()).most_common(1)
    return most, next(path for path, machine in found.items() if machine == most)


def _platform_text(machine: Machine, tags: Sequence[str]) -> str:
    """As ``sysconfig`` has it; with the release of macOS that a tag for the same machine names."""
    if machine.system != "macos":
        name = machine.machines[0]
        return f"linux-{name}" if machine.system == "linux" else name if name == "win32" else f"win-{name}"
    told = (platform_of_tag(tag.rpartition("-")[2]) for tag in tags)
    ending = f"-{machine.machines[0]}"
    return next(
        (each for each in told if each.startswith("macosx") and each.endswith(ending)), f"macosx-11.0{ending}"
    )


def _by_suffix(name: str) -> Machine | None:
    """What the name of an extension module says, where its header says nothing."""
    suffix = suffix_of(name)
    system, _, machine = (suffix.platform if suffix else "").partition("-")
    if system == "linux" and machine:
        return Machine("linux", (machine,))
    return Machine("windows", (machine,)) if system == "win" and machine else None


def _packages(site: str, tree: Tree) -> Iterator[str]:
    names = tree.names(site)
    folders = [name for name in FIRST if name in names]
    folders += [name for name, kind in names.items() if kind == "folder" and name not in FIRST]
    yield from ("", *folders[:_ASKED])


def _libraries(site: str, folder: str, tree: Tree) -> Iterator[tuple[str, str]]:
    place = os.path.join(site, folder) if folder else site
    for name in tree.names(place):
        if name.endswith(_LIBRARIES):
            yield name, os.path.join(place, name)
    if folder in FIRST and tree.names(place).get("lib") == "folder":
        inside = os.path.join(place, "lib")
        yield from ((name, os.path.join(inside, name)) for name in tree.names(inside) if name.endswith(_LIBRARIES))
