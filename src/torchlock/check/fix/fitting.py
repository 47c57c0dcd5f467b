"""The remedy for a plan: what to install, from which page, and what is not certain about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.commands import install, is_managed, whole
from torchlock.check.fix.torch_builds import public_build
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import describe_build, parse_label
from torchlock.knowledge.drivers import driver_floor
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.check.fix.plan import Plan


def fitting(context: CheckContext, plan: Plan) -> Remedy:
    """The remedy that carries out a plan."""
    page = f", from {page_of(plan.label)}" if plan.label else ""
    summary = (
        f"Install {steps(context, plan)}{page}{_doubt(plan)}{_beside(context, plan)}{_driver(context, plan)}."
    )
    return Remedy(summary, commands=install(context, plan))


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
    if not there or there == version:
        return " once more" if there else ""
    is_same = name in FAMILY and there.partition("+")[0] == version
    build = public_build(name, version, context.target) if is_same and context.target is not None else ""
    if not isinstance(build, str) or not build:
        return f" in place of {there}"
    return " once more" if build == context.label(name) else f" ({describe_build(build)}) in place of {there}"


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
    return f"; torch stays as it is, and {' and '.join(plain)} {are}: no file for {label} is known"
