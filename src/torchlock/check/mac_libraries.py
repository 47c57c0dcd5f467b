"""Libraries that a Mac has: those that dyld finds, those that it does not search for, and what to do then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.system_packages import install_library
from torchlock.finding import Command, Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.host import ffmpeg_in
from torchlock.inspect.library import is_library
from torchlock.inspect.loading.root import Root
from torchlock.inspect.machine import Machine, machine_in
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.inspect.loading.search_path import LibraryFolder

VARIABLE = "DYLD_FALLBACK_LIBRARY_PATH"
UNPROTECTED = "macOS removes this variable when /usr/bin/env or /bin/sh starts Python, so start Python itself"
# The Homebrew formula of each library, and the newest FFmpeg that has a formula of its own besides ffmpeg.
_FORMULA = {"libsox": "sox", "libsndfile": "libsndfile", "ffmpeg": "ffmpeg"}
_KEGS = (4, 5, 6, 7, 8)


class OffPath(NamedTuple):
    """A library that is there, and that dyld does not search for: its folder, and the version of an FFmpeg."""

    folder: LibraryFolder
    file: str
    major: int = 0


def fits(context: CheckContext, path: str) -> bool:
    """Whether a library is for this machine. An unreadable library counts as fitting."""
    machine = machine_at(context, path)
    if machine is None or context.target is None:
        return True
    platform = context.target.platform
    return machine.system == platform.system and platform.machine in machine.machines


def machine_at(context: CheckContext, path: str) -> Machine | None:
    """The machine that a library of the checked machine is for."""
    search = context.search_path
    return machine_in(Root(search.root).real(path) if search is not None else path)


def searched_for(context: CheckContext, package: str) -> list[str]:
    """The folders in which dyld looks for the libraries that those of a package need, by their paths here.

    Of a machine that was not examined, these are the folders that the package itself names.
    """
    search, copy = context.search_path, context.copy(package)
    found = list(search.folders) if search is not None else []
    if copy is not None:
        names = context.environment.tree.names(copy.path)
        paths = [os.path.join(copy.path, name) for name in names if is_library(name)]
        paths += [each.path for each in context.attempts if each.package == package]
        there = Root(search.root if search is not None else "/")
        for path in dict.fromkeys(paths):
            binary = read_binary(path)
            rpath = binary.rpath if isinstance(binary, Binary) else ()
            found += [there.real(each.replace("@loader_path", os.path.dirname(path))) for each in rpath]
        found.append(copy.path)
    return list(dict.fromkeys(found))


def ffmpeg_on_path(context: CheckContext, package: str) -> dict[int, str]:
    """The major versions of FFmpeg that dyld finds for a package, with the path of libavutil."""
    return _majors(context, searched_for(context, package))


def _majors(context: CheckContext, folders: Iterable[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for folder in folders:
        for major, path in ffmpeg_in([folder], context.environment.tree).items():
            if fits(context, path):
                found.setdefault(major, path)
    return found


def ffmpeg_off_path(context: CheckContext, majors: Sequence[int]) -> OffPath | None:
    """The newest suitable FFmpeg in a folder of a package manager that dyld does not search."""
    found = [
        OffPath(folder, os.path.basename(path), major)
        for folder in _unsearched(context)
        for major, path in _majors(context, [folder.path]).items()
        if major in majors
    ]
    return max(found, key=lambda each: each.major, default=None)


def library_off_path(context: CheckContext, name: str) -> OffPath | None:
    """A library of this name in a folder of a package manager that dyld does not search."""
    for folder in _unsearched(context):
        if name in context.environment.tree.names(folder.path) and fits(context, os.path.join(folder.path, name)):
            return OffPath(folder, name)
    return None


def _unsearched(context: CheckContext) -> Sequence[LibraryFolder]:
    return context.search_path.unsearched if context.search_path is not None else ()


def is_uncertain(context: CheckContext, off_path: OffPath | None) -> bool:
    """Whether this Python may search that folder: where it is from is not known, so its LC_RPATH is not either."""
    return off_path is not None and context.search_path is not None and not context.search_path.is_whole


def ffmpeg_of_another_machine(context: CheckContext, package: str, majors: Sequence[int]) -> str:
    """A sentence about a suitable FFmpeg for another architecture; "" if there is none."""
    managed = [each.path for each in context.search_path.managed] if context.search_path is not None else []
    for folder in dict.fromkeys([*searched_for(context, package), *managed]):
        for major, path in ffmpeg_in([folder], context.environment.tree).items():
            machine = machine_at(context, path)
            if major in majors and machine is not None and not fits(context, path):
                return f"FFmpeg {major} in {_named(context, folder)} is for {', '.join(machine.machines)}"
    return ""


def _named(context: CheckContext, path: str) -> str:
    return context.search_path.name(path) if context.search_path is not None else path


def where(off_path: OffPath, what: str) -> str:
    """``FFmpeg 8 of Homebrew is in /opt/homebrew/lib, where this Python does not search``."""
    number = f" {off_path.major}" if off_path.major else ""
    folder = off_path.folder
    return f"{what}{number} of {folder.manager} is in {folder.name}, where this Python does not search"


def reach(context: CheckContext, off_path: OffPath, library: str, needs: str) -> Remedy:
    """Make dyld find a library that is there: from conda in an environment of conda, else by a variable."""
    folder = off_path.folder
    if context.search_path is not None and context.search_path.is_apples:
        text = (
            f"macOS removes DYLD_* variables when Apple's own Python starts, so dyld does not search {folder.name}"
        )
        return Remedy(
            f"Create the environment with another Python, such as Homebrew's: {text}.",
            commands=(Command("system", "brew install python"),),
        )
    line = f"export {VARIABLE}={folder.name}"
    variable = Command("shell", line)
    if not context.environment.conda:
        is_linked = folder.manager == "Homebrew" and "/opt/" not in folder.name.removeprefix("/opt/")
        other = " A Python from Homebrew searches it as well." if is_linked else ""
        summary = f"Make dyld search {folder.name}; {UNPROTECTED}.{other}"
        return Remedy(summary, commands=(variable,))
    remedy = install_library(context, library, needs)
    link = f"{off_path.file} of {folder.name} linked into the lib folder of this environment"
    return Remedy(
        f"{remedy.summary.rstrip('.')} in this environment; or use the installed one: {line}, or {link}.",
        commands=(*remedy.commands, variable),
    )


def install(context: CheckContext, library: str, needs: str, package: str) -> Remedy:
    """Install a library with the package manager of a Mac, and make dyld search its folder if it does not."""
    search = context.search_path
    if context.environment.conda or context.system is not None:
        return install_library(context, library, needs)
    manager = "MacPorts" if _has_only_macports(context) else "Homebrew"
    formula, folder = _port(library, needs) if manager == "MacPorts" else _formula(context, library, needs)
    if not formula:
        return install_library(context, library, needs)
    verb = "sudo port install" if manager == "MacPorts" else "brew install"
    line = f"{verb} {formula}"
    place = Root(search.root).real(folder) if search is not None else folder
    if place in searched_for(context, package) or (search is not None and search.is_apples):
        return Remedy(f"Install {formula} of {manager}.", commands=(Command("system", line),))
    unless = "" if search is not None else ", unless it is there"
    return Remedy(
        f"Install {formula} of {manager}{unless}, and make dyld search its folder; {UNPROTECTED}.",
        commands=(Command("system", f"{line} && export {VARIABLE}={folder}"),),
    )


def _has_only_macports(context: CheckContext) -> bool:
    managed = {each.manager for each in context.search_path.managed} if context.search_path is not None else set()
    return "MacPorts" in managed and "Homebrew" not in managed


def _formula(context: CheckContext, library: str, needs: str) -> tuple[str, str]:
    """The formula of Homebrew, and the folder of its libraries; "" if no formula is suitable."""
    from torchlock.knowledge import systems

    machine = context.target.platform.machine if context.target else "arm64"
    brew = {"arm64": "/opt/homebrew"}.get(machine, "/usr/local")
    version = systems.load("macos-homebrew").libraries[library].version
    name = _FORMULA[library]
    if not version or specifier_set(needs).contains(version):
        return name, f"{brew}/opt/{name}/lib" if name == "ffmpeg" else f"{brew}/lib"
    majors = [major for major in _KEGS if specifier_set(needs).contains(f"{major}.9")]
    return (f"{name}@{majors[-1]}", f"{brew}/opt/{name}@{majors[-1]}/lib") if majors else ("", "")


def _port(library: str, needs: str) -> tuple[str, str]:
    """The port of MacPorts, and the folder of its libraries; each recent FFmpeg has its own folder."""
    if library != "ffmpeg":
        return {"libsox": "sox", "libsndfile": "libsndfile"}[library], "/opt/local/lib"
    majors = [major for major in (4, 6, 7, 8) if specifier_set(needs).contains(f"{major}.9")]
    number = majors[-1] if majors else 0
    return (f"ffmpeg{number}", f"/opt/local/libexec/ffmpeg{number}/lib") if majors else ("", "")
