"""Find the environment that the command line names, and the machine for which it is judged."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check import CheckContext, prepare
from torchlock.errors import InputError
from torchlock.runtime import files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from torchlock.check.log import Log
    from torchlock.inspect.environment import Environment
    from torchlock.inspect.environment_choice import ActiveEnvironment
    from torchlock.inspect.loading.root import Root
    from torchlock.inspect.loading.search_path import SearchPath
    from torchlock.jobs.listener import Listener
    from torchlock.target import Platform


class NoEnvironmentError(InputError):
    """No environment is named, and none with torch was found."""


def context_of(arguments: argparse.Namespace, console: Listener) -> CheckContext:
    """The context of the environment that the command line names.

    Raises:
        InputError: there is no environment, or its interpreter does not answer.
    """
    environment = _environment(arguments, console)
    system, libraries, platform = _machine(arguments, environment)
    context = CheckContext(
        environment,
        arguments.path is None,
        _root(arguments, environment),
        system,
        _accelerator(arguments.accelerator),
        arguments.deep,
        libraries,
        platform=platform,
        search_path=_search_path(arguments, environment),
    )
    _add_gpus(context, libraries, arguments.gpu, console)
    if arguments.deep:
        context.progress = _counting(console)
    return context


def context_of_log(log: Log, arguments: argparse.Namespace) -> CheckContext:
    """The context of a log alone: what the log and the command line state, and nothing of this machine.

    Raises:
        InputError: a stated platform, GPU or build is unknown.
    """
    from torchlock.check.log_alone import context_of as alone
    from torchlock.target import Platform

    context = alone(log, None if arguments.platform in (None, "host") else Platform.parse(arguments.platform))
    context.accelerator = _accelerator(arguments.accelerator)
    if arguments.gpu not in (None, "host"):
        from torchlock.knowledge.gpus import parse_gpus

        context.gpus, context.gpu_stated = parse_gpus(arguments.gpu), True
    return context


def _add_gpus(
    context: CheckContext, libraries: dict[str, str | None], stated: str | None, console: Listener
) -> None:
    """Add the GPUs and the NVIDIA driver: as stated on the command line, else as this machine has them.

    Raises:
        InputError: the named GPU is not known.
    """
    if stated not in (None, "host"):
        from torchlock.knowledge.gpus import parse_gpus

        context.gpus, context.gpu_stated = parse_gpus(stated or ""), True
    if not (context.live or stated == "host") or "torch" not in context.pins:
        return
    if context.gpu_stated and "cuda-driver" in libraries:
        return
    from torchlock.inspect.gpus import read_machine
    from torchlock.inspect.host import Driver, driver

    found = driver()
    if isinstance(found, Unknown) and (context.label("torch") or "").startswith("cu"):
        console.say("note", f"it is unknown whether the NVIDIA driver supports this torch: {found}")
    if not context.gpu_stated:
        machine = read_machine(lambda: found)
        context.gpus = machine.gpus
    if isinstance(found, Driver) and "cuda-driver" not in libraries:
        libraries["cuda-driver"] = found.version
        context.driver_names_gpus = not context.gpu_stated


def _counting(console: Listener) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        console.progress(f"hash {done >> 20} of {total >> 20} MB")

    return progress


def _environment(arguments: argparse.Namespace, console: Listener) -> Environment:
    if arguments.path is not None:
        return tree_at(arguments.path, arguments.root)
    from torchlock.inspect.environment import of_interpreter
    from torchlock.jobs.interpreter import ask_interpreter

    cwd = current_folder()
    python, base, virtual = arguments.python, None, ""
    if python is None:
        found = _active(console)
        python = found.python
        if found.folder and not arguments.probe:
            from torchlock.inspect.environment_choice import base_of

            base, virtual = base_of(found.folder), found.folder
            if base is None:
                said = "was found in the current folder: its files are read, and its interpreter is not run"
                console.say("note", f"{virtual} {said} (to run it, use --python {python})")
                arguments.path = virtual
                return tree_at(virtual, None)
    named = f"--python: {python}" if arguments.python else base or python
    if re.fullmatch(r"\d+\.\d+t?", python):
        python = f"python{python}"
    hint = "use --path SITE_PACKAGES to check its packages without running it"
    answer = ask_interpreter(base or python, named, hint, virtual if base else "", prepare)
    if base:
        answer = answer._replace(executable=python)
    return of_interpreter(answer, {**os.environ, **dict(answer.variables)}, cwd)


def tree_at(path: str, root: str | None, option: str = "--path") -> Environment:
    """The environment in a folder, which ``option`` names. It is read, and nothing in it is run.

    Raises:
        InputError: the folder contains no environment.
    """
    from torchlock.inspect.environment import of_tree
    from torchlock.inspect.environment_choice import root_of
    from torchlock.inspect.loading.root import Root
    from torchlock.inspect.tree_python import is_site

    if not files.is_folder(path):
        raise InputError(f"{option}: {path!r} is not a folder", hint="name a site-packages folder")
    folder = root or root_of(path)
    environment = of_tree(path, root=Root(folder) if folder else None)
    if not any(is_site(entry.path, environment.tree) for entry in environment.sites if entry.state == "folder"):
        raise InputError(
            f"{option}: {path!r} contains no Python packages and no environment",
            hint="name a site-packages folder, an environment, or the root folder of an image",
        )
    return environment


def _active(console: Listener) -> ActiveEnvironment:
    """The active environment. If a variable names a missing environment, a note says which one is used.

    Raises:
        NoEnvironmentError: none is named, the project has none, and none has torch.
    """
    from torchlock.inspect.environment_choice import active_environment

    found = active_environment(os.environ)
    if found.looked:
        named = "".join(f"; {name} names {folder}, which is not an environment" for name, folder in found.gone)
        raise NoEnvironmentError(
            f"no environment with torch was found: looked at {', '.join(found.looked)}{named}",
            hint="name its interpreter with --python, or its folder with --path",
        )
    for name, folder in found.gone:
        console.say(
            "note", f"{name} names {folder}, which is not an environment; {found.python} is checked instead"
        )
        console.say("note", f"{found.python} was chosen because {found.because}")
    return found


def current_folder() -> str:
    """The folder in which torchlock was started.

    Raises:
        InputError: it was deleted.
    """
    try:
        return os.getcwd()
    except OSError:
        raise InputError("the current folder no longer exists", hint="change to another folder") from None


def _accelerator(name: str | None) -> str | None:
    """The requested build.

    Raises:
        InputError: torch has no such build.
    """
    from torchlock.knowledge.build_labels import kind_of

    if name is not None and name != "pypi" and kind_of(name) is None:
        raise InputError(f"--accelerator: unknown build {name!r}", hint="like pypi, cpu, cu128 or rocm6.4")
    return name


def _machine(
    arguments: argparse.Namespace, environment: Environment
) -> tuple[str | None, dict[str, str | None], Platform | None]:
    """The machine that the command line describes: its distribution release, libraries and platform."""
    from torchlock.jobs.target import platform_of
    from torchlock.knowledge import systems

    platform = _platform(arguments, environment)
    named = arguments.system not in ("host", "none")
    if named:
        systems.load(arguments.system)
    if not (named or arguments.system_lib):
        return None, {}, platform if arguments.platform not in (None, "host") else None
    written = None if arguments.platform in (None, "host") else arguments.platform
    name = written or (None if platform is not None else "linux-x86_64")
    place, libraries, system = platform_of(
        name, arguments.system if named else "none", arguments.system_lib, platform if written is None else None
    )
    return system.id if system else None, libraries, place if platform is not None else None


def _search_path(arguments: argparse.Namespace, environment: Environment) -> SearchPath | None:
    """The library search path of macOS or Windows; None for Linux, and for another machine.

    Raises:
        InputError: the root folder belongs to a Windows machine.
    """
    from torchlock.inspect.loading.search_path import of_macos, of_windows

    platform = _platform(arguments, environment)
    if platform is None or platform.system == "linux" or arguments.system != "host":
        return None
    prefixes = [environment.interpreter.prefix, environment.interpreter.base_prefix]
    if arguments.root is not None:
        if platform.system == "windows":
            hint = "name its libraries with --system-lib, like ffmpeg=7.1"
            raise InputError(
                "--root: the files of a Windows machine do not show its library search path", hint=hint
            )
        # Nobody but dyld reads these variables: they are stated for the checked machine.
        stated = {name: value for name, value in os.environ.items() if name.startswith("DYLD_")}
        return of_macos(platform.machine, prefixes, stated, arguments.root, conda=bool(environment.conda))
    if arguments.path is not None or sys.platform != {"macos": "darwin", "windows": "win32"}[platform.system]:
        return None
    if platform.system == "macos":
        return of_macos(platform.machine, prefixes, os.environ, conda=bool(environment.conda))
    return of_windows(prefixes, os.environ)


def _platform(arguments: argparse.Namespace, environment: Environment) -> Platform | None:
    from torchlock.target import PLATFORMS, Platform

    own = environment.interpreter.target_platform
    if arguments.platform in (None, "host"):
        return own
    named = Platform.parse(arguments.platform)
    if arguments.path is not None or own is None:
        return named
    if arguments.platform in PLATFORMS and (own.system, own.machine) == (named.system, named.machine):
        return own
    if own[:3] != named[:3] or named.floor > own.floor:
        raise InputError(f"--platform: the checked Python runs on {own.spelled}", hint="leave --platform out")
    return named


def _root(arguments: argparse.Namespace, environment: Environment) -> Root | None:
    """The machine whose libraries are used; None for another machine."""
    from torchlock.inspect.environment_choice import is_used_here, root_of
    from torchlock.inspect.loading.root import Root

    platform = _platform(arguments, environment)
    if arguments.system != "host" or platform is None or platform.system != "linux":
        return None
    if arguments.path is None:
        environ = {**os.environ, **dict(environment.interpreter.variables)}
        return Root("/", environ, platform.machine) if sys.platform == "linux" else None
    folder = arguments.root or root_of(arguments.path)
    if folder is None and is_used_here(environment.interpreter.prefix):
        return Root("/", os.environ, platform.machine)
    return Root(folder, None, platform.machine) if folder else None
