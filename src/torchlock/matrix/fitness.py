"""Whether a build of torch runs on a GPU, and with a driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.knowledge.accelerators import serves
from torchlock.knowledge.drivers import driver_floor, driver_refuses, driver_runs
from torchlock.matrix.values import Fitness

if TYPE_CHECKING:
    from torchlock.knowledge.gpus import Gpu


def fitness_of(torch: str, build: str, platform: str, gpu: Gpu | None, driver: str) -> Fitness:
    """Whether this build of torch has code for the GPU, and runs with the driver; the worst of both answers.

    A CPU build fits every machine.
    """
    found = []
    if gpu is not None:
        found.append(_code(torch, build, platform, gpu))
        refused = driver_refuses(gpu, driver)
        if refused:
            found.append(Fitness("no", refused))
    if driver:
        found.append(_driver(build, platform, driver))
    order = ("no", "unknown", "yes")
    return min(found, key=lambda each: order.index(each.answer), default=Fitness("yes", "nothing was stated"))


def _code(torch: str, build: str, platform: str, gpu: Gpu) -> Fitness:
    if build == "cpu":
        return Fitness("yes", "it needs no GPU, and uses none")
    served = serves("torch", torch, build, platform, gpu)
    return Fitness(_word(served.answer), served.because, served.sources)


def _driver(build: str, platform: str, driver: str) -> Fitness:
    runs = driver_runs(build, platform.partition("-")[0], driver)
    floor = driver_floor(build, platform.partition("-")[0])
    if isinstance(runs, Unknown):
        return Fitness("unknown", runs.because)
    if runs:
        return Fitness("yes", f"driver {driver} is new enough")
    return Fitness("no", f"builds for {build} need driver {floor} or newer")


def _word(answer: bool | Unknown) -> str:
    if isinstance(answer, Unknown):
        return "unknown"
    return "yes" if answer else "no"
