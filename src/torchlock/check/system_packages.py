"""The command that installs a library with the package manager of the machine."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.conda import conda_install
from torchlock.errors import InputError
from torchlock.finding import Command, Remedy
from torchlock.inspect.host import ffmpeg_majors, libsndfile, libsox, release_of
from torchlock.knowledge import systems
from torchlock.knowledge.rules import specifier_set
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.knowledge.systems import Library, System

ENOENT = "No such file or directory"
_BUILD = {
    "ffmpeg": "build FFmpeg with ./configure --enable-shared",
    "libsox": "build SoX 14.4.2 with ./configure --enable-shared",
    "libsndfile": "build libsndfile with cmake -DBUILD_SHARED_LIBS=ON",
}


_ON_NIXOS = (
    "Make wheels find {file}, which NixOS has in no usual folder: set programs.nix-ld.enable, with the libraries "
    "that they need; or start Python with LD_LIBRARY_PATH of pkgs.stdenv.cc.cc.lib; or use the torch of nixpkgs."
)
_ON_GUIX = (
    "Make wheels find {file}, which Guix has in no usual folder: start Python in guix shell --container "
    "--emulate-fhs with gcc-toolchain; or start it with LD_LIBRARY_PATH of the lib folder of gcc-toolchain."
)
_ON_LINUXBREW = (
    "Use another Python (that of the system, or of uv): the one of Homebrew for Linux does not search the folders "
    "of the system for {file}. Or install gcc with Homebrew, and start it with LD_LIBRARY_PATH of that lib folder."
)
# Signs of these systems in a log; the name of a host counts only as a whole word.
_STORES = (
    (re.compile(r"/nix/store/|\bNixOS\b|\bnixos\b"), _ON_NIXOS),
    (re.compile(r"/gnu/store/"), _ON_GUIX),
    (re.compile(r"/\.linuxbrew/(?:opt|Cellar)/python"), _ON_LINUXBREW),
)
# Libraries that other systems have in a usual folder.
_OF_SYSTEM = re.compile(
    r"lib(?:stdc\+\+|gcc_s|gomp|z|GL|glib-2\.0|gthread-2\.0|python3\.\d{1,2}|sndfile|sox|portaudio|av\w{4,6}"
    r"|sw\w{5,8})\.so[\d.]{0,12}"
)
_ON_WINDOWS = "unpack a shared build of a release that does, and put its bin folder on the PATH"


def system_of(context: CheckContext) -> System | None:
    """The distribution release whose command is shown: the one that was named, else the machine's own."""
    name = context.system
    if name is None and context.environment.conda:
        name = "conda-forge"
    if name is None and context.root is not None:
        known = systems.identified(release_of(context.root))
        name = None if isinstance(known, Unknown) else known
    if name is None and context.target is not None:
        name = {"macos": "macos-homebrew", "windows": "windows"}.get(context.target.platform.system)
    try:
        return None if name is None else systems.load(name)
    except InputError:
        return None


def install_library(
    context: CheckContext, library: str, needs: str, otherwise: str = "", there: int | None = None
) -> Remedy:
    """Install a library of the machine, with its package manager if the package manager's version is suitable.

    ``there`` is an installed major version that is too new. If it is unknown what the package manager has, this
    version is assumed.
    """
    system, known = shipped(context, library)
    if system is not None and known is not None and system.id == "conda-forge":
        return _of_conda(context, system, library, needs)
    if system is None or known is None or not system.install:
        lead = f"Which package of {system.title} has {library} is unknown: install" if system else "Install"
        return Remedy(f"{lead} the shared libraries of {library} {needs}, or {_BUILD[library]}{otherwise}.")
    version = known.version or (str(there) if there else "")
    number = re.match(r"[\d.]*\d", version)
    if number and not specifier_set(needs).contains(number[0]):
        said = f"{system.title} has {library} {version}, which is not suitable ({needs})"
        build = _ON_WINDOWS if system.id == "windows" else _BUILD[library]
        return Remedy(f"{said}: {build}{otherwise}.")
    note = f" ({known.note})" if known.note else ""
    return Remedy(f"Install {library} of {system.title}{note}.", commands=package_command(context, system, known))


def install_runtime(context: CheckContext, library: str, file: str) -> Remedy:
    """Install a runtime library of a compiler, in any version: a file of libstdc++ or libgomp."""
    system, known = shipped(context, library)
    if words := _of_store(context):
        return Remedy(words.format(file=file))
    if system is None or known is None or not system.install:
        return Remedy(f"Install the package that contains {file}; most distributions call it {library}.")
    return Remedy(f"Install {library} of {system.title}.", commands=package_command(context, system, known))


def _of_store(context: CheckContext) -> str:
    """What to do where each package has its own folder in a store, as with Nix and Guix; "" elsewhere."""
    home = context.environment.interpreter.base_prefix
    name = release_of(context.root).get("ID", "") if context.root is not None else ""
    if name == "nixos" or home.startswith("/nix/store/"):
        return _ON_NIXOS
    return _ON_GUIX if name == "guix" or home.startswith("/gnu/store/") else ""


def of_store_in(text: str, library: str) -> str:
    """What to do about a library of the system that a Python of Nix, Guix or Homebrew lacks; "" for other logs."""
    if not _OF_SYSTEM.fullmatch(library):
        return ""
    return next((words.format(file=library) for sign, words in _STORES if sign.search(text)), "")


def shipped(context: CheckContext, library: str) -> tuple[System | None, Library | None]:
    """The distribution release, and its version of a library."""
    system = system_of(context)
    return system, system.libraries.get(library) if system else None


def package_command(context: CheckContext, system: System, library: Library) -> tuple[Command, ...]:
    """The command of the package manager, with the necessary rights. Slim images load package lists first."""
    if system.id == "conda-forge":
        return conda_install(context, "-c conda-forge", *library.packages)
    lines = [system.command(library.packages)]
    if lines[0].startswith("apt-get") and _has_no_lists(context):
        lines.insert(0, "apt-get update")
    if context.live and hasattr(os, "geteuid") and os.geteuid() and not lines[0].startswith("brew"):
        lines = [f"sudo {line}" for line in lines]
    return (Command("system", " && ".join(lines)),)


def _has_no_lists(context: CheckContext) -> bool:
    """Whether the package lists of apt were deleted, as in small images."""
    if context.root is None or context.system is not None:
        return False
    folder = context.root.real("/var/lib/apt/lists")
    return os.path.isdir(folder) and not any("_Packages" in name for name in files.Tree().names(folder))


def _of_conda(context: CheckContext, system: System, library: str, needs: str) -> Remedy:
    """Install a suitable earlier release from conda-forge, which keeps them."""
    known = system.libraries[library]
    upper = re.search(r"<\d[\d.]*", needs)
    packages = [f'"{known.packages[0]}{upper[0]}"'] if upper else list(known.packages)
    commands = conda_install(context, "-c conda-forge", *packages)
    return Remedy(f"Install {library} of {system.title}.", commands=commands)


def libraries_of(context: CheckContext) -> dict[str, str | None]:
    """The libraries that rules are about: what the command line says, else what the machine has.

    FFmpeg and libsox are known by their major versions, libsndfile by its path.
    """
    found = dict(context.libraries)
    if context.root is not None:
        majors = ffmpeg_majors(context.root)
        if majors:
            found.setdefault("ffmpeg", ", ".join(map(str, majors)))
        if libsox(context.root)[0]:
            found.setdefault("libsox", "14")
        if path := libsndfile(context.root):
            found.setdefault("libsndfile", path)
    return found


def stated(context: CheckContext, library: str) -> tuple[bool, str | None]:
    """Whether the command line names a library, and its version."""
    return library in context.libraries, context.libraries.get(library)
