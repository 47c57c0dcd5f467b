"""--gpu, and the machine that --accelerator auto chooses for."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.knowledge.accelerators import (
    absence_of,
    build_serves,
    candidates_for,
    driver_knows,
    driver_runs,
    parse_gpus,
)
from torchlock.lock.build_machine import BuildMachine
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.streams import Console
    from torchlock.inspect.gpus import Machine
    from torchlock.target import Platform, Target

HOST = "host"


def machine_of(
    arguments: argparse.Namespace, target: Target, console: Console, recorded: BuildMachine | None = None
) -> BuildMachine:
    """The machine of the command line: its GPUs, and its NVIDIA driver.

    ``--gpu host``, and ``--accelerator auto`` without a GPU, read this machine. ``recorded`` is the machine of an
    existing lock, which ``auto`` uses in place of this one.

    Raises:
        InputError: a GPU is unknown, or this machine has one that does not answer.
    """
    driver = target.libraries.get("cuda-driver", "")
    auto = target.accelerator == "auto"
    if auto and target.platform.system == "macos" and _is_of_apple(arguments.gpu):
        console.say(
            "note", "the PyTorch index has only CPU builds for macOS, which also use the GPU of Apple silicon"
        )
        return BuildMachine()
    if auto and arguments.gpu is None and recorded is not None and recorded.gpus is not None:
        found = recorded._replace(driver=driver) if driver else recorded
        console.say(
            "note", f"the machine of the existing lock is used: {found}; --gpu {HOST} reads this machine again"
        )
    elif arguments.gpu == HOST or (auto and arguments.gpu is None):
        found = _this_machine(target, console)
    else:
        found = BuildMachine(None if arguments.gpu is None else parse_gpus(arguments.gpu))
    if driver is None and auto and "nvidia" in found.vendors:
        raise InputError(
            "--system-lib cuda-driver=none: without a driver no CUDA build uses the GPU",
            hint="use --accelerator cpu, or state the driver of the machine",
        )
    return found._replace(driver=driver) if driver else found


def _is_of_apple(gpu: str | None) -> bool:
    """Whether --gpu names nothing, or a GPU of Apple."""
    return gpu is None or gpu == HOST or gpu.lower().startswith("apple")


def on_machine(target: Target, machine: BuildMachine) -> Target:
    """The target with the GPUs and the driver of a machine."""
    return replace(target, gpu=machine.archs, libraries={**target.libraries, **machine.libraries})


def machine_for_files(gpu: str | None, driver: str) -> BuildMachine:
    """The machine of --gpu for files that are judged: ``host`` reads this one, and its driver if none is stated.

    Raises:
        InputError: a GPU is unknown, or does not answer.
    """
    if gpu != HOST:
        return BuildMachine(None if gpu is None else parse_gpus(gpu), driver)
    found = _found()
    return BuildMachine(found.gpus, driver or found.driver)


def builds_for_files(accelerator: str, platform: Platform | None, machine: BuildMachine) -> tuple[str, ...]:
    """The builds that files shall install: the one that is named; with ``auto``, all that the machine runs.

    The newest comes first; builds that may run or not come last. ``platform`` is the target, None for several.
    With ``pypi``, the files decide: the answer is empty.

    Raises:
        InputError: there are no such builds for the platform, or the machine runs none.
    """
    if accelerator == "pypi":
        return ()
    if accelerator != "auto":
        absent = None if platform is None else absence_of(accelerator, str(platform))
        if absent is not None:
            raise InputError(
                f"--accelerator {accelerator}: {absent.because}", hint="name another build or platform"
            )
        return (accelerator,)
    if not machine.gpus:
        return ("cpu",)
    if len(machine.vendors) > 1:
        raise InputError(
            f"no build is made for GPUs of different makers ({machine})",
            hint="name the GPU that torch shall use with --gpu",
        )
    system = platform.system if platform is not None else "linux"
    places = [name for name in PLATFORMS if platform is None or name == str(platform)]
    answers = {label: _runs(label, system, places, machine) for label in candidates_for(machine.gpus[0])}
    sure = [label for label, answer in answers.items() if answer is True]
    doubtful = [label for label, answer in answers.items() if isinstance(answer, Unknown)]
    if not sure and not doubtful:
        raise InputError(f"no build runs on this machine ({machine})", hint="name a build, like --accelerator cpu")
    return (*sure, *doubtful)


def _runs(label: str, system: str, places: Sequence[str], machine: BuildMachine) -> bool | Unknown:
    """Whether some torch of a build runs on all GPUs of a machine with its driver, on one of these platforms."""
    answers: list[bool | Unknown] = []
    if machine.driver and "nvidia" in machine.vendors:
        answers.append(driver_runs(label, system, machine.driver))
    for gpu in machine.gpus or ():
        if machine.driver:
            answers.append(driver_knows(gpu, machine.driver))
        there = [build_serves(label, place, gpu).answer for place in places]
        unknown = next((answer for answer in there if isinstance(answer, Unknown)), False)
        answers.append(True if True in there else unknown)
    if False in answers:
        return False
    return next((answer for answer in answers if isinstance(answer, Unknown)), True)


def _this_machine(target: Target, console: Console) -> BuildMachine:
    """The GPUs and the driver of this machine, which must be the target.

    Raises:
        InputError: it is not, or a GPU does not answer.
    """
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform)
    if target.platform.system != system:
        raise InputError(
            f"the GPUs of this machine say nothing about {target.platform}",
            hint="name the GPU of the target, like --gpu 'RTX 4090', or --gpu none",
        )
    found = _found()
    for passed_over in found.passed_over:
        console.say("note", f"{passed_over} does not count for the choice of a build")
    machine = BuildMachine(found.gpus, found.driver if any(gpu.vendor == "nvidia" for gpu in found.gpus) else "")
    if found.gpus:
        rocm = f"; ROCm {found.rocm}" if found.rocm else ""
        console.say("note", f"this machine has {machine}{rocm}")
    elif target.accelerator != "auto":
        console.say("note", "no GPU was found on this machine")
    elif stated := target.libraries.get("cuda-driver"):
        raise InputError(
            f"--system-lib cuda-driver={stated} states an NVIDIA driver, but no GPU was found on this machine",
            hint="name the GPU, like --gpu 'RTX 4090'; or use --gpu none",
        )
    else:
        console.say("note", "no GPU was found on this machine, so the CPU builds are chosen")
    return machine


def _found() -> Machine:
    """What this machine has.

    Raises:
        InputError: a GPU does not answer.
    """
    from torchlock.inspect.gpus import read_machine

    found = read_machine()
    if found.unclear is not None:
        raise InputError(
            f"the GPUs of this machine are not known: {found.unclear}",
            hint="name the GPU, like --gpu 'RTX 4090' or --gpu none, and for NVIDIA its driver, like --system-lib "
            "cuda-driver=580.95.05",
        )
    return found
