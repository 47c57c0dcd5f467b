"""TL613: one OpenMP runtime in several packages. Two copies in one process may end it."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import shell
from torchlock.check.fix.quoting import is_one_line, quoted
from torchlock.check.relevance import owner_of_file
from torchlock.check.windows_libraries import OPENMP, without_openmp
from torchlock.finding import Command, Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.loading.root import Root
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_RUNTIME = pattern(r"lib(iomp5md\.dll|iomp5\.dylib|omp\.dylib)")
_INSIDE = ("", "lib", ".dylibs")
_MOST = 2000
_MOST_READ = 300
_OWN = "libomp.dylib"
_BREWS = ("/opt/homebrew/", "/usr/local/", "/opt/local/")
_SAYS = pattern(r"Error #15: Initializing ([\w.-]{3,60}), but found ([\w.-]{3,60}) already")
_REMEDY = Remedy(
    "Install these packages all with pip or all with conda, or keep one copy. "
    "KMP_DUPLICATE_LIB_OK=TRUE only hides the problem, and results may be wrong."
)
_REMEDY_OUTSIDE = Remedy(
    "Make torch and the packages that load the other copy use one copy: install these packages all with conda, or "
    "replace the other copy by a link to that of torch."
)


@rule("TL613")
def openmp(context: CheckContext) -> Iterator[Finding]:
    """It is a note, because most programs work; a log shows if this one did not."""
    if context.copy("torch") is not None:
        yield from copies_of(context)


def copies_of(context: CheckContext, *, assumed: bool = False) -> Iterator[Finding]:
    """The note on the copies of the environment, about torch or else about a package that installed one.

    ``assumed``: the process ran, so what its libraries name outside of the environment was there.
    """
    if context.operating_system in ("", "linux"):
        return
    outside = list(_named_outside(context, assumed=assumed))
    paths = list(_distinct([*_runtimes(context), *outside]))
    about = "torch" if context.copy("torch") is not None else _owner(context, paths)
    if len(paths) < 2 or not about:
        return
    outside = [each for each in outside if each in paths]
    names = list(dict.fromkeys(map(os.path.basename, paths)))
    what = f"copies of {names[0]}" if len(names) == 1 else f"OpenMP runtimes ({' and '.join(sorted(names))})"
    yield context.finding(
        "TL613",
        "note",
        f"there are {len(paths)} {what}: {_listed([_named(context, each) for each in paths])}",
        about,
        path=paths[1],
        because="a process that loads two of them can end, or compute wrong results",
        expected_error="" if outside else _error_of(names[-1], names[0]),
        remedy=_shared(context, outside, names) if outside else _linked(context, paths) or _REMEDY,
    )


def _shared(context: CheckContext, outside: Sequence[str], names: Sequence[str]) -> Remedy:
    """One copy for all: dyld takes one from DYLD_LIBRARY_PATH instead of others of its file name."""
    search = context.search_path
    folders = list(dict.fromkeys(os.path.dirname(_named(context, each)) for each in outside))
    if len(names) != 1 or len(folders) != 1 or search is None or search.is_apples or not is_one_line(folders[0]):
        return _REMEDY_OUTSIDE
    line = f"export DYLD_LIBRARY_PATH={quoted(folders[0])}"
    summary = f"{_REMEDY_OUTSIDE.summary.rstrip('.')}; or make dyld take the copy of {folders[0]} for all of them."
    return Remedy(summary, commands=(Command("shell", line),))


def _owner(context: CheckContext, paths: Iterable[str]) -> str:
    """The first package that installed one of the copies; "" if none did."""
    return next(filter(None, (owner_of_file(context, path) for path in paths)), "")


def _linked(context: CheckContext, paths: Sequence[str]) -> Remedy | None:
    """On macOS, a link instead of each other copy of the file that torch has: dyld loads one file once."""
    copy = context.copy("torch")
    mine = [each for each in paths if copy is not None and each.startswith(copy.path + os.sep)]
    others = [each for each in paths if each not in mine]
    names = {os.path.basename(each) for each in paths}
    if context.operating_system != "macos" or len(mine) != 1 or names != {_OWN}:
        return None
    own = _named(context, mine[0])
    lines = [each.line for path in others for each in shell(context, "ln -sf", own, _named(context, path))]
    if len(lines) != len(others):
        return None
    words = "Put a link to the copy of torch instead of each other copy, so that a process loads one; or"
    summary = f"{words} {_REMEDY.summary[:1].lower()}{_REMEDY.summary[1:]}"
    return Remedy(summary, commands=(Command("shell", " && ".join(lines)),))


def _error_of(again: str, loaded: str) -> str:
    """What a runtime prints that finds another one in its process; not each one looks for it."""
    return f"OMP: Error #15: Initializing {again}, but found {loaded} already initialized."


@rule("TL613", on="log")
def openmp_shown(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The two copies that a log names, if the files do not show them."""
    first = log.first
    match = _SAYS.search(first.text) if first is not None else None
    if first is None or match is None or _is_shown(match.groups(), found):
        return
    if "torch" not in context.pins:
        for copies in copies_of(context):
            copies.severity, copies.expected_error = severity_of(fails=False), first.text
            yield copies
        return
    again, loaded = match.groups()
    user = next((f"; {each} of {context.named('torch')} needs {loaded}" for each in _users(context, loaded)), "")
    yield context.finding(
        "TL613",
        severity_of(fails=False),
        f"the process of this log loaded {loaded}, and then {again}: two OpenMP runtimes{user}",
        "torch",
        because="a process that loads two of them can end, or compute wrong results",
        expected_error=first.text,
        remedy=without_openmp(context) if user and loaded.startswith(OPENMP) else _REMEDY,
        strength=Strength.RAN,
    )


def _is_shown(names: Sequence[str], found: Sequence[Finding]) -> bool:
    """Whether a finding is about copies of both runtimes that a log names."""
    return any(each.rule == "TL613" and all(name in each.message for name in names) for each in found)


def _users(context: CheckContext, library: str) -> Iterator[str]:
    """The DLLs of torch that need a runtime which is not in their folder."""
    copy = context.copy("torch")
    folder = os.path.join(copy.path, "lib") if copy is not None else ""
    names = context.environment.tree.names(folder) if folder and context.operating_system == "windows" else {}
    for name in names if library not in names else ():
        binary = read_binary(os.path.join(folder, name)) if name.endswith(".dll") else None
        if isinstance(binary, Binary) and any(each.name.lower() == library.lower() for each in binary.needed):
            yield name


def _runtimes(context: CheckContext) -> Iterator[str]:
    """The copies in packages, and the copy of the environment itself, which conda installs."""
    prefix = context.environment.interpreter.prefix
    own = (
        [os.path.join(prefix, "Library", "bin"), os.path.join(prefix, "lib")] if context.environment.conda else []
    )
    for folder in [*_folders(context), *own]:
        for name in context.environment.tree.names(folder):
            if _RUNTIME.fullmatch(name):
                yield os.path.join(folder, name)


def _named_outside(context: CheckContext, *, assumed: bool) -> Iterator[str]:
    """The copies of package managers that the libraries of packages reach by LC_RPATH, or name by a whole path."""
    search = context.search_path
    if (search is None and not assumed) or context.operating_system != "macos":
        return
    there = Root(search.root) if search is not None else None
    libraries = (
        os.path.join(folder, name)
        for folder in _folders(context)
        for name in context.environment.tree.names(folder)
        if name.endswith((".dylib", ".so")) and not _RUNTIME.fullmatch(name)
    )
    for path in islice(libraries, _MOST_READ):
        binary = read_binary(path)
        if not isinstance(binary, Binary):
            continue
        for needed in binary.needed:
            if _RUNTIME.fullmatch(os.path.basename(needed.name)):
                places = _places(needed.name, path, binary)
                if there is None:
                    yield from islice((each for each in places if each.startswith(_BREWS)), 1)
                    continue
                found = (there.real(each) for each in places)
                yield from islice((each for each in found if files.is_file(each)), 1)


def _places(name: str, path: str, binary: Binary) -> Iterator[str]:
    """Where dyld looks for a library of this name."""
    if name.startswith("/"):
        yield name
    for folder in binary.rpath if name.startswith("@rpath/") else ():
        yield os.path.join(folder.replace("@loader_path", os.path.dirname(path)), name.removeprefix("@rpath/"))


def _distinct(paths: Iterable[str]) -> Iterator[str]:
    """Each file once, and of each folder one name: packages of conda have the same runtime under two names."""
    seen: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if not seen & {real, os.path.dirname(real)}:
            seen |= {real, os.path.dirname(real)}
            yield path


def _named(context: CheckContext, path: str) -> str:
    return context.search_path.name(path) if context.search_path is not None else path


def _folders(context: CheckContext) -> Iterator[str]:
    for entry in context.environment.sites:
        packages = [name for name, kind in context.environment.tree.names(entry.path).items() if kind == "folder"]
        for package in packages[:_MOST]:
            if not package.endswith((".dist-info", ".egg-info", "__pycache__")):
                yield from (os.path.join(entry.path, package, inner).rstrip(os.sep) for inner in _INSIDE)


def _listed(paths: list[str]) -> str:
    shown = paths[:3] + ([f"{len(paths) - 3} more"] if len(paths) > 3 else [])
    return ", ".join(shown)
