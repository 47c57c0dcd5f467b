"""The builds of torch that a remedy may install: the installed one first, never one for another kind of device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.index_wheels import known_labels, labels_of
from torchlock.knowledge.accelerators import code_of, serves
from torchlock.knowledge.build_labels import kind_of, needs_same_build, parse_label
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.gpus import Gpu
from torchlock.knowledge.stack import CONDA_NAMES
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check import CheckContext
    from torchlock.target import Target


# How many builds for an earlier major version of CUDA are tried.
_MOST = 4


def change_of_build(context: CheckContext, torch: str, label: str, target: Target) -> str:
    """What another torch, from the page of ``label`` or the public index, changes in the build unasked.

    "" for nothing, ``version`` for another major version of CUDA, ``device`` for a build that does not serve the
    same kind of device, or of which this is unknown.
    """
    mine = parse_label(context.label("torch") or "")
    if context.accelerator is not None:
        return ""
    if is_of_conda(context):
        return "device"  # Its libraries are shared with other packages of the channel.
    if mine is None:
        return ""
    build = label or public_build("torch", torch.partition("+")[0], target)
    other = None if isinstance(build, Unknown) or build is None else parse_label(build)
    if other is None or other.kind != mine.kind:
        return "device"
    return "version" if mine.kind == "cuda" and other.version[:1] != mine.version[:1] else ""


def is_of_conda(context: CheckContext) -> bool:
    """Whether conda installed this torch, and no other installer has a record of it in the same folder."""
    record = context.record("torch")
    named = [each for each in context.installed.distributions if each.name == "torch"]
    beside = [each for each in named if record is not None and each.entry.path == record.entry.path]
    by_other = any(each.installer not in ("", "conda") for each in beside)
    return not by_other and any(CONDA_NAMES.get(each.name) == "torch" for each in context.environment.conda)


def labels_to_try(context: CheckContext, target: Target) -> Iterator[str]:
    """The builds to try: the installed one, older ones for the same devices, then companions of the public index.

    Those for an earlier major version of CUDA come last: a driver for a later one runs them, too. A ROCm or XPU
    environment does not get the public index, whose wheels are for CUDA.
    """
    if context.accelerator is not None:
        yield "" if context.accelerator in ("pypi", public_of(context, target)) else context.accelerator
        return
    label = context.label("torch") or ""
    if "torch" not in context.pins and (alone := _of_companion(context, target)):
        yield from (alone, "")
        return
    is_plain = not label or target.platform.system == "macos"
    if is_plain or label == public_of(context, target):
        if label and context.labelled("torchcodec") == label:
            yield label  # the public index may have another build of torchcodec
        yield ""
    if is_plain:
        return
    yield label
    yield from _older(context, target, label)
    if not needs_same_build(label):
        yield ""
    yield from _of_earlier_cuda(context, target, label)


def _of_companion(context: CheckContext, target: Target) -> str:
    """The build that an installed torchaudio says it is, if torch is missing; "" for the public one."""
    pin, label = context.pins.get("torchaudio"), context.labelled("torchaudio")
    if pin is None or pin.unversioned or kind_of(label) is None:
        return ""
    return "" if public_build("torchaudio", pin.version.public, target) == label else label


def _older(context: CheckContext, target: Target, label: str) -> list[str]:
    """The two next older builds that torchaudio has, for the same CUDA major version and the same devices."""
    mine = parse_label(label)
    if mine is None or mine.kind not in ("cuda", "rocm"):
        return []
    same = [each for each in _before(label) if mine.kind == "rocm" or _number(each)[:1] == mine.version[:1]]
    return [each for each in same if _keeps_devices(context, target, label, each)][:2]


def _of_earlier_cuda(context: CheckContext, target: Target, label: str) -> list[str]:
    """The newest builds of torchaudio for the major version of CUDA before this one, for the same devices."""
    mine = parse_label(label)
    if mine is None or mine.kind != "cuda" or not mine.version:
        return []
    earlier = [each for each in _before(label) if _number(each)[0] == mine.version[0] - 1]
    return [each for each in earlier if _keeps_devices(context, target, label, each)][:_MOST]


def _before(label: str) -> list[str]:
    """The builds of torchaudio for an earlier version of CUDA or ROCm than this build, newest first."""
    known = [each for each in labels_of("torchaudio") if kind_of(each) == kind_of(label)]
    return sorted((each for each in known if _number(each) < _number(label)), key=_number, reverse=True)


def _keeps_devices(context: CheckContext, target: Target, label: str, other: str) -> bool:
    """Whether another build of torch serves the GPUs of this machine, or all that the installed one serves."""
    version, platform = context.pins["torch"].version.public, str(target.platform)
    gpus = [gpu for gpu in context.gpus if gpu.kind == kind_of(label)]
    if not gpus:
        code = code_of("torch", version, label, platform)
        listed = () if isinstance(code, Unknown) else code
        gpus = [Gpu(each, each) for each in listed if not each.startswith("compute")]
    return not any(serves("torch", version, other, platform, gpu).answer is False for gpu in gpus)


def _number(label: str) -> tuple[int, ...]:
    """The version in a label: ``cu130`` → 13, 0; ``rocm5.4.2`` → 5, 4, 2."""
    build = parse_label(label)
    return build.version if build is not None else ()


def builds_for_cuda(context: CheckContext) -> list[str]:
    """The values of ``--accelerator`` for CUDA with the installed torch: ``pypi``, or labels."""
    target = context.target
    if target is None or target.platform.system == "macos" or "torch" not in context.pins:
        return []
    public = public_of(context, target)
    if isinstance(public, str) and public.startswith("cu"):
        return ["pypi"]
    known = known_labels("torch", context.pins["torch"].version.public)
    return sorted((each for each in known if kind_of(each) == "cuda"), key=_number, reverse=True)


def public_of(context: CheckContext, target: Target) -> str | Unknown | None:
    """The build of this torch on the public index."""
    version = context.pins["torch"].version.public if "torch" in context.pins else ""
    return public_build("torch", version, target)


def public_build(name: str, version: str, target: Target) -> str | Unknown | None:
    """The build of a release of the torch family on the public index; None if it has no compiled code."""
    package = CompatibilityTable().packages[name]
    if version not in package.versions or str(target.platform) not in PLATFORMS:
        return Unknown(f"the data have no {name} {version} for {target.platform}")
    return package.build(package.versions.index(version), list(PLATFORMS).index(str(target.platform)))
