"""TL208, TL222 and TL224: GPU code that torch or its companions have for the GPU of this machine, or lack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.check.gpu_builds import COMPANIONS, seen_gpus
from torchlock.check.rules.versions import path_of
from torchlock.finding import Strength
from torchlock.inspect.gpu_code import gpu_code
from torchlock.inspect.library import is_library
from torchlock.knowledge import accelerators, gpus
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.registry import rule
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.knowledge.gpus import Gpu

# libtorch_python is 30 MB; it contains the list of architectures as a string.
_LARGEST = 256 << 20
_FLAGS = pattern(rb"(?:sm|compute)_\d{2,3}[a-z]?(?: (?:sm|compute)_\d{2,3}[a-z]?)+")
# Variables that hide some GPUs, and the one that makes a ROCm build run code for another GPU.
_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
_OVERRIDING = "HSA_OVERRIDE_GFX_VERSION"
_NO_KERNEL = "RuntimeError: CUDA error: no kernel image is available for execution on the device"
_WARNED = pattern(r"([^\n]{1,100}) with CUDA capability (sm_\d{2,3}) is not compatible")


class _Code(NamedTuple):
    """Whether a package has code for a GPU: the answer, the code that it has, the sources, and their strength."""

    answer: bool | Unknown
    listed: str
    sources: tuple[str, ...] | None
    strength: Strength


@rule("TL208", "TL222")
def lacking_code(context: CheckContext) -> Iterator[Finding]:
    """GPUs for which torch has no code; else companions without code for a GPU that torch serves."""
    label = context.label("torch") or ""
    kind = kind_of(label) if label else None
    if context.target is None or kind in (None, "cpu"):
        return
    found = {gpu: _code_of_torch(context, gpu, label) for gpu in seen_gpus(context) if gpu.kind == kind}
    if any(code.answer is True for code in found.values()) and _hides(context):
        return  # It is unknown which of these devices torch sees.
    for gpu, code in found.items():
        if code.answer is False:
            yield context.finding(
                "TL208",
                "warning",
                f"{context.named('torch')} has no code for {gpu}{code.listed}",
                "torch",
                expected_error=_no_kernel(gpu),
                strength=code.strength,
                sources=code.sources,
            )
        elif code.answer is True:
            yield from _companions(context, gpu)


def _no_kernel(gpu: Gpu) -> str:
    """What torch prints about a GPU that it has no code for."""
    if gpu.vendor == "nvidia":
        return (
            f"{gpu.name} with CUDA capability {gpu.arch} is not compatible with the current PyTorch installation."
        )
    return "RuntimeError: HIP error: invalid device function" if gpu.vendor == "amd" else ""


def _code_of_torch(context: CheckContext, gpu: Gpu, label: str) -> _Code:
    """Whether torch has code for a GPU: as its library says, else as it printed, else as the table has it."""
    flags = (_architectures(context) or context.stated_code) if gpu.vendor == "nvidia" else ()
    if flags:
        return _Code(serves(flags, gpu), f", only for {' '.join(flags)}", None, Strength.SHOWN)
    if gpu.vendor == "amd" and os.environ.get(_OVERRIDING) and not context.gpu_stated:
        return _Code(Unknown(f"{_OVERRIDING} is set"), "", None, Strength.REPORTED)
    return _by_table(context, "torch", label, gpu)


def _by_table(context: CheckContext, name: str, label: str, gpu: Gpu) -> _Code:
    assert context.target is not None
    version, platform = context.pins[name].version.public, str(context.target.platform)
    service = accelerators.serves(name, version, label, platform, gpu)
    code = accelerators.code_of(name, version, label, platform)
    listed = "" if isinstance(code, Unknown) else f", only for {' '.join(code)}"
    doubt = " (by its build scripts; no wheel was read)" if service.likely else ""
    strength = Strength.REPORTED if service.likely else Strength.DECLARED
    return _Code(service.answer, f"{listed}{doubt}", service.sources, strength)


def _companions(context: CheckContext, gpu: Gpu) -> Iterator[Finding]:
    """Companions without code for a GPU that torch serves: torch runs there, and their operators do not."""
    for name in COMPANIONS:
        label = context.label(name) if name in context.pins and not context.pins[name].unversioned else None
        if not label or kind_of(label) != gpu.kind:
            continue
        code = _code_of_companion(context, name, label, gpu)
        if code.answer is False:
            yield context.finding(
                "TL222",
                "warning",
                f"{context.named(name)} has no code for {gpu}{code.listed}",
                name,
                "torch",
                path=path_of(context, name),
                expected_error=_NO_KERNEL,
                strength=code.strength,
                sources=code.sources,
            )


def _code_of_companion(context: CheckContext, name: str, label: str, gpu: Gpu) -> _Code:
    """Whether a companion has code for a GPU: as its libraries show, else as the table of builds says."""
    table = _by_table(context, name, label, gpu)
    found = _code_in(context, name) if gpu.vendor == "nvidia" else frozenset()
    if not found:
        return table
    answer = accelerators.runs_machine_code(found, gpu)
    if answer is False and accelerators.translates(found, gpu):
        # A driver can translate this PTX, unless it was seen to fail.
        return table if table.answer is False else table._replace(answer=Unknown("only PTX"))
    listed = " ".join(sorted(found, key=lambda each: (each[:2] != "sm", int(each.rpartition("_")[2]))))
    return _Code(answer, f", only for {listed}", None, Strength.SHOWN)


def _code_in(context: CheckContext, name: str) -> frozenset[str]:
    """The GPU code in the libraries of a package; empty if none was read."""
    copy, tree = context.copy(name), context.environment.tree
    found: frozenset[str] = frozenset()
    for folder in (copy.path, os.path.join(copy.path, "lib")) if copy is not None else ():
        for file in filter(is_library, tree.names(folder)):
            code = gpu_code(os.path.join(folder, file))
            found |= frozenset() if isinstance(code, Unknown) else code
    return found


def _hides(context: CheckContext) -> bool:
    return not context.gpu_stated and any(os.environ.get(name) for name in _HIDING)


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


def serves(flags: Sequence[str], gpu: Gpu) -> bool | Unknown:
    """Whether code for some architectures runs on an NVIDIA GPU.

    Machine code (``sm_80``) runs on its own generation, from its own capability on. Intermediate code
    (``compute_90``) is translated for every later GPU.
    """
    return accelerators.translates(flags, gpu) or accelerators.runs_machine_code(flags, gpu)


@rule("TL224", on="log")
def needless_warning(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The warning of torch about a GPU that it has code for: GB10 (sm_121) runs the code of sm_120."""
    told = next((match for each in log.signatures if (match := _WARNED.search(each.text))), None)
    flags = _architectures(context) if told else ()
    if told is None or not flags or any(each.rule == "TL208" for each in found):
        return
    gpu = gpus.named_gpu(told[1].strip(), told[2])
    if gpu.arch not in flags and serves(flags, gpu) is True:
        message = f"{context.named('torch')} runs on {gpu}; its warning about this GPU is wrong"
        yield context.finding("TL224", "note", message, "torch", expected_error=told.string)
