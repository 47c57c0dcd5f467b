"""The remedy for a plan: what to install, from which page, and what is not certain about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.fix.commands import install, is_managed, is_windows, whole
from torchlock.check.fix.torch_builds import public_build
from torchlock.check.index_wheels import has_wheels
from torchlock.check.rules.ffmpeg import ffmpeg_of
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import describe_build, parse_label
from torchlock.knowledge.drivers import driver_floor
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.check.fix.plan import Plan


def fitting(context: CheckContext, plan: Plan, *, decodes_on_gpu: bool = False) -> Remedy:
    """The remedy that carries out a plan; a torchcodec that need not decode on the GPU may be the CPU build."""
    from torchlock.check.fix.codec_libraries import without_npp

    asked, plan = plan, plan if decodes_on_gpu else without_npp(context, plan)
    build = (
        "" if plan is asked else "; it is the CPU build, as those for CUDA link NPP, which no requirement installs"
    )
    page = f", from {page_of(plan.label)}" if plan.label else ""
    summary = f"Install {steps(context, plan)}{page}{_doubt(plan)}{_beside(context, plan)}{_driver(context, plan)}"
    words = f"{summary}{for_more_devices(context, plan)}{build}.{_with_ffmpeg(context, plan)}"
    return Remedy(words, commands=install(context, plan))


def _with_ffmpeg(context: CheckContext, plan: Plan) -> str:
    """What a torchcodec that comes anew needs besides, if no FFmpeg is known to be there."""
    if "torchcodec" not in plan.versions or context.copy("torchcodec") is not None:
        return ""
    there = ffmpeg_of(context, "torchcodec")
    if not isinstance(there, Unknown) and there:
        return ""
    build = "a shared build of FFmpeg" if is_windows(context) else "the shared libraries of FFmpeg"
    return f" torchcodec needs {build} on the machine, too: no wheel contains them."


def steps(context: CheckContext, plan: Plan) -> str:
    """The packages to install, and what they replace; the whole stack for a new virtual environment."""
    if is_managed(context):
        listed = [f"{name} {version}" for name, version in whole(context, plan.versions, plan.label).items()]
        return ", ".join(listed) + " in a virtual environment, because the distribution manages this Python"
    return ", ".join(
        f"{name} {version}{_in_place(context, name, version)}" for name, version in plan.versions.items()
    )


def _in_place(context: CheckContext, name: str, version: str) -> str:
    """What the installed package is to the one of the plan; for the same release, by its build."""
    there = context.version(name)
    if not there:
        return ""
    is_same = name in FAMILY and there.partition("+")[0] == version
    build = public_build(name, version, context.target) if is_same and context.target is not None else ""
    if isinstance(build, str) and build and context.label(name) not in (None, build):
        return f" ({describe_build(build)}) instead of {there}"
    return " again" if there == version or build == context.label(name) else f" instead of {there}"


def _doubt(plan: Plan) -> str:
    return f"; it is not certain that this page has {' and '.join(plan.unsure)}" if plan.unsure else ""


def _driver(context: CheckContext, plan: Plan) -> str:
    """The driver that the planned torch needs, if it is for a later major version of CUDA than before."""
    target, mine = context.target, parse_label(context.label("torch") or "")
    if target is None or mine is None or mine.kind != "cuda" or "torch" not in plan.versions:
        return ""
    build = plan.label or public_build("torch", plan.versions["torch"], target)
    other = parse_label(build) if isinstance(build, str) else None
    if other is None or other.kind != "cuda" or other.version[:1] <= mine.version[:1]:
        return ""
    floor = driver_floor(other.text, target.platform.system)
    return f"; this build needs an NVIDIA driver {floor} or newer" if isinstance(floor, str) else ""


def _beside(context: CheckContext, plan: Plan) -> str:
    """Which packages are CPU builds beside a torch for a GPU."""
    target, label = context.target, context.label("torch")
    if not plan.alone or target is None or label == "cpu":
        return ""
    plain = [name for name, version in plan.versions.items() if public_build(name, version, target) == "cpu"]
    if not plain:
        return "; torch stays as it is"
    are = "are CPU builds" if len(plain) > 1 else "is a CPU build"
    return f"; torch stays as it is, and {' and '.join(plain)} {are}: {_of_page(context, plan, label)}"


def _of_page(context: CheckContext, plan: Plan, label: str | None) -> str:
    """Whether the index of PyTorch has what a plan takes from elsewhere: none is known, or this is unknown."""
    target = context.target
    build = "a CPU" if label == "cpu" else describe_build(label) or "this build"
    named = [(name, version) for name, version in plan.versions.items() if name in FAMILY]
    there = [has_wheels(*each, label, target) for each in named] if target is not None and label else []
    is_known = not there or any(each is False for each in there if not isinstance(each, Unknown))
    if is_known:
        return f"no file for {build} is known"
    return f"whether the index of PyTorch has such files for {build} is unknown"


def for_more_devices(context: CheckContext, plan: Plan) -> str:
    """What changes if a build for CUDA replaces a CPU build, which nobody asked for."""
    target, label = context.target, context.label("torch")
    if target is None or label != "cpu" or plan.label or "torch" not in plan.versions or context.accelerator:
        return ""
    build = public_build("torch", plan.versions["torch"], target)
    if not isinstance(build, str) or build == "cpu":
        return ""
    return (
        f"; this torch is for {describe_build(build)} and computes on a CPU, too: {_of_page(context, plan, label)}"
    )
