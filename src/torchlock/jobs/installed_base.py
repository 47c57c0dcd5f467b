"""--base-image and --constraint-from: what is installed already, and the target that follows from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.redaction import shortened
from torchlock.runtime import files
from torchlock.target import Platform

if TYPE_CHECKING:
    import argparse

    from torchlock.inspect.environment import Environment
    from torchlock.jobs.listener import Listener
    from torchlock.knowledge.images import Image
    from torchlock.lock.installed_base import Base

# The machines of container images, by those of a host.
_MACHINES = {"arm64": "aarch64", "aarch64": "aarch64"}


def base_of(arguments: argparse.Namespace, console: Listener) -> Base | None:
    """What the packages are installed into; None if the command line names nothing.

    It sets those options of the target that the command line leaves open: Python, platform, and the build.

    Raises:
        InputError: there is no such environment, or an option contradicts it.
    """
    if arguments.base_image is not None:
        base = _of_image(arguments)
    elif arguments.constraint_from is not None:
        base = _of_environment(arguments, console)
    else:
        return None
    _set_build(arguments, base)
    for gap in base.gaps:
        console.say("note", gap)
    return base


def _of_image(arguments: argparse.Namespace) -> Base:
    from torchlock.knowledge.images import image_of
    from torchlock.lock.installed_base import base_of_image

    name = check_image(arguments.base_image)
    asked = None if arguments.platform == "host" else Platform.parse(arguments.platform)
    if asked is not None and asked.system != "linux":
        raise InputError(
            f"--platform {arguments.platform}: a base image runs on Linux",
            hint="leave --platform out, or use a platform of Linux",
        )
    machine = asked.machine if asked is not None else _machine(image_of(name).platforms)
    image = image_of(name, f"linux-{machine}")
    gaps = _open_target(arguments, image, machine)
    base = base_of_image(image)
    if base.unknown:
        gaps.insert(0, f"the packages of {base.title} are unknown: {base.unknown}")
    return base._replace(gaps=(*gaps, *base.gaps))


def check_image(text: str) -> str:
    """The name of an image.

    Raises:
        InputError: the text is not one.
    """
    name = text.strip()
    if not name or any(character.isspace() for character in name):
        hint = "name it as in FROM, like pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime"
        raise InputError(f"--base-image: {shortened(name)!r} is not the name of an image", hint=hint)
    return name


def _machine(platforms: tuple[str, ...]) -> str:
    """The machine of this host, or of the image if it does not run there."""
    import platform

    own = _MACHINES.get(platform.machine().lower(), "x86_64")
    return own if not platforms or f"linux-{own}" in platforms else platforms[0].partition("-")[2]


def _open_target(arguments: argparse.Namespace, image: Image, machine: str) -> list[str]:
    """Set Python and platform where the command line does not; what is unknown of them, as sentences."""
    gaps = []
    if arguments.python is None and image.python:
        arguments.python = image.python
    elif arguments.python is None:
        gaps.append(
            f"the Python of base image {image.name} is unknown; this lock is for the Python that runs torchlock "
            "(state it with --python)"
        )
    if arguments.platform == "host":
        family, _, version = image.libc.partition(" ")
        floor = version.replace(".", "_")
        wheels = {"glibc": "manylinux", "musl": "musllinux"}
        arguments.platform = f"{wheels[family]}_{floor}_{machine}" if family else f"linux-{machine}"
    return gaps


def _of_environment(arguments: argparse.Namespace, console: Listener) -> Base:
    from torchlock.lock.base_environment import base_of_environment

    name = arguments.constraint_from
    environment = _read(name)
    interpreter = environment.interpreter
    if arguments.python is None and interpreter.python is not None:
        arguments.python = interpreter.python.full + ("t" if interpreter.free_threaded else "")
    elif arguments.python is None:
        console.say("note", f"the Python of {name} is unknown; this lock is for the Python that runs torchlock")
    own = interpreter.target_platform
    if arguments.platform == "host" and own is not None:
        arguments.platform = own.spelled
    return base_of_environment(environment, name)


def python_of_base(arguments: argparse.Namespace) -> str:
    """The Python of the base image or environment that the arguments name; "" if it is unknown.

    Raises:
        InputError: there is no such environment.
    """
    if arguments.base_image is not None:
        from torchlock.knowledge.images import image_of

        return image_of(check_image(arguments.base_image)).python
    found = _read(arguments.constraint_from).interpreter.python
    return "" if found is None else found.full


def platform_of_environment(name: str) -> Platform | None:
    """The platform of an environment, None if it is unknown.

    Raises:
        InputError: there is no such environment.
    """
    return _read(name).interpreter.target_platform


def _read(name: str) -> Environment:
    """The environment that a path names: a folder is read, and an interpreter is asked for its paths."""
    if files.is_folder(name):
        from torchlock.jobs.environment import tree_at

        return tree_at(name, None, "--constraint-from")
    from torchlock.inspect.environment import of_interpreter
    from torchlock.inspect.interpreter import find_executable
    from torchlock.jobs.interpreter import ask_interpreter

    hint = "name a virtual environment, a site-packages folder or an interpreter"
    if find_executable(name) is None:
        raise InputError(f"--constraint-from: there is no environment {name!r}", hint=hint)
    answer = ask_interpreter(name, f"--constraint-from: {name}", "name its site-packages folder instead")
    return of_interpreter(answer, {**os.environ, **dict(answer.variables)})


def _set_build(arguments: argparse.Namespace, base: Base) -> None:
    """Set the build of the torch family to that of the torch that stays.

    Raises:
        InputError: the command line asks for another.
    """
    torch = base.packages.get("torch")
    if torch is None:
        return
    if arguments.accelerator in (None, "auto"):
        arguments.accelerator = "pypi"  # the torch that is there stays, so there is nothing to choose
    if arguments.accelerator not in ("pypi", base.build):
        built = f"built by {base.vendor}" if base.vendor else f"of the build {base.build or '(unknown)'}"
        raise InputError(
            f"--accelerator {arguments.accelerator} contradicts {base.title}, which has {torch}, {built}",
            hint="leave --accelerator out: the installed torch stays",
        )
    if base.build and not base.vendor and not _is_macos(arguments.platform):
        arguments.accelerator = base.build


def _is_macos(platform: str) -> bool:
    return Platform.of_host().system == "macos" if platform == "host" else platform.startswith("macos")
