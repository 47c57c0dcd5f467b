"""Turn --python, --platform, --system and --system-lib into a Target."""

from __future__ import annotations

import re
import sys
from argparse import Namespace

from torchlock.answers import Unknown
from torchlock.errors import InputError, WrongTarget
from torchlock.records import replace
from torchlock.redaction import shortened
from torchlock.spelling import meant, question
from torchlock.standards.ordering import normal
from torchlock.target import PLATFORMS, Platform, PythonVersion, Target
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.inspect.interpreter import Interpreter
    from torchlock.knowledge.systems import System

LIBRARIES = ("ffmpeg", "libsox", "libsndfile", "glibc", "musl", "macos", "cuda-driver")
# Libraries that set the floor of a platform; a target has at most one of them.
_FLOORS = ("glibc", "musl", "macos")
# What a value was probably meant to be, if it names no build.
_MEANT = {
    **dict.fromkeys(("gpu", "cuda", "nvidia", "cu", "rocm", "hip", "amd", "host", "native"), "auto"),
    **dict.fromkeys(("mps", "metal", "apple", "none", "nogpu"), "cpu"),
    **dict.fromkeys(("intel", "oneapi", "sycl", "arc"), "xpu"),
}
# The first CUDA that torch was built for. A label of an older one is a major version alone: cu12 is not CUDA 1.2.
_FIRST_CUDA = (6,)
# The longest version of a C library or of macOS, as text.
_LONGEST = 7


def target_of(arguments: argparse.Namespace) -> tuple[Target, System | None]:
    """The target, and the system whose install command is shown (None: no system was named).

    Raises:
        InputError: an option is invalid.
    """
    platform, libraries, system = platform_of(arguments.platform, arguments.system, arguments.system_lib)
    name = "none" if system is None else system.id
    build = accelerator_of(arguments.accelerator or "pypi", platform)
    return Target(python_of(arguments.python, platform), platform, build, name, libraries), system


def plain_target(arguments: argparse.Namespace) -> Target:
    """The target with the build that the arguments name, also if there is none for the platform.

    Raises:
        InputError: an option is invalid.
    """
    label = arguments.accelerator or "pypi"
    target, _ = target_of(Namespace(**{**vars(arguments), "accelerator": "pypi"}))
    return replace(target, accelerator=label)


def accelerator_of(name: str, platform: Platform | None) -> str:
    """The build that is asked for: ``pypi``, ``auto``, or a label like ``cpu`` and ``cu128``.

    ``platform`` is the target, None for several.

    Raises:
        InputError: there is no such build, or none of it for the platform.
    """
    from torchlock.knowledge.build_labels import parse_label

    if name in ("pypi", "auto"):
        return name
    label = parse_label(name)
    if label is None or not label.is_of_index or (label.kind == "cuda" and label.version < _FIRST_CUDA):
        hint = "use pypi (the builds of the public index), auto, cpu, cu128, rocm6.4, xpu or the like"
        said = f"--accelerator: {shortened(name)!r} is not a build of the PyTorch index"
        raise InputError(f"{said}{_near_build(name)}", hint=hint)
    try:
        if platform is not None:
            check_build(name, platform)
    except WrongTarget as error:
        raise WrongTarget(f"--accelerator {name}: {error.message}", hint=error.hint) from None
    return name


def check_build(label: str, platform: Platform) -> None:
    """Check that there may be builds with this label for the platform.

    Raises:
        WrongTarget: there are none.
    """
    from torchlock.knowledge.build_labels import describe_build

    if platform.system == "macos" and label != "cpu":
        raise WrongTarget(
            f"there is no build for {describe_build(label)} on macOS",
            hint="use --accelerator cpu, whose wheels for macOS also use the GPU of Apple silicon",
        )


def _near_build(name: str) -> str:
    """A question that names the build that was probably meant, or ""."""
    from torchlock.knowledge.accelerators import labels

    dense = re.sub(r"[-_ ]", "", name[:20].lower())
    plain = dense.replace("cuda", "cu").replace(".", "")
    if dense in _MEANT:
        return question([_MEANT[dense]])
    known = ("pypi", "auto", *labels())
    exact = [each for each in (plain, dense) if each in known][:1]
    return question(exact) if exact else meant(plain, known)


def platform_of(
    name: str | None, system_name: str, stated_libraries: Sequence[str], own: Platform | None = None
) -> tuple[Platform, dict[str, str | None], System | None]:
    """Combine --platform, --system and --system-lib: the platform with its floor, its libraries, the system.

    Without a name, the platform is ``own`` (of an environment). Without a floor, the system sets it.

    Raises:
        InputError: an option is invalid, or two of them contradict each other.
    """
    platform = (
        own if name is None and own else Platform.of_host() if name == "host" else Platform.parse(name or "")
    )
    written = f"--platform {name}" if name not in (None, "host", *PLATFORMS) else ""
    stated = libraries_of(stated_libraries)
    system = _system(system_name)
    libraries: dict[str, str | None] = {}
    if system is not None:
        libraries.update((key, library.version) for key, library in system.libraries.items() if library.version)
        _check_system(system, platform)
        family, _, version = system.libc.partition(" ")
        if family in ("glibc", "musl") and version and (name, system_name) != ("host", "host"):
            if not written and own is None:
                platform = platform._replace(libc=family)
            asked = written or f"the environment ({platform.spelled})"
            said = f"--system {system.id} ({system.title} has {family} {{version}})"
            platform = _with_floor(
                platform, asked, said, family, stated.get(family) or version, fixed=bool(written)
            )
    libraries.update(stated)
    for family in _FLOORS:
        if family in stated:
            said = f"--system-lib {family}={{version}}"
            asked = written or str(platform)
            platform = _with_floor(platform, asked, said, family, stated[family], fixed=bool(written))
        libraries.pop(family, None)
    return platform, libraries, system


def _check_system(system: System, platform: Platform) -> None:
    """Refuse a system that does not run on the platform.

    Raises:
        InputError: it does not.
    """
    if system.platforms and platform.system not in system.platforms:
        raise InputError(
            f"--system {system.id}: {system.title} does not run on {platform}",
            hint="leave --system out, or name a system of this platform",
        )
    if system.id == "conda-forge" and platform.libc == "musl":
        raise InputError(
            f"--system {system.id}: its packages need glibc, and {platform.spelled} has musl",
            hint=f"use {_platform_for('glibc')}",
        )


def _with_floor(
    platform: Platform, asked: str, said: str, family: str, version: str | None, *, fixed: bool
) -> Platform:
    """The platform with the stated version of its C library (or macOS).

    A floor that is ``fixed``, because the user wrote it, stays if it is not above that version.

    Raises:
        InputError: the machine has another C library, or an older one than the platform requires.
    """
    said = said.format(version=version or "none")
    own = platform.libc or platform.system
    if family != own:
        if version is None:
            return platform
        what = f"is for {own}" if own in _FLOORS else f"has no {family}"
        raise InputError(f"{said} contradicts {asked}, which {what}", hint=f"use {_platform_for(family)}")
    if version is None:
        raise InputError(f"{said} contradicts {asked}, whose wheels need {family}", hint="leave out one of them")
    numbers = re.match(r"([0-9]+)(?:\.([0-9]+))?", version)
    if not numbers or len(numbers[0]) > _LONGEST:
        raise InputError(
            f"{shortened(said)}: {shortened(version)!r} is not a version", hint="use a version like 2.31"
        )
    floor = int(numbers[1]), int(numbers[2] or 0)
    if not fixed:
        return platform._replace(floor=floor)
    if platform.floor > floor:
        newer = ".".join(map(str, platform.floor))
        fitting = f"--platform {platform._replace(floor=floor).spelled}"
        called = {"macos": "macOS"}.get(family, family)
        raise InputError(
            f"{said} contradicts {asked}, which needs {called} {newer} or newer",
            hint=f"use {fitting}",
        )
    return platform


def _platform_for(family: str) -> str:
    """A platform option with this C library, or with macOS, for a hint."""
    names = {"glibc": "manylinux_2_28_x86_64", "musl": "musllinux_1_2_x86_64", "macos": "macosx_14_0_arm64"}
    return f"--platform {names[family]}"


def _system(name: str) -> System | None:
    from torchlock.knowledge import systems

    if name == "none":
        return None
    if name == "host":
        found = systems.of_host()
        if isinstance(found, Unknown):
            raise InputError(
                f"--system host: this system is unknown: {found}",
                hint="name a system, like --system debian-12, or its libraries with --system-lib",
            )
        name = found
    return systems.load(name)


def libraries_of(options: Sequence[str]) -> dict[str, str | None]:
    """The versions that --system-lib states; None for a library that is not there.

    Raises:
        InputError: a value is invalid, or a library has two versions.
    """
    stated: dict[str, str | None] = {}
    for option in options:
        name, separator, version = option.partition("=")
        if name not in LIBRARIES or not separator:
            hint = f"use NAME=VERSION or NAME=none, where NAME is one of {', '.join(LIBRARIES)}"
            raise InputError(f"--system-lib: invalid value {option!r}", hint=hint)
        try:
            parsed = None if version == "none" else normal(version)
            # Drivers have zeros that are part of their names: 580.65.06.
            found = version.strip().lstrip("vV") if parsed is not None and name == "cuda-driver" else parsed
        except ValueError:
            raise InputError(
                f"--system-lib {option}: {version!r} is not a version", hint="use a version like 2.31"
            ) from None
        if stated.setdefault(name, found) != found:
            raise InputError(
                f"--system-lib names {name} twice: {stated[name] or 'none'} and {version}",
                hint="use only one of them",
            )
    return stated


def python_of(text: str | None, platform: Platform | None = None) -> PythonVersion:
    """--python: a version, the path of an interpreter, or None for the running one.

    Raises:
        InputError: it is neither, or the interpreter runs on another platform than the target.
    """
    if text is None:
        free_threaded = hasattr(sys, "_is_gil_enabled") and "t" in getattr(sys, "abiflags", "")
        return PythonVersion(*sys.version_info[:3], free_threaded)
    if text[:1].isdigit():
        return PythonVersion.parse(text)
    return _ask(text, platform)


def _ask(path: str, platform: Platform | None) -> PythonVersion:
    """The version of an interpreter."""
    from torchlock.inspect.interpreter import find_executable
    from torchlock.jobs.interpreter import ask_interpreter

    if find_executable(path) is None:
        raise InputError(
            f"--python: {path!r} is neither a version nor an interpreter", hint="use, for example, --python 3.12"
        )
    answer = ask_interpreter(path, f"--python: {path}", "use the version instead, like --python 3.12")
    if answer.implementation != "cpython":
        said = f"--python: {path} is {answer.implementation}; wheels of this stack exist for CPython only"
        raise InputError(said)
    version = PythonVersion.parse(answer.version)._replace(free_threaded=answer.free_threaded)
    if platform is not None:
        _refuse_other_platform(path, version, answer, platform)
    return version


def _refuse_other_platform(path: str, version: PythonVersion, answer: Interpreter, platform: Platform) -> None:
    """Refuse an interpreter of another platform."""
    own = answer.target_platform
    if own is not None and own[:3] == platform[:3]:
        return
    named = answer.platform if own is None else f"{own.system}-{own.machine}"
    named += " with musl" if own is not None and own.libc == "musl" else ""
    raise InputError(
        f"--python {path} contradicts the platform {platform.spelled}: that interpreter runs on {named}",
        hint=f"use the platform of the interpreter with --platform, or only its version: --python {version}",
    )
