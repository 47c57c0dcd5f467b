"""TL301: libsndfile. The soundfile wheels of most platforms contain it; on others soundfile searches for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check import mac_libraries, msys2
from torchlock.check.damage import why_damaged
from torchlock.check.fix.commands import with_binary
from torchlock.check.rules.foreign_wheels import SYSTEMS
from torchlock.check.rules.import_path import is_other_module
from torchlock.check.soundfile_data import folder_of, opened, there
from torchlock.check.system_packages import ENOENT, install_library, stated
from torchlock.finding import Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.host import libsndfile
from torchlock.inspect.machine import HEAD, machine_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.severity import severity_of
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.modules import ModuleCopy
    from torchlock.runtime.files import Kind

# From this release on, it also searches Homebrew's folder, last of all.
_KNOWS_HOMEBREW = ">=0.11"
_OF_MACOS = "libsndfile.dylib"
# The names that soundfile asks for on each system, and the folders of a conda environment that are not "lib".
_NAMES = {
    "linux": ("libsndfile.so.1", "libsndfile.so"),
    "macos": (_OF_MACOS,),
    "windows": ("sndfile.dll", "libsndfile.dll"),
}
_IN_PREFIX = {"windows": ("Library", "bin")}
# Systems without libsndfile; soundfile's wheels for them contain it.
_NONE = {"macos": "macOS does not include one", "windows": "Windows does not include one"}
# A Python of 32 bits, for which no torch is made.
_WIN32 = "win32"
# The releases whose wheels contain it there, of all on the public index (2026-11-28).
_CARRYING = {
    ("windows", "amd64"): ">=0.8",
    ("windows", "arm64"): ">=0.14",
    ("windows", _WIN32): ">=0.9",
    ("macos", "x86_64"): ">=0.8",
    ("macos", "arm64"): ">=0.11",
}
# The error of cffi for a missing library.
_SAYS = {
    "linux": "OSError: cannot load library 'libsndfile.so': "
    f"libsndfile.so: cannot open shared object file: {ENOENT}",
    "macos": "OSError: cannot load library 'libsndfile.dylib': dlopen(libsndfile.dylib, 0x0002): tried: "
    "'libsndfile.dylib' (no such file)",
    "windows": "OSError: cannot load library 'libsndfile.dll': error 0x7e",
}


@rule("TL301", "TL607", "TL608")
def soundfile(context: CheckContext) -> Iterator[Finding]:
    """soundfile without libsndfile: its wheel is the one for every platform, or its library does not fit."""
    copy = context.copy("soundfile")
    if copy is None or copy.kind != "module" or is_other_module(context, copy):
        return
    if bundled := _bundled(context, copy):
        yield from _other_machine(context, bundled)
        yield from _damaged(context, bundled)
        return
    if not stated(context, "libsndfile")[0] and context.search_path is not None:
        yield from _of_another_architecture(context, _searched(context))
    if has_library(context) is False:
        is_absent = machine_has_libsndfile(context) is False
        yield without_libsndfile(
            context, why_none(context, "this machine has none" if is_absent else _NONE[_system(context)])
        )


def _damaged(context: CheckContext, bundled: Sequence[str]) -> Iterator[Finding]:
    """A library of the wheel whose inner tables are lost; the record shows other damage."""
    for path in bundled:
        binary = read_binary(path)
        why = "" if isinstance(binary, Binary) or binary.unknown else why_damaged(binary.reason)
        if why and not isinstance(binary, Binary):
            message = f"{os.path.basename(path)} of soundfile cannot be loaded: {binary.reason}"
            severity = severity_of(fails=False)
            yield context.finding("TL607", severity, message, "soundfile", path=path, because=why)


def why_none(context: CheckContext, otherwise: str) -> str:
    """Why soundfile finds no library: on a Mac it may be there, in a folder that is not searched."""
    if of_msys2 := msys2.why_no_libsndfile(context):
        return of_msys2
    off_path = mac_libraries.library_off_path(context, _OF_MACOS) if _system(context) == "macos" else None
    return otherwise if off_path is None else mac_libraries.where(off_path, _OF_MACOS)


def has_library(context: CheckContext) -> bool | Unknown:
    """Whether soundfile finds a libsndfile, in its wheel or on the machine."""
    copy = context.copy("soundfile")
    if copy is None or copy.kind != "module":
        return Unknown("no module soundfile.py was found")
    if bundled := _bundled(context, copy):
        if any(machine_of(_head(path)) for path in bundled):
            return True  # TL608 reports a library for another machine
        return Unknown(f"{os.path.basename(bundled[0])} cannot be read as a library")
    of_msys2 = msys2.has_libsndfile(context)
    if of_msys2 is not None and not stated(context, "libsndfile")[0]:
        return of_msys2
    found = machine_has_libsndfile(context)
    if isinstance(found, Unknown) and not context.environment.conda and _brings(context):
        return False
    return Unknown(f"it does not contain libsndfile, and {found}") if isinstance(found, Unknown) else found


def _bundled(context: CheckContext, copy: ModuleCopy) -> list[str]:
    """The libraries that are part of the soundfile package."""
    return [os.path.join(folder_of(copy), name) for name in opened(context, copy)]


def _system(context: CheckContext) -> str:
    is_windows = msys2.environment_of(context) or context.environment.interpreter.platform == _WIN32
    return context.operating_system or ("windows" if is_windows else "linux")


def _brings(context: CheckContext) -> bool:
    """Whether this release's wheel for this platform contains libsndfile."""
    releases = _with_library(context)
    return bool(releases) and specifier_set(releases).contains(context.pins["soundfile"].version)


def _with_library(context: CheckContext) -> str:
    """The releases whose wheels for this platform contain libsndfile; "" if this is not the rule there."""
    platform = context.known_platform
    if platform is None and context.environment.interpreter.platform == _WIN32:
        return _CARRYING["windows", _WIN32]
    return _CARRYING.get((platform.system, platform.machine), "") if platform else ""


def machine_has_libsndfile(context: CheckContext) -> bool | Unknown:
    """Whether the machine has a libsndfile."""
    is_stated, version = stated(context, "libsndfile")
    if is_stated:
        return bool(version)
    if context.search_path is not None:
        off_path = mac_libraries.library_off_path(context, _OF_MACOS)
        found = bool(_searched(context))
        if not found and _system(context) == "macos" and mac_libraries.is_uncertain(context, off_path):
            return Unknown("it is not known which folders this Python makes dyld search")
        return found
    in_prefix = context.environment.conda and bool(_in_conda_prefix(context))
    if in_prefix or (context.root is not None and libsndfile(context.root) is not None):
        return True
    if context.root is None:
        return Unknown("the machine was not examined")
    if context.environment.conda and not _libraries_of_conda(context):
        return Unknown("the libraries of the conda environment were not examined")
    return False


def _in_conda_prefix(context: CheckContext) -> list[str]:
    """The libraries of a conda environment; cffi finds one there, next to the Python that runs, or on the PATH."""
    there = _libraries_of_conda(context)
    folder = os.path.join(context.environment.interpreter.prefix, *_IN_PREFIX.get(_system(context), ("lib",)))
    return [os.path.join(folder, name) for name in _NAMES[_system(context)] if name in there]


def _libraries_of_conda(context: CheckContext) -> Mapping[str, Kind]:
    prefix = context.environment.interpreter.prefix
    folder = os.path.join(prefix, *_IN_PREFIX.get(_system(context), ("lib",)))
    return context.environment.tree.names(folder) if prefix else {}


def opened_library(context: CheckContext) -> str:
    """The path of the libsndfile that soundfile opens; "" if it is not known, or if none is there."""
    copy = context.copy("soundfile")
    if copy is None or copy.kind != "module" or context.target is None or stated(context, "libsndfile")[0]:
        return ""
    bundled = [path for path in _bundled(context, copy) if mac_libraries.fits(context, path)]
    searched = [path for path in _searched(context) if mac_libraries.fits(context, path)]
    of_conda = _in_conda_prefix(context) if context.environment.conda and context.search_path is None else []
    of_machine = libsndfile(context.root) if context.root is not None else None
    return next(iter([*bundled, *searched, *of_conda, *filter(None, [of_machine])]), "")


def without_libsndfile(context: CheckContext, because_none: str, system: str = "") -> Finding:
    """The finding for a soundfile without a library; ``because_none`` says why the machine has none for it.

    ``system`` is the one that a log shows, if that of the environment is unknown.
    """
    copy = context.copy("soundfile")
    unused = there(context, copy) if copy is not None and copy.kind == "module" else []
    lacks = f"does not find {unused[0]} beside it" if unused else "does not contain libsndfile"
    message = f"{context.named('soundfile')} {lacks}, and {because_none}"
    expected_error = (
        _SAYS[system or _system(context)]
        if _is_one_of(context, ">=0.11")
        else "OSError: sndfile library not found"
        if _is_one_of(context, ">=0.10")
        else ""  # It depends on the release of cffi.
    )
    return context.finding(
        "TL301",
        severity_of(fails=_is_imported(context)),
        message,
        "soundfile",
        *(["torchaudio"] if _is_imported(context) else []),
        path=copy.path if copy else "",
        because="it is a binding for libsndfile, and opens no library of its own here" if unused else None,
        expected_error=expected_error,
        remedy=with_wheel(context),
    )


def _is_imported(context: CheckContext) -> bool:
    """Whether the import of torchaudio imports a soundfile that is there, and fails with it, as up to 0.9."""
    pin = context.pins.get("torchaudio")
    return pin is not None and not pin.unversioned and specifier_set(">=0.6,<0.10").contains(pin.version)


def with_wheel(context: CheckContext) -> Remedy:
    """A wheel with the library, if this Python takes one for macOS or Windows; else the machine's package."""
    if msys2.environment_of(context):
        return msys2.install_soundfile(context)
    releases = _with_library(context)
    if not releases or context.environment.conda:
        return install_library(
            context, "libsndfile", ">=1.0.20", ", or install a soundfile wheel of this platform"
        )
    version = context.pins["soundfile"].version.public
    summary = "Install a soundfile wheel that contains libsndfile instead of this one."
    wanted = f"=={version}" if _brings(context) else releases
    return Remedy(summary, commands=with_binary(context, "soundfile", wanted))


def _is_one_of(context: CheckContext, releases: str) -> bool:
    return specifier_set(releases).contains(context.pins["soundfile"].version)


def _searched(context: CheckContext) -> list[str]:
    """The libraries that soundfile tries on macOS or Windows; it uses the first that opens."""
    path = context.search_path
    if path is None:
        return []
    names = _NAMES[_system(context)]
    folders = [*path.folders, *([path.homebrew] if path.homebrew and _is_one_of(context, _KNOWS_HOMEBREW) else [])]
    listed = [(folder, {name.lower() for name in context.environment.tree.names(folder)}) for folder in folders]
    return [os.path.join(folder, name) for folder, there in listed for name in names if name in there]


def _of_another_architecture(context: CheckContext, found: Sequence[str]) -> Iterator[Finding]:
    """A library as an Intel Homebrew installs it in /usr/local, with a Python for arm64."""
    if context.target is None or not found or any(mac_libraries.fits(context, path) for path in found):
        return
    platform, machine = context.target.platform, mac_libraries.machine_at(context, found[0])
    path = context.search_path.name(found[0]) if context.search_path is not None else found[0]
    there = ", ".join(machine.machines) if machine else ""
    finds = f"{context.named('soundfile')} finds {path}, which is for {there}"
    message = f"{finds}, and this Python is for {platform.machine}"
    expected_error = (
        f"OSError: cannot load library '{path}': dlopen({path}, 0x0002): tried: '{path}' "
        f"(mach-o file, but is an incompatible architecture (have '{there}', need '{platform.machine}'))"
    )
    yield context.finding(
        "TL608",
        "warning",
        message,
        "soundfile",
        path=path,
        expected_error=expected_error,
        remedy=_replaced(context),
    )


def _replaced(context: CheckContext) -> Remedy | None:
    """Install Homebrew's library for this machine, if this soundfile would find it."""
    if not _is_one_of(context, _KNOWS_HOMEBREW):
        return None
    return install_library(context, "libsndfile", ">=1.0.20", ", or install a soundfile wheel of this platform")


def _other_machine(context: CheckContext, libraries: list[str]) -> Iterator[Finding]:
    platform = context.target.platform if context.target else None
    machines = [(path, machine_of(_head(path))) for path in libraries]
    known = [(path, found) for path, found in machines if found]
    if platform is None or not known:
        return
    if not any(found.system == platform.system and platform.machine in found.machines for _, found in known):
        path, found = known[0]
        theirs = f"{SYSTEMS[found.system]} ({', '.join(found.machines)})"
        mine = f"{SYSTEMS[platform.system]} ({platform.machine})"
        message = f"the libsndfile of {context.named('soundfile')} is for {theirs}, this Python is for {mine}"
        expected_error = f"OSError: cannot load library '{path}'"
        yield context.finding("TL608", "warning", message, "soundfile", path=path, expected_error=expected_error)


def _head(path: str) -> bytes:
    try:
        return files.read(path, HEAD)
    except OSError:
        return b""
