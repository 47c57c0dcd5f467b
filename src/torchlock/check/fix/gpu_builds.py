"""The remedy if the build of torch, or of a companion, does not serve the GPU or the driver: another build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.fix.fitting import fitting
from torchlock.check.fix.nightly_builds import of_gpu
from torchlock.check.fix.plan import Plan, planned
from torchlock.check.fix.torch_builds import builds_for_cuda
from torchlock.check.gpu_builds import Offer, nearest_offer, offers, seen_gpus
from torchlock.check.index_wheels import has_wheels, wheel_version
from torchlock.finding import Remedy
from torchlock.inspect.host import is_wsl
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.drivers import driver_floor
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check import CheckContext
    from torchlock.finding import Finding
    from torchlock.knowledge.gpus import Gpu


def for_gpu(context: CheckContext, finding: Finding) -> Remedy:
    """A build with code for the GPUs that the finding names."""
    remedy = _of_gpus(context, finding)
    if remedy is not None:
        return remedy
    driver = context.libraries.get("cuda-driver")
    limit = f" and runs with the NVIDIA driver {driver}" if driver else ""
    return Remedy(f"Compute on the CPU: no build is known that has code for this GPU{limit}.")


def _of_gpus(context: CheckContext, finding: Finding) -> Remedy | None:
    """Another build that serves the GPUs which a finding names; None if none is known."""
    gpus = [gpu for gpu in seen_gpus(context) if str(gpu) in finding.message]
    remedy = next(filter(None, (_installing(context, offer) for offer in _offers(context, gpus))), None)
    return remedy or of_gpu(context, gpus)


def _offers(context: CheckContext, gpus: list[Gpu]) -> Iterator[Offer]:
    """Other builds than the installed one: for all GPUs of the machine, for some of them, of other releases."""
    label, version = context.label("torch"), context.pins["torch"].version.public
    every = [gpu for gpu in seen_gpus(context) if gpu.kind == (gpus[0].kind if gpus else "cuda")]
    found = [*offers(context, every), *offers(context, gpus)]
    yield from dict.fromkeys(each for each in found if each.label != label)
    nearest = nearest_offer(context, gpus)
    if nearest is not None and nearest.version != version:
        yield nearest


def _installing(context: CheckContext, offer: Offer) -> Remedy | None:
    plan = planned(replace(context, accelerator=offer.label), asked=[f"torch=={offer.version}"])
    return fitting(context, plan) if plan is not None else None


def for_driver(context: CheckContext, finding: Finding) -> Remedy:
    """A newer driver, or a build that runs with the installed one."""
    remedy = _of_gpus(context, finding)
    system = context.operating_system or "linux"
    where = " of Windows" if context.live and is_wsl() else ""
    update = f"Update the NVIDIA driver{where} to {driver_floor(context.label('torch') or '', system)} or newer"
    if remedy is None:
        return Remedy(f"{update}, or install a torch for an older CUDA version.")
    return replace(remedy, summary=f"{update}; or {remedy.summary[0].lower()}{remedy.summary[1:]}")


def for_cuda(context: CheckContext, _: Finding) -> Remedy:
    """The newest CUDA build of the installed releases that the GPU and the driver run; it needs an NVIDIA GPU."""
    wanted = context.accelerator or ""
    gpus = [gpu for gpu in seen_gpus(context) if gpu.vendor == "nvidia"]
    served = (
        [offer.label for offer in offers(context, gpus)] if gpus or context.libraries.get("cuda-driver") else []
    )
    for label in (wanted,) if wanted.startswith("cu") else served or builds_for_cuda(context):
        plan = planned(replace(context, accelerator=label))
        if plan is not None:
            remedy = fitting(context, plan)
            where = "" if gpus else ", on a machine with an NVIDIA GPU"
            return replace(remedy, summary=f"{remedy.summary.rstrip('.')}{where}.")
    return Remedy(
        "Use the CPU instead, for example with map_location='cpu': no CUDA build is known for this machine."
    )


def of_torchcodec(context: CheckContext, _: Finding) -> Remedy:
    """torchcodec of the same release, of the build of torch."""
    label, target = context.label("torch") or "", context.target
    pin = context.pins["torchcodec"]
    if target is not None and kind_of(label) == "cuda" and not pin.unversioned:
        version = pin.version.public
        there = has_wheels("torchcodec", version, label, target)
        is_certain = not isinstance(there, Unknown)
        if isinstance(there, Unknown) or there:
            name = wheel_version("torchcodec", version, label, target) if is_certain else f"{version}+{label}"
            unsure = () if is_certain else ("torchcodec",)
            plan = Plan({"torchcodec": name}, label, frozenset({"torchcodec"}), unsure)
            remedy = fitting(context, plan, decodes_on_gpu=True)
            words, mark, doubt = remedy.summary.rstrip(".").partition("; ")
            return replace(remedy, summary=f"{words}, or decode with device='cpu'{mark}{doubt}.")
        return Remedy(
            f"Decode with device='cpu': torchcodec {version} has no build for {describe_build(label)} here."
        )
    return Remedy("Install torchcodec from a page of torch's CUDA builds, or decode with device='cpu'.")
