"""TL202, TL209, TL210, TL220, TL221 and TL223: a build or a driver that does not serve the GPU of this machine."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.gpu_builds import nearest_offer, offers, seen_gpus
from torchlock.check.rules.versions import links_cuda, path_of
from torchlock.check.vendors import backend_of
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.drivers import driver_refuses, supporting_branch
from torchlock.knowledge.gpus import vendor_name
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.judge import violations
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import BUILD_CUDA, specifier_set
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.knowledge.gpus import Gpu


@rule("TL202", "TL209", "TL220", "TL221", "TL223")
def unusable(context: CheckContext) -> Iterator[Finding]:
    """Why torch does not use the GPU of this machine; nothing without a GPU and a driver."""
    label = context.label("torch") or ""
    kind = kind_of(label) if label else None
    if (context.accelerator or "").startswith("cu"):
        yield from _cpu_build(context)
    elif kind == "cpu" and context.accelerator != "cpu":
        yield from _unused(context)
    if context.target is None or kind in (None, "cpu"):
        return
    seen = seen_gpus(context)
    mine = [gpu for gpu in seen if gpu.kind == kind]
    if kind == "cuda":
        yield from _old_driver(context)
        yield from _ended_driver(context, mine)
    if seen and not mine:
        yield from _foreign(context, seen[0])


@rule("TL209", on="log")
def refused_cuda(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A CPU build of torch, if the log shows that it refused CUDA. No build for macOS has CUDA."""
    from torchlock.check.log import candidates

    if "TL209" in candidates(log)[:1] and not any(each.rule == "TL209" for each in found):
        is_mac = context.target is not None and context.target.platform.system == "macos"
        yield from _not_for_cuda(context) if is_mac and "torch" in context.pins else _cpu_build(context)


def _cpu_build(context: CheckContext) -> Iterator[Finding]:
    if context.label("torch") == "cpu":
        yield from _not_for_cuda(context)


def _not_for_cuda(context: CheckContext) -> Iterator[Finding]:
    message = f"{context.named('torch')} was not built for CUDA, which was requested"
    expected_error = "AssertionError: Torch not compiled with CUDA enabled"
    yield context.finding("TL209", "warning", message, "torch", expected_error=expected_error)


def _unused(context: CheckContext) -> Iterator[Finding]:
    """A CPU build on a machine with a GPU: it works, so this is a note."""
    seen = seen_gpus(context)
    if context.target is None or context.target.platform.system == "macos" or not seen:
        return
    if backend_of(context) is not None:
        return  # torch uses the accelerator of that package.
    gpus = [gpu for gpu in seen if gpu.vendor == seen[0].vendor]
    driver = context.libraries.get("cuda-driver") if gpus[0].vendor == "nvidia" else None
    has = f"{gpus[0]}" + (f" and the NVIDIA driver {driver}" if driver else "")
    found = offers(context, gpus)
    best = found[0] if found else nearest_offer(context, gpus)
    if best is None:
        remedy = Remedy("Keep the CPU build: no build of torch is known that runs on this GPU with this driver.")
    else:
        doubt = "" if best.is_certain else "; the data do not say for certain that it exists and runs there"
        page = page_of(best.label)
        shows = f"torchlock check --accelerator {best.label} shows the command" if found else f"it is on {page}"
        remedy = Remedy(f"To use the GPU, install {best} and its companions; {shows}{doubt}.")
    message = f"{context.named('torch')} does not use the GPU of this machine, which has {has}"
    yield context.finding("TL220", "note", message, "torch", remedy=remedy)


@rule("TL210", on="log")
def refused_decoding(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A CPU build of torchcodec, if the log shows that it was asked to decode on a GPU."""
    from torchlock.check.log import candidates

    if "TL210" not in candidates(log) or "torchcodec" not in context.pins:
        return
    if context.label("torchcodec") != "cpu" and links_cuda(context, "torchcodec") is not False:
        return
    yield context.finding(
        "TL210",
        "warning",
        f"torchcodec {context.pins['torchcodec'].version.public} is a CPU build and cannot decode on a GPU",
        "torchcodec",
        path=path_of(context, "torchcodec"),
        expected_error="RuntimeError: Unsupported device: cuda. Did you install a CPU-only build of torchcodec?",
    )


def _old_driver(context: CheckContext) -> Iterator[Finding]:
    assert context.target is not None
    for violation in violations(context.pins, context.target, context.matrix, complete=False):
        dependency, statement = violation.dependency, violation.statement
        if violation.pinned.name != BUILD_CUDA or dependency is None or statement is None:
            continue
        if _is_later(context, dependency.specifier):
            continue
        wanted = dependency.specifier.removeprefix(">=")
        there = context.libraries.get("cuda-driver")
        yield context.finding(
            statement.rule,
            "warning",
            f"{context.named('torch')} needs an NVIDIA driver {wanted} or newer; this machine has {there}",
            "torch",
            because=statement.because,
            # The message continues with the CUDA version of the driver, as a number like 12020.
            expected_error="RuntimeError: The NVIDIA driver on your system is too old (found version",
        )


def _is_later(context: CheckContext, wanted: str) -> bool:
    """Whether the libcuda that the loader finds is from a newer driver (NVIDIA's forward compatibility)."""
    path = context.root.search("libcuda.so.1") if context.live and context.root is not None else None
    found = re.fullmatch(r"libcuda\.so\.(\d+(\.\d+)+)", os.path.basename(os.path.realpath(path or "")))
    return found is not None and specifier_set(wanted).contains(found[1])


def _ended_driver(context: CheckContext, gpus: Sequence[Gpu]) -> Iterator[Finding]:
    """A driver that does not support the GPU. A driver that names the GPU itself supports it."""
    driver = context.libraries.get("cuda-driver") or ""
    for gpu in () if context.driver_names_gpus else gpus:
        if refusal := driver_refuses(gpu, driver):
            branch = supporting_branch(gpu, driver)
            yield context.finding(
                "TL221",
                "warning",
                f"the NVIDIA {refusal}",
                "torch",
                expected_error="RuntimeError: No CUDA GPUs are available",
                remedy=Remedy(f"Install a driver of a branch that supports this GPU: {branch}."),
            )


def _foreign(context: CheckContext, gpu: Gpu) -> Iterator[Finding]:
    """A build for GPUs of another vendor than all that the machine has. It computes on the CPU."""
    build, vendor = describe_build(context.label("torch")), vendor_name(gpu.vendor)
    message = f"{context.named('torch')} does not use {gpu}: {build} is not for {vendor} GPUs"
    severity = severity_of(fails=False, partly=context.gpu_stated)
    yield context.finding("TL223", severity, message, "torch")
