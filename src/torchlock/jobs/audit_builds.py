"""The builds that the files of ``audit`` shall install: ``--accelerator`` and the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.knowledge.accelerators import absence_of, build_serves, candidates_for
from torchlock.knowledge.drivers import driver_knows, driver_runs
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.lock.build_machine import BuildMachine
    from torchlock.target import Platform


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
            f"no build supports GPUs of different makers ({machine})",
            hint="name the GPU that torch must use with --gpu",
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
