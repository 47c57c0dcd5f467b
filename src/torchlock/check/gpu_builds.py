"""The builds of torch that run on a GPU with the driver of the machine, and that exist for the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.check.index_wheels import has_wheels, wheel_version
from torchlock.knowledge import accelerators, drivers
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.compatibility import CompatibilityTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.knowledge.gpus import Gpu
    from torchlock.target import Target


# Variables that hide all GPUs if they are empty.
_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
# The companions with GPU code of their own. torchcodec decodes with the libraries of the driver.
COMPANIONS = ("torchaudio", "torchvision")


class Offer(NamedTuple):
    """A build of a release of torch. ``is_certain``: it is known that it exists and that it has the code."""

    version: str
    label: str
    is_certain: bool
    written: str

    def __str__(self) -> str:
        return f"torch {self.written}" + ("" if self.label in self.written else f" of /whl/{self.label}")


def offers(context: CheckContext, gpus: Sequence[Gpu], version: str = "") -> list[Offer]:
    """The builds of a release of torch (default: the installed one) that run on all these GPUs, best first.

    Without a GPU, the builds for CUDA that run with the NVIDIA driver. Builds for a newer CUDA come first, and
    certain ones before others. For the installed release, the installed companions with GPU code count, too.
    """
    pin, target = context.pins.get("torch"), context.target
    if target is None or pin is None or pin.unversioned:
        return []
    release = version or pin.version.public
    members = {"torch": release} if version else _members(context)
    found = list(_offers(context, target, gpus, members))
    return sorted(found, key=lambda each: not each.is_certain)


def nearest_offer(context: CheckContext, gpus: Sequence[Gpu]) -> Offer | None:
    """The best build of the installed release of torch, else of the nearest release; None if there is none."""
    if found := offers(context, gpus):
        return found[0]
    pin = context.pins.get("torch")
    versions = CompatibilityTable().packages["torch"].versions
    if pin is None or pin.version.public not in versions:
        return None
    here = versions.index(pin.version.public)
    for step in range(1, len(versions)):
        for place in (here + step, here - step):
            found = offers(context, gpus, versions[place]) if 0 <= place < len(versions) else []
            if found and found[0].is_certain:
                return found[0]
    return None


def _members(context: CheckContext) -> dict[str, str]:
    """The installed releases of torch and of the companions with GPU code."""
    found = {name: context.pins[name] for name in ("torch", *COMPANIONS) if name in context.pins}
    return {name: pin.version.public for name, pin in found.items() if not pin.unversioned}


def _offers(
    context: CheckContext, target: Target, gpus: Sequence[Gpu], members: dict[str, str]
) -> Iterator[Offer]:
    driver, system = context.libraries.get("cuda-driver"), target.platform.system
    kind = gpus[0].kind if gpus else "cuda"
    for label in (each for each in accelerators.labels() if kind_of(each) == kind):
        if driver and drivers.driver_runs(label, system, driver) is False:
            continue
        answers = [
            answer
            for name, version in members.items()
            for answer in (
                has_wheels(name, version, label, target),
                *(accelerators.serves(name, version, label, str(target.platform), gpu).answer for gpu in gpus),
            )
        ]
        is_certain = not any(isinstance(answer, Unknown) for answer in answers)
        if all(isinstance(answer, Unknown) or answer for answer in answers):
            version = members["torch"]
            yield Offer(version, label, is_certain, wheel_version("torch", version, label, target))


def seen_gpus(context: CheckContext) -> tuple[Gpu, ...]:
    """The GPUs; none if a variable hides them all. A variable of this machine hides no GPU that was named."""
    hidden = any(os.environ.get(name, "0") in ("", "-1") for name in _HIDING)
    return () if hidden and not context.gpu_stated else context.gpus
