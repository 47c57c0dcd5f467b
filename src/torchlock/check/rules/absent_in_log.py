"""What a log shows by itself, if its package is not installed here: a removed name, a GPU, a driver.

There is no command: the environment of the log is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.gpu_in_log import GPU_CODE, OF_CUDA, warned_of
from torchlock.check.rules.mixed_files_in_log import is_mixed, is_private
from torchlock.check.rules.names_in_log import REMOVED, named_caller
from torchlock.check.rules.own_parts_in_log import companion_asking
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Remedy, Strength
from torchlock.knowledge import accelerators
from torchlock.knowledge.build_labels import kind_of, parse_label
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.names import history, instead_of, is_module, release_of
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import MissingName
    from torchlock.finding import Finding
    from torchlock.knowledge.gpus import Gpu
    from torchlock.knowledge.names import History

_TOO_OLD = re.compile(r"CUDA driver version is insufficient|cudaErrorInsufficientDriver")
# How a log names the release of a package: torchaudio 2.0.2, torchaudio==2.0.2, …-2.0.2, …/2.0.2.
_RELEASE = re.compile(
    r"(?<![\w.-])(?P<package>torch(?:audio|vision|codec|text)?|soundfile)(?:==|[-/]|:?\s{1,30}(?:version )?)"
    r"v?(?P<release>\d{1,2}\.\d{1,2})(?=[.\s+,)-]|$)"
)
# The CUDA major version that all drivers since 525 run.
_USUAL = 12
# Older releases are proposed only for a GPU that no later one serves.
_RECENT = Version("2.10")
_NOT_HERE = "the log shows it; the files of its environment were not read"


@rule("TL701", "TL702", "TL704", "TL705", "TL706", "TL708", on="log")
def removed_name(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name that some releases have and later or earlier ones do not."""
    first = log.first
    if first is None or first.weight == ECHO:
        return
    for missing in missing_names(log.text):
        is_here = missing.package in context.pins or context.copy(missing.package) is not None
        if (
            is_here
            or missing.partly
            or missing.asker
            or is_mixed(missing)
            or is_private(missing)
            or "is not a package" in missing.text
            or companion_asking(missing)
            or (missing.file and "-packages" not in missing.file)
        ):
            continue
        if (finding := _of_name(context, missing, log.text)) is not None:
            yield finding
            return


def _of_name(context: CheckContext, missing: MissingName, text: str) -> Finding | None:
    known, package = history(missing.name), missing.package
    lacking = _lacking(known, missing, text) if known is not None else []
    if known is None or not known.having or not lacking:
        return None
    removed = next((each for each in lacking if Version(each) > Version(known.last)), "")
    added = known.having[0] if Version(lacking[0]) < Version(known.having[0]) else ""
    if not removed and not missing.by_import and is_module(missing.name):
        return None  # Nothing may have imported it.
    instead = instead_of(missing.name)
    change = f"change that line: {instead}" if instead else "use a later release of the code that calls it"
    last = next((each for each in known.lacking if Version(each) > Version(known.last)), "")
    wanted = ",".join(filter(None, (added and f">={added}", last and f"<{last}")))
    summary = f"Use {package}{wanted} with the releases that belong to it{f'; or {change}' if removed else ''}."
    return context.finding(
        _rule_of(missing) if removed else "TL706",
        "warning",
        f"{named_caller(context, missing)} uses {missing.name}, {_said(known, removed, added)}",
        package,
        because=_NOT_HERE,
        expected_error=missing.text,
        sources=known.sources,
        remedy=Remedy(summary),
        strength=Strength.RAN,
    )


def _said(known: History, removed: str, added: str) -> str:
    if not removed:
        return f"which is new in {known.package} {added}"
    if not added:
        return f"which {known.package} {removed} removed"
    return f"which {known.package} {added} added and {removed} removed"


def _lacking(known: History, missing: MissingName, text: str) -> list[str]:
    """The releases without a name that may be that of the log: they have the part that Python found.

    A release that the log names counts alone, if it is one of them.
    """
    found = history(missing.name.rpartition(".")[0])
    may_be = [each for each in known.lacking if found is None or found.has(each) is not False]
    named = (match for match in _RELEASE.finditer(text) if match["package"] == known.package)
    told = {release_of(match["release"]) for match in named}
    return [each for each in may_be if each in told] or may_be


def _rule_of(missing: MissingName) -> str:
    if missing.package == "torchaudio":
        return "TL701" if missing.by_import else "TL702"
    return REMOVED.get(missing.package, "TL708")


@rule("TL208", on="log")
def no_code(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A GPU that torch itself says it has no code for."""
    told = warned_of(log)
    if told is None or "torch" in context.pins:
        return
    gpu, line = told
    listed = GPU_CODE.search(log.text)
    only = f", only for {' '.join(listed[1].split())}" if listed else ""
    label, releases = _build_for(context, gpu)
    if label:
        remedy = f"Install torch {releases} and its companions from {page_of(label)}"
    else:
        remedy = "Install a build for this GPU"
    yield context.finding(
        "TL208",
        "warning",
        f"the torch in the log has no code for {gpu}{only}",
        "torch",
        because=_NOT_HERE,
        expected_error=line,
        remedy=Remedy(f"{remedy}."),
        strength=Strength.RAN,
    )


def _build_for(context: CheckContext, gpu: Gpu) -> tuple[str, str]:
    """A build with code for a GPU that most drivers run, and its releases; empty if none is known.

    A driver runs all builds of its CUDA major version: it is one for the first of these from CUDA 12 on, and there
    the oldest build that one of the last releases has.
    """
    platform = str(context.known_platform or "linux-x86_64")
    having: dict[str, list[str]] = {}
    for version in filter(wheels.is_final, wheels.public_tags("torch")):
        for label in accelerators.labels():
            if _serves(version, label, platform, gpu):
                having.setdefault(label, []).append(version)
    if not having:
        return "", ""
    majors = sorted({_cuda(each)[0] for each in having})
    major = next((each for each in majors if each >= _USUAL), majors[-1])
    there = sorted((each for each in having if _cuda(each)[0] == major), key=_cuda)
    recent = [each for each in there if Version(having[each][-1]) >= _RECENT]
    label = (recent or there[-1:])[0]
    first, last = having[label][0], having[label][-1]
    return label, first if first == last else f"{first} to {last}"


def _serves(version: str, label: str, platform: str, gpu: Gpu) -> bool:
    if kind_of(label) != gpu.kind:
        return False
    return accelerators.serves("torch", version, label, platform, gpu).answer is True


def _cuda(label: str) -> tuple[int, ...]:
    """The CUDA version of a build."""
    build = parse_label(label)
    return build.version if build is not None else ()


@rule("TL202", on="log")
def old_driver(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A driver that torch itself says is too old."""
    first, version = log.first, OF_CUDA.search(log.text)
    if first is None or first.rules[0] != "TL202" or "torch" in context.pins:
        return
    if version is None:
        if _TOO_OLD.search(first.text):
            yield _driver_of_program(context, first.text)
        return
    major, minor = int(version[1]) // 1000, int(version[1]) % 1000 // 10
    labels = [label for each in wheels.known_labels() if (label := parse_label(each)) and label.kind == "cuda"]
    same = [each for each in labels if each.version[:1] == (major,)]
    build = max(same, key=lambda each: each.version, default=None)
    other = f", or install a torch for CUDA {major} from {page_of(build.text)}" if build is not None else ""
    yield context.finding(
        "TL202",
        "warning",
        f"the NVIDIA driver in the log supports CUDA {major}.{minor}, and its torch was built for a later CUDA",
        "torch",
        because=_NOT_HERE,
        expected_error=first.text,
        remedy=Remedy(f"Update the NVIDIA driver{other}."),
        strength=Strength.RAN,
    )


def _driver_of_program(context: CheckContext, line: str) -> Finding:
    """What the CUDA runtime of any program says; it says the same without a driver."""
    return context.finding(
        "TL202",
        "warning",
        "the process in the log has no NVIDIA driver, or one that is older than the CUDA version of its program",
        because="the CUDA runtime compares its own version with that of the driver",
        expected_error=line,
        remedy=Remedy(
            "Update the NVIDIA driver, and start a container with GPUs (docker run --gpus all); or use the CPU, "
            "or a release of the program for an older CUDA version."
        ),
        strength=Strength.RAN,
    )
