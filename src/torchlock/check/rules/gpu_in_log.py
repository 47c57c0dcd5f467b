"""TL202, TL208 and TL227: a GPU, a driver or a build that a log shows not to work together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check import known_wheels as wheels
from torchlock.check.gpu_builds import seen_gpus
from torchlock.check.rules.gpu_code import lacking_code
from torchlock.finding import Remedy, Strength
from torchlock.knowledge import gpus
from torchlock.knowledge.build_labels import describe_build, kind_of, parse_label
from torchlock.knowledge.drivers import driver_floor
from torchlock.knowledge.registry import rule
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.knowledge.gpus import Gpu

_WARNED = re.compile(
    r"(?P<name>[^\n]{1,100}) with CUDA capability (?P<arch>sm_\d{2,3}) is not compatible"
    # The words of later and of much earlier releases.
    r"|Found GPU\d{1,3} (?P<found>[^\n]{1,80}) which is of (?:cuda|compute) capability (?:\(CC\) )?"
    r"(?P<major>\d{1,2})\.(?P<minor>\d)"
)
# The code that torch has, as it prints it beside that warning.
GPU_CODE = re.compile(r"supports CUDA capabilities ((?:(?:sm|compute)_\d{2,3}[a-z]?[ \n]?){1,30})")
OF_CUDA = re.compile(r"found version (\d{4,5})\b")
_OF_DRIVER = re.compile(r"(lib(?:cuda|nvidia-ml)\.so(?:\.1)?): cannot open shared object file")


def warned_of(log: Log) -> tuple[Gpu, str] | None:
    """The GPU for which torch in a log says that it has no code, and the line; None if it says this of none."""
    for each in log.signatures:
        if (match := _WARNED.search(each.text)) is not None:
            name, arch = match["name"] or match["found"], match["arch"] or f"sm_{match['major']}{match['minor']}"
            return gpus.named_gpu(name.strip(" :-"), arch), match[0].strip()
    return None


@rule("TL208", "TL222", on="log")
def no_code(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The GPU that the log names, and whether torch has code for it."""
    first = log.first
    if first is None or first.rules[0] != "TL208" or "torch" not in context.pins:
        return
    if any(each.rule in ("TL208", "TL222", "TL224") for each in found):
        return
    if (named := warned_of(log)) is not None:
        code = tuple(listed[1].split()) if (listed := GPU_CODE.search(log.text)) else ()
        yield from _of_gpu(replace(context, gpus=(named[0],), gpu_stated=True, stated_code=code), first.text)
    elif not seen_gpus(context):
        yield _of_unknown_gpu(context, first.text)


def _of_gpu(context: CheckContext, line: str) -> Iterator[Finding]:
    """What the tables say about this GPU; the remedy is computed for it."""
    from torchlock.check.fix.gpu_builds import for_gpu

    for finding in lacking_code(context):
        finding.expected_error = line
        finding.strength = Strength.RAN
        finding.remedy = for_gpu(context, finding)
        yield finding


def _of_unknown_gpu(context: CheckContext, line: str) -> Finding:
    label = context.label("torch") or ""
    kind = "HIP" if kind_of(label) == "rocm" else "CUDA"
    message = f"{context.named('torch')}, or a package that computes with it, has no code for the GPU of this log"
    if kind == "HIP":
        summary = (
            "Run the check with --gpu and the name of the GPU, to see which build has code for it. "
            "HSA_OVERRIDE_GFX_VERSION of a related GPU is a workaround for some consumer GPUs."
        )
    else:
        summary = (
            "Run the check again with --gpu and the name of the GPU: it then names the build that has code for it."
        )
    return context.finding(
        "TL208", "warning", message, "torch", expected_error=line, remedy=Remedy(summary), strength=Strength.RAN
    )


@rule("TL202", on="log")
def old_driver(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A driver that the log shows to be too old, with the CUDA version that it supports."""
    first = log.first
    if first is None or first.rules[0] != "TL202" or any(each.rule == "TL202" for each in found):
        return
    label = context.label("torch") or ""
    if "torch" not in context.pins or kind_of(label) != "cuda" or context.target is None:
        return
    if re.search(r"PTX|Ptx|Triton", first.text):
        yield _of_later_code(context, first.text)
        return
    match = OF_CUDA.search(log.text)
    number = int(match[1]) if match else 0
    own, version = parse_label(label), (number // 1000, number % 1000 // 10)
    if own is None or (number and own.version and version[0] >= own.version[0]):
        return  # A driver runs all builds of its CUDA major version: the log is about something else.
    cuda = ".".join(map(str, version)) if number else ""
    has = f": the driver in the log supports CUDA {cuda}" if cuda else ""
    floor = driver_floor(label, context.target.platform.system)
    yield context.finding(
        "TL202",
        "warning",
        f"{context.named('torch')} needs an NVIDIA driver {floor} or newer{has}",
        "torch",
        because=f"{describe_build(label)} needs a driver of at least that version",
        expected_error=first.text,
        remedy=_for_driver(context, str(floor), version if number else None),
        strength=Strength.RAN,
    )


def _of_later_code(context: CheckContext, line: str) -> Finding:
    """The driver has to translate intermediate code of a later CUDA version than its own."""
    return context.finding(
        "TL202",
        "warning",
        f"the NVIDIA driver is older than the CUDA version of the code that {context.named('torch')}, "
        f"or a package that "
        "computes with it, gave it to translate",
        "torch",
        because="a driver translates intermediate code (PTX) of its own CUDA version and of earlier ones only",
        expected_error=line,
        remedy=Remedy(
            "Update the NVIDIA driver; or install a build for an older CUDA version, with code for this GPU."
        ),
        strength=Strength.RAN,
    )


def _for_driver(context: CheckContext, floor: str, version: tuple[int, int] | None) -> Remedy:
    """A newer driver, or a build for a CUDA version that the driver supports."""
    from torchlock.check.fix.fitting import fitting
    from torchlock.check.fix.plan import planned

    update = f"Update the NVIDIA driver to {floor} or newer"
    for label, asked in _labels_for(context, version) if version is not None else ():
        plan = planned(replace(context, accelerator=label), asked=asked)
        if plan is not None:
            remedy = fitting(context, plan)
            return replace(remedy, summary=f"{update}; or {remedy.summary[0].lower()}{remedy.summary[1:]}")
    return Remedy(f"{update}, or install a torch for an older CUDA version.")


def _labels_for(context: CheckContext, version: tuple[int, int]) -> Iterator[tuple[str, list[str]]]:
    """The CUDA builds that a driver of this CUDA version runs, with what must stay: the same torch first.

    A driver runs all builds of its CUDA major version, and certainly those up to its own version.
    """
    known = [found for label in wheels.known_labels() if (found := parse_label(label)) and found.kind == "cuda"]
    newest = sorted((each for each in known if each.version[:1] == version[:1]), key=lambda each: each.version)[
        ::-1
    ]
    same = [f"torch=={context.pins['torch'].version.public}"]
    yield from ((each.text, same) for each in newest if each.version <= version)
    yield from ((each.text, same) for each in newest if each.version > version)
    yield from ((each.text, []) for each in newest)


@rule("TL227", "TL209", on="log")
def no_driver(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """No driver, no GPU, or a driver that does not start: the packages are not at fault. Or a CPU build."""
    first = log.first
    if first is None or first.rules[0] != "TL227" or "torch" not in context.pins:
        return
    if any(each.rule in ("TL202", "TL209", "TL221", "TL223") and each.severity != "note" for each in found):
        return
    label = context.label("torch") or ""
    is_mac = context.operating_system == "macos"
    if kind_of(label) == "cpu" or is_mac:
        message = f"{context.named('torch')} was not built for CUDA, which the program asks for"
        finding = context.finding(
            "TL209", "warning", message, "torch", expected_error=first.text, strength=Strength.RAN
        )
        is_file = "deserialize" in first.text and not is_mac
        finding.remedy = _on_cpu(context, finding) if is_file else None
        yield finding
    if kind_of(label) != "cuda":
        return
    message, summary = _seen(context, first.text)
    yield context.finding(
        "TL227",
        "warning",
        message,
        "torch",
        expected_error=first.text,
        remedy=Remedy(summary),
        strength=Strength.RAN,
    )


def _on_cpu(context: CheckContext, finding: Finding) -> Remedy:
    """A file that was saved on a GPU can be loaded without one; or the build for CUDA."""
    from torchlock.check.fix.gpu_builds import for_cuda

    remedy = for_cuda(context, finding)
    summary = (
        f"Pass map_location='cpu' to torch.load, to compute on the CPU; or "
        f"{remedy.summary[0].lower()}{remedy.summary[1:]}"
    )
    return replace(remedy, summary=summary)


def _seen(context: CheckContext, line: str) -> tuple[str, str]:
    torch = context.named("torch")
    if found := _OF_DRIVER.search(line):
        return (
            f"the process in the log had no {found[1]}, which comes with the NVIDIA driver and not with {torch}",
            "Start the container with --gpus all (NVIDIA Container Toolkit), or install the NVIDIA driver on the "
            "machine. The build of an image has no driver.",
        )
    on_cpu = "or compute on the CPU (device='cpu', map_location='cpu')"
    if re.search(r"initialization|unknown error|InitializationError", line):
        return (
            f"the NVIDIA driver did not start for {torch}; the packages are not at fault",
            "Restart the machine (after an update of the driver, the old one is still loaded); on "
            "Linux, check that nvidia-smi "
            "works and load nvidia_uvm (sudo modprobe nvidia_uvm); in a container, restart it.",
        )
    if re.search(r"No CUDA GPUs|no CUDA-capable|NoDevice", line):
        return (
            f"{torch} found an NVIDIA driver and no GPU: a variable hides it, or the machine has none",
            f"Unset CUDA_VISIBLE_DEVICES, start the container with --gpus all, {on_cpu}.",
        )
    return (
        f"{torch} found no NVIDIA driver; the packages are not at fault",
        "Start the container with --gpus all (NVIDIA Container Toolkit), install the NVIDIA driver on "
        "the machine, "
        f"{on_cpu}. The build of an image has no GPU.",
    )
