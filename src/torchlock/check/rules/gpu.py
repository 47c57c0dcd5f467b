"""TL202 and TL208 to TL210: CUDA that this torch or torchcodec cannot use, although both import."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.log import candidates
from torchlock.check.rules.versions import links_cuda, path_of
from torchlock.finding import Remedy
from torchlock.knowledge.judge import violations
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import BUILD_CUDA, specifier_set
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# libtorch_python is 30 MB; it contains the list of architectures as a string.
_LARGEST = 256 << 20
_FLAGS = re.compile(rb"(?:sm|compute)_\d{2,3}[a-z]?(?: (?:sm|compute)_\d{2,3}[a-z]?)+")


@rule("TL202", "TL208", "TL209")
def unusable(context: CheckContext) -> Iterator[Finding]:
    """Why CUDA does not work on this machine; nothing if there is no driver or no CUDA build."""
    if (context.accelerator or "").startswith("cu"):
        yield from _cpu_build(context)
    if context.target is None or not (context.label("torch") or "").startswith("cu"):
        return
    yield from _old_driver(context)
    yield from _unserved(context)


@rule("TL209", on="log")
def refused_cuda(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A CPU build of torch, if the log shows that it refused CUDA."""
    if "TL209" in candidates(log)[:1] and not any(each.rule == "TL209" for each in found):
        yield from _cpu_build(context)


def _cpu_build(context: CheckContext) -> Iterator[Finding]:
    if context.label("torch") == "cpu":
        message = f"{context.named('torch')} was not built for CUDA, which was requested"
        expected_error = "AssertionError: Torch not compiled with CUDA enabled"
        yield context.finding("TL209", "warning", message, "torch", expected_error=expected_error)


@rule("TL210", on="log")
def refused_decoding(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A CPU build of torchcodec, if the log shows that it was asked to decode on a GPU."""
    if "TL210" not in candidates(log) or "torchcodec" not in context.pins:
        return
    if context.label("torchcodec") != "cpu" and links_cuda(context, "torchcodec") is not False:
        return
    label = context.label("torch") or ""
    page = f"the page of torch's {label} builds" if label.startswith("cu") else "a page of torch's CUDA builds"
    yield context.finding(
        "TL210",
        "warning",
        f"torchcodec {context.pins['torchcodec'].version.public} is a CPU build and cannot decode on a GPU",
        "torchcodec",
        path=path_of(context, "torchcodec"),
        expected_error="RuntimeError: Unsupported device: cuda. Did you install a CPU-only build of torchcodec?",
        remedy=Remedy(f"Install torchcodec from {page}, or decode with device='cpu'."),
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
            remedy=Remedy(
                f"Update the NVIDIA driver to {wanted} or newer, or install a torch for an older CUDA version."
            ),
        )


def _is_later(context: CheckContext, wanted: str) -> bool:
    """Whether the libcuda that the loader finds is from a newer driver (NVIDIA's forward compatibility)."""
    path = context.root.search("libcuda.so.1") if context.live and context.root is not None else None
    found = re.fullmatch(r"libcuda\.so\.(\d+(\.\d+)+)", os.path.basename(os.path.realpath(path or "")))
    return found is not None and specifier_set(wanted).contains(found[1])


def _unserved(context: CheckContext) -> Iterator[Finding]:
    devices = dict.fromkeys((name, int(capability.replace(".", ""))) for name, capability in _seen(context))
    flags = _architectures(context) if devices else ()
    served = [number for _, number in devices if serves(flags, number)]
    if served and os.environ.get("CUDA_VISIBLE_DEVICES"):
        return  # It is unknown which of these devices torch sees.
    for name, number in devices if flags else ():
        if number not in served:
            shown = " ".join(flags)
            message = f"{context.named('torch')} has no code for {name} (sm_{number}), only for {shown}"
            expected_error = (
                f"{name} with CUDA capability sm_{number} is not compatible with the current PyTorch installation."
            )
            yield context.finding(
                "TL208",
                "warning",
                message,
                "torch",
                expected_error=expected_error,
                remedy=_other_build(number, flags),
            )


def _seen(context: CheckContext) -> tuple[tuple[str, str], ...]:
    """The devices, or none if CUDA_VISIBLE_DEVICES hides them all."""
    return () if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1") else context.devices


def _architectures(context: CheckContext) -> tuple[str, ...]:
    """The architectures that this torch was compiled for, from a string in its library."""
    copy = context.copy("torch")
    for name in ("libtorch_python.so", "torch_python.dll"):
        try:
            data = files.read(os.path.join(copy.path, "lib", name), _LARGEST) if copy else b""
        except OSError:
            continue
        if found := _FLAGS.search(data):
            return tuple(found[0].decode().split())
    return ()


def serves(flags: tuple[str, ...], capability: int) -> bool:
    """Whether code for some architectures runs on a GPU of a compute capability (86 for 8.6).

    Machine code (``sm_80``) runs on its own generation, from its own capability on. Intermediate code
    (``compute_90``) is translated for every later GPU.
    """
    for flag in flags:
        kind, _, text = flag.partition("_")
        number = int(re.sub(r"\D", "", text))
        if kind == "sm" and number // 10 == capability // 10 and number <= capability:
            return True
        if kind == "compute" and number <= capability:
            return True
    return False


def _other_build(capability: int, flags: tuple[str, ...]) -> Remedy:
    newest = max(int(re.sub(r"\D", "", flag)) for flag in flags)
    if capability > newest:
        return Remedy("Install a torch for CUDA 12.8 or newer, which has code for this GPU.")
    return Remedy(
        "Install a torch for an older CUDA, like cu126, or an older torch: newer ones have no code for this GPU."
    )
