"""From --python, --platform, --system and --system-lib to a Target."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.target import Platform, PythonVersion, Target

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.systems import System

LIBRARIES = ("ffmpeg", "libsox", "libsndfile", "glibc", "musl", "macos", "cuda-driver")

_ASK = (
    "import sys, sysconfig; print(*sys.version_info[:3], sys.implementation.name, "
    "bool(sysconfig.get_config_var('Py_GIL_DISABLED')))"
)


def target_of(arguments: argparse.Namespace) -> tuple[Target, System | None]:
    """The target, and the system whose install command is to be shown (None: nobody named one).

    Raises:
        InputError: an option does not say what it should.
    """
    if arguments.accelerator != "pypi":
        raise InputError(
            f"--accelerator: {arguments.accelerator!r} is not supported yet",
            hint="only pypi is: the builds that the public index itself serves",
        )
    platform, libraries, system = place_of(arguments.platform, arguments.system, arguments.system_lib)
    name = "none" if system is None else system.id
    return Target(python_of(arguments.python), platform, arguments.accelerator, name, libraries), system


def place_of(
    name: str, system_name: str, stated_libraries: Sequence[str]
) -> tuple[Platform, dict[str, str | None], System | None]:
    """--platform, --system and --system-lib together: the platform with its floor, and its libraries.

    Raises:
        InputError: an option does not say what it should.
    """
    platform = Platform.of_host() if name == "host" else Platform.parse(name)
    system = _system(system_name)
    libraries: dict[str, str | None] = {}
    if system is not None:
        libraries.update((key, library.version) for key, library in system.libraries.items() if library.version)
        if system.platforms and platform.system not in system.platforms:
            raise InputError(f"--system {system.id}: {system.title} does not run on {platform}")
        if name in ("linux-x86_64", "linux-aarch64") or (name == "host" and system_name != "host"):
            platform = _with_libc(platform, system.libc)
    stated = _stated(stated_libraries)
    libraries.update(stated)
    for key in ("glibc", "musl", "macos"):
        if stated.get(key):
            platform = _with_floor(platform, key, str(stated[key]))
        libraries.pop(key, None)
    return platform, libraries, system


def _system(name: str) -> System | None:
    from torchlock import systems

    if name == "none":
        return None
    if name == "host":
        found = systems.of_host()
        if found is None:
            raise InputError("--system host: this system is not known", hint="name one, or its --system-lib")
        name = found
    return systems.load(name)


def _with_libc(platform: Platform, libc: str) -> Platform:
    family, _, version = libc.partition(" ")
    if family not in ("glibc", "musl") or not version:
        return platform
    return _with_floor(platform._replace(libc=family), family, version)


def _with_floor(platform: Platform, name: str, version: str) -> Platform:
    numbers = re.match(r"(\d+)(?:\.(\d+))?", version)
    if not numbers:
        raise InputError(f"--system-lib {name}={version}: {version!r} is no version")
    if name != (platform.libc or platform.system):
        raise InputError(f"--system-lib {name}={version}: {platform} has no {name}")
    return platform._replace(floor=(int(numbers[1]), int(numbers[2] or 0)))


def _stated(options: Sequence[str]) -> dict[str, str | None]:
    from packaging.version import InvalidVersion, Version

    stated: dict[str, str | None] = {}
    for option in options:
        name, separator, version = option.partition("=")
        if name not in LIBRARIES or not separator:
            hint = f"NAME=VERSION or NAME=none, with NAME one of {', '.join(LIBRARIES)}"
            raise InputError(f"--system-lib: {option!r} is not understood", hint=hint)
        if version == "none":
            stated[name] = None
            continue
        try:
            stated[name] = str(Version(version))
        except InvalidVersion:
            raise InputError(f"--system-lib {option}: {version!r} is no version") from None
    return stated


def python_of(text: str | None) -> PythonVersion:
    """--python: a version, the path of an interpreter, or None for the running one."""
    if text is None:
        free_threaded = hasattr(sys, "_is_gil_enabled") and "t" in getattr(sys, "abiflags", "")
        return PythonVersion(*sys.version_info[:3], free_threaded)
    if re.match(r"\d", text):
        return PythonVersion.parse(text)
    return _ask(text)


def _ask(path: str) -> PythonVersion:
    """The version of an interpreter, asked for in isolation; nothing else of it is run."""
    import shutil
    import subprocess

    executable = shutil.which(path)
    if executable is None:
        raise InputError(f"--python: {path!r} is neither a version nor an interpreter", hint="like --python 3.12")
    try:
        answer = subprocess.run(
            [executable, "-I", "-S", "-c", _ASK], capture_output=True, text=True, timeout=10, check=True
        ).stdout.split()
        major, minor, patch, name, free_threaded = answer
        version = PythonVersion(int(major), int(minor), int(patch), free_threaded == "True")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise InputError(f"--python: {path} does not answer as a Python interpreter ({error})") from error
    if name != "cpython":
        raise InputError(f"--python: {path} is {name}; wheels of this stack exist for CPython only")
    return version
