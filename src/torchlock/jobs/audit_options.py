"""Turn the arguments of ``torchlock audit`` into the options of an audit."""

from __future__ import annotations

from torchlock.audit import Options
from torchlock.errors import InputError
from torchlock.jobs.rule_names import ignored_rules
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from torchlock.jobs.listener import Listener
    from torchlock.knowledge.gpus import Gpu
    from torchlock.target import Platform


def audit_options(arguments: argparse.Namespace, console: Listener) -> Options:
    """The targets and rules that some arguments name.

    Raises:
        InputError: a value cannot be used.
    """
    from torchlock.jobs.target import accelerator_of, platform_of, python_of
    from torchlock.target import PYTHONS

    platforms: tuple[Platform, ...] | None = None
    libraries: dict[str, str | None] = {}
    if arguments.platform is not None or arguments.system != "none" or arguments.system_lib:
        platform, libraries, _ = platform_of(
            arguments.platform or _platform_of(arguments), arguments.system, arguments.system_lib
        )
        platforms = (platform,)
        floors = any(text.startswith(("glibc=", "musl=", "macos=")) for text in arguments.system_lib)
        if arguments.platform is None and arguments.system == "none" and not floors:
            platforms = None
    asked_for = platforms[0] if platforms else None
    pythons = None if arguments.python is None else (python_of(arguments.python, asked_for),)
    if pythons and pythons[0].minor not in PYTHONS:
        hint = f"the data cover Python 3.{PYTHONS[0]} to 3.{PYTHONS[-1]}"
        raise InputError(f"--python: no data for Python {pythons[0]}", hint=hint)
    build = accelerator_of(arguments.accelerator, asked_for)
    gpus: tuple[Gpu, ...] = ()
    wanted: tuple[str, ...] = ()
    if arguments.gpu is not None or build != "pypi":
        from torchlock.jobs.audit_builds import builds_for_files
        from torchlock.jobs.build_machine import HOST, machine_for_files

        gpu = HOST if build == "auto" and arguments.gpu is None else arguments.gpu
        machine = machine_for_files(gpu, libraries.get("cuda-driver") or "")
        wanted = builds_for_files(build, asked_for, machine)
        if build == "auto":
            console.say("note", f"--accelerator auto means {', '.join(wanted)} ({machine})")
        gpus = machine.gpus or ()
        libraries = {**libraries, **machine.libraries}
    ignored = ignored_rules(arguments.ignore)
    return Options(
        pythons,
        platforms,
        ignored,
        libraries,
        gpus,
        wanted,
        wanted_by_machine=build == "auto",
        docs=arguments.docs,
    )


def _platform_of(arguments: argparse.Namespace) -> str:
    """A platform of the system that the command line names, if it names no platform."""
    from torchlock.knowledge import systems
    from torchlock.target import PLATFORMS

    if arguments.system not in ("none", "host"):
        runs_on = systems.load(arguments.system).platforms
    else:
        runs_on = ("macos",) if any(text.startswith("macos=") for text in arguments.system_lib) else ()
    return next((name for name in PLATFORMS if name.partition("-")[0] in runs_on), PLATFORMS[0])
