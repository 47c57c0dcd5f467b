"""TL616 and TL617: NVIDIA packages in other releases than torch requires, and two that write the same files."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from torchlock.check.context import version_of
from torchlock.check.nvidia import Unmet, owner_of, package_for, required, unmet
from torchlock.check.rules.versions import in_words, path_of
from torchlock.finding import Remedy, Strength
from torchlock.inspect.library import is_library
from torchlock.inspect.record import read_record
from torchlock.knowledge.registry import rule
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution

_CUDNN = "backends/cudnn/__init__.py"
# The comparison in the source of torch, from cuDNN 7 on.
_COMPARES = pattern(rb"runtime_minor >= compile_minor")
# What torch prints if it finds another cuDNN than it was compiled for.
_INCOMPATIBLE = pattern(
    r"compiled\s+against \((\d{1,3}(?:, \d{1,3})*)\) but (?:found runtime version|linked against) "
    r"\((\d{1,3}(?:, \d{1,3})*)\)"
)


@rule("TL616", on="log")
def other_cudnn(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A cuDNN that is loaded before the one for torch, as torch itself says."""
    first = log.first
    versions = _INCOMPATIBLE.search(first.text) if first is not None else None
    if first is None or first.rules[0] != "TL616" or versions is None:
        return
    if any(each.rule in ("TL616", "TL231") and each.severity != "note" for each in found):
        return
    mine, theirs = (each.replace(", ", ".") for each in versions.groups())
    place = ": LD_LIBRARY_PATH has one that comes first" if "LD_LIBRARY_PATH" in first.text else ""
    yield context.finding(
        "TL616",
        "warning",
        f"the torch in the log was compiled against cuDNN {mine}, and cuDNN {theirs} is loaded{place}",
        "torch",
        because="torch compares the two when it first uses cuDNN",
        expected_error=first.text,
        remedy=Remedy(
            f"Remove the folder with cuDNN {theirs} from LD_LIBRARY_PATH (on Windows: PATH), or put cuDNN {mine} "
            "there."
        ),
        strength=Strength.RAN,
    )


@rule("TL616")
def other_releases(context: CheckContext) -> Iterator[Finding]:
    """NVIDIA packages in other releases than torch requires: a warning for those that some calls refuse."""
    others = []
    opened = [each for each in context.attempts if each.package == "torch" and each.role == "import"]
    loads = all(attempt.outcome.loads for attempt in opened)
    for each in unmet(context):
        if loads and (lost := _lost_later(context, each)):
            yield _finding(context, "warning", [each], *lost)
        elif loads and (error := _refused(context, each)):
            yield _finding(context, "warning", [each], "torch compares the two when it first uses cuDNN", error)
        else:
            others.append(each)
    if others:
        yield _finding(context, "note", others, _because(context) if loads else None)


def _because(context: CheckContext) -> str | None:
    if any(each.package == "torch" and each.role == "import" for each in context.attempts):
        return (
            "installers follow the requirements of torch's metadata; all symbols that the loaded libraries use of "
            "NVIDIA's libraries there are defined"
        )
    return None


def _finding(
    context: CheckContext, severity: str, found: Sequence[Unmet], because: str | None, expected_error: str = ""
) -> Finding:
    shown = [_in_words(each) for each in found[:3]]
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    record = context.installed.get(found[0].name)
    return context.finding(
        "TL616",
        severity,
        f"{context.named('torch')} requires {', '.join(shown)}{more}",
        "torch",
        *(each.name for each in found),
        path=record.path if record else path_of(context, "torch"),
        because=because,
        expected_error=expected_error,
    )


def _in_words(each: Unmet) -> str:
    there = f"{each.installed} is installed" if each.installed else "it is not installed"
    return f"{each.name} {in_words(each.specifier)}".rstrip() + f" ({there})"


def _refused(context: CheckContext, each: Unmet) -> str:
    """The error of a torch that refuses an older minor release of cuDNN; "" if it does not compare them."""
    if not each.is_older or not each.name.startswith("nvidia-cudnn"):
        return ""
    there, wanted = version_of(each.installed), version_of(each.specifier.removeprefix("=="))
    copy = context.copy("torch")
    if there is None or wanted is None or copy is None or there.release[:2] >= wanted.release[:2]:
        return ""
    try:
        source = files.read(os.path.join(copy.path, *_CUDNN.split("/")), 1 << 20)
    except OSError:
        return ""
    if not _COMPARES.search(source):
        return ""
    mine, theirs = (", ".join(map(str, version.release[:3])) for version in (wanted, there))
    return (
        f"RuntimeError: cuDNN version incompatibility: PyTorch was compiled  against ({mine}) "
        f"but found runtime version ({theirs})."
    )


def _lost_later(context: CheckContext, each: Unmet) -> tuple[str, str] | None:
    """Why a library that torch opens later does not load without this package, and the error of Python."""
    later = [attempt for attempt in context.attempts if attempt.package == "torch" and attempt.role == "later"]
    for attempt in later:
        opened = f"torch opens {os.path.basename(attempt.path)} with the first call that needs it"
        for missing in attempt.outcome.missing:
            if package_for(context, missing.name) == each.name:
                error = f"OSError: {missing.name}: cannot open shared object file: No such file or directory"
                return f"{opened}, and then needs {missing.name} of this package", error
        for lost in attempt.outcome.undefined:
            if lost.provider and owner_of(context, lost.provider) == each.name:
                error = f"OSError: {lost.wanted_by}: undefined symbol: {lost.symbol}"
                return f"{opened}, and then needs {lost.symbol}, which this release does not define", error
    return None


@rule("TL617")
def shared_files(context: CheckContext) -> Iterator[Finding]:
    """Packages for two CUDA versions that contain files of the same path: the last one overwrote the first."""
    groups: defaultdict[tuple[str, str], list[Distribution]] = defaultdict(list)
    for each in context.installed.distributions:
        if each.name.startswith("nvidia-"):
            groups[each.entry.path, re.sub(r"-cu\d+$", "", each.name)].append(each)
    several = [mine for mine in groups.values() if len(mine) > 1]
    pinned = required(context) if several else {}
    for mine in several:
        wanted = [each for each in mine if each.name in pinned]
        for other in mine if len(wanted) == 1 else ():
            if other.name not in pinned:
                yield from _shared(context, wanted[0], other)


def _shared(context: CheckContext, mine: Distribution, other: Distribution) -> Iterator[Finding]:
    sizes, theirs = _libraries(mine), _libraries(other)
    common = [path for path in sizes if path in theirs]
    if not common:
        return
    taken = [path for path in common if _size(mine, path) == theirs[path] != sizes[path]]
    path = (taken or common)[0]
    name = os.path.basename(path)
    ours, others = f"{mine.name} {mine.version}, which torch requires", f"{other.name} {other.version}"
    message = f"{others} replaced {name} of {ours}" if taken else f"{others} contains {name}, too, as {ours}"
    yield context.finding(
        "TL617",
        "warning" if taken else "note",
        message,
        "torch",
        mine.name,
        other.name,
        path=os.path.join(mine.entry.path, *path.split("/")),
    )


def _libraries(distribution: Distribution) -> dict[str, int | None]:
    """The libraries in a record, with their sizes."""
    record = read_record(distribution)
    rows = () if isinstance(record, str) else record
    return {row.path: row.size for row in rows if is_library(row.path.rpartition("/")[2])}


def _size(distribution: Distribution, path: str) -> int | None:
    try:
        return os.stat(os.path.join(distribution.entry.path, *path.split("/"))).st_size
    except OSError:
        return None
