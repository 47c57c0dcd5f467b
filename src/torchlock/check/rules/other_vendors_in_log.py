"""TL209 and TL223 by a log: torch asks for a GPU of one vendor, and the machine has one of another vendor."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from torchlock.check.gpu_builds import seen_gpus
from torchlock.errors import InputError
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.gpus import Gpu, parse_gpu, vendor_name
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# Cards, and no graphics inside of a processor: these may stand beside a card of another vendor.
_CARDS = {
    "amd": re.compile(
        r"\bRadeon(?:\(TM\)| TM)? ((?:RX|PRO|AI PRO) ?[A-Z]{0,2}\d{2,4}[SD]?(?: XTX| XT| GRE)?|VII)\b"
        r"|\bInstinct (MI\d{2,3}[AXP]?)\b|\b(gfx(?:9[04][0-9a-f]|10[13]\d|11[05]\d|120\d))\b",
        re.IGNORECASE,
    ),
    "intel": re.compile(r"\bIntel(?:\(R\))? (Arc(?:\(TM\))? (?:Pro )?[AB]\d{2,3})\b", re.IGNORECASE),
    "nvidia": re.compile(r"\bGeForce ([RG]TX \d{3,4}(?: Ti)?)\b", re.IGNORECASE),
}
_NVIDIA = re.compile(r"NVIDIA-SMI|\b[RG]TX \d{3,4}|\bQuadro |\bTesla [A-Z]\d|\bsm_\d{2,3}\b")
# The architecture of a card that the tables do not know.
_UNKNOWN = {"amd": "gfx", "nvidia": "sm_0"}
# What a log may have before the failure, at most.
_MOST = 200_000
_PAGES = {
    "amd": "https://download.pytorch.org/whl/rocm6.4",
    "intel": "https://download.pytorch.org/whl/xpu",
    "nvidia": "https://download.pytorch.org/whl/cu126",
}
# The failures that a GPU of another vendor explains, by the kind of build that torch then is.
_ASKED = {"TL227": "cuda", "TL235": "rocm"}


@rule("TL223", on="log")
def other_vendor(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A torch that finds no GPU for its build, beside a GPU of another vendor."""
    first = log.first
    if first is None or first.rules[0] not in _ASKED or context.operating_system == "macos":
        return
    if mine := [each for each in found if each.rule == "TL223"]:
        for each in mine:
            each.severity, each.expected_error, each.strength = "warning", first.text, Strength.RAN
        return
    gpu, kind = _gpu(context, log.text[-_MOST:]), _ASKED[first.rules[0]]
    if gpu is None or gpu.kind == kind:
        return
    if "torch" in context.pins:
        if kind_of(context.label("torch") or "") == kind:
            yield _of_build(context, gpu, first.text)
    elif kind == "cuda":
        yield _unnamed(context, "the torch in the log asks for an NVIDIA GPU", gpu, first.text)


@rule("TL209", on="log")
def cpu_build(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A CPU build that was asked for a GPU, beside a GPU that is not of NVIDIA: the build for that one."""
    first = log.first
    if first is None or first.rules[0] != "TL209" or kind_of(context.label("torch") or "") != "cpu":
        return
    gpu = _gpu(context, log.text[-_MOST:])
    if gpu is None or gpu.vendor == "nvidia" or context.operating_system == "macos":
        return
    mine = [each for each in found if each.rule == "TL209"]
    message = (
        f"{context.named('torch')} computes on the CPU only, and the program asks for a GPU; the machine has {gpu}"
    )
    own = context.finding("TL209", "warning", message, "torch", expected_error=first.text, strength=Strength.RAN)
    for each in mine or [own]:
        each.message, each.remedy = message, _for(context, gpu, own)
    yield from () if mine else (own,)


def _gpu(context: CheckContext, text: str) -> Gpu | None:
    """The GPU of the machine, or else the one that the log names; None if there are GPUs of several vendors."""
    seen = seen_gpus(context)
    if not seen:
        named = [
            (next(filter(None, match.groups())), vendor)
            for vendor, cards in _CARDS.items()
            for match in cards.finditer(text)
        ]
        if _NVIDIA.search(text):
            named.append(("a card", "nvidia"))
        seen = tuple(_known(name, vendor) for name, vendor in named)
    return seen[0] if len({gpu.vendor for gpu in seen}) == 1 else None


def _known(name: str, vendor: str) -> Gpu:
    """The GPU of this name, with its architecture; without one of its own if the tables do not know it."""
    if vendor == "intel":
        return Gpu(name, "xpu")
    try:
        return Gpu(name, gpu.arch) if (gpu := parse_gpu(name)) else Gpu(name, _UNKNOWN[vendor])
    except InputError:
        return Gpu(name, _UNKNOWN[vendor])


def _of_build(context: CheckContext, gpu: Gpu, line: str) -> Finding:
    """The finding for an installed build, with the command for this GPU."""
    torch, build = context.named("torch"), describe_build(context.label("torch"))
    if gpu.arch in _UNKNOWN.values():
        return _unnamed(context, f"{torch} is the build for {build}", gpu, line)
    message = f"{torch} does not use {gpu}: {build} is not for {vendor_name(gpu.vendor)} GPUs"
    finding = context.finding("TL223", "warning", message, "torch", expected_error=line, strength=Strength.RAN)
    finding.remedy = _for(context, gpu, finding)
    return finding


def _for(context: CheckContext, gpu: Gpu, finding: Finding) -> Remedy:
    """The build for this GPU; the page of its vendor if its architecture is not known."""
    from torchlock.check.fix.gpu_builds import for_gpu

    if gpu.arch in _UNKNOWN.values():
        return _page(gpu)
    return for_gpu(replace(context, gpus=(gpu,), gpu_stated=True), finding)


def _page(gpu: Gpu) -> Remedy:
    return Remedy(
        f"Install torch and its companions from a page of the PyTorch index for {vendor_name(gpu.vendor)} GPUs, "
        f"such as {_PAGES[gpu.vendor]}; torchlock check --gpu and the name of the GPU shows the builds for it."
    )


def _unnamed(context: CheckContext, start: str, gpu: Gpu, line: str) -> Finding:
    """The finding where no build is known for this very GPU: the page for its vendor."""
    message = f"{start}, and the log names a GPU of {vendor_name(gpu.vendor)}: {gpu.name}"
    return context.finding(
        "TL223", "warning", message, "torch", expected_error=line, remedy=_page(gpu), strength=Strength.RAN
    )
