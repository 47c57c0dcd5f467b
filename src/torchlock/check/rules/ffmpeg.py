"""TL304: the FFmpeg of the machine, and whether the installed torchcodec was built for it."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check import mac_libraries
from torchlock.check.linking import is_ffmpeg
from torchlock.check.system_packages import ENOENT, install_library, shipped, stated
from torchlock.check.windows_libraries import NOT_ON_PATH, install_ffmpeg, is_windows, looks_on_path
from torchlock.inspect.host import FFMPEG, dlls_lacking, ffmpeg_in, ffmpeg_lacks, ffmpeg_majors
from torchlock.inspect.loading.imports import choices
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.mac_libraries import OffPath
    from torchlock.finding import Finding, Remedy
    from torchlock.inspect.loading.imports import Attempt

# The sources of findings about a library that dyld does not search for.
_OFF_PATH = ("dyld-manual", "torchcodec-570", "homebrew-python")


def ffmpeg_of(context: CheckContext, package: str = "torchaudio") -> list[int] | Unknown:
    """The FFmpeg major versions that torchaudio, or another package, finds."""
    is_stated, version = stated(context, "ffmpeg")
    if is_stated:
        return [int(version.split(".")[0])] if version else []
    if context.root is None:
        return _searched(context, package)
    found = set(ffmpeg_majors(context.root)) | _of_conda_prefix(context)
    # If the libraries that need FFmpeg are there, they show best what the loader finds.
    wanting: dict[int, list[Attempt]] = {}
    for attempt in context.attempts:
        if major := re.search(r"ffmpeg(\d)", os.path.basename(attempt.path)):
            wanting.setdefault(int(major[1]), []).append(attempt)
    for number, group in wanting.items():
        lacks = any(is_ffmpeg(each.name) for attempt in group for each in attempt.outcome.missing)
        found = found - {number} if lacks and number not in _of_conda_prefix(context) else found | {number}
    return sorted(found)


def _searched(context: CheckContext, package: str) -> list[int] | Unknown:
    """The major versions that macOS or Windows finds."""
    if context.search_path is None:
        return Unknown("the machine was not looked at")
    if is_mac(context):
        return sorted(mac_libraries.ffmpeg_on_path(context, package))
    copy = context.copy(package)
    folders = [*context.search_path.folders, *([copy.path] if copy else [])]
    return sorted(ffmpeg_in(folders, context.environment.tree))


def is_mac(context: CheckContext) -> bool:
    """Whether the environment is for macOS."""
    return context.target is not None and context.target.platform.system == "macos"


def ffmpeg_of_tree(context: CheckContext) -> str:
    """The FFmpeg in a tree for macOS or Windows, whose machine is not known, in words; "" if it has none.

    It is in the folders of conda, or its DLLs were copied into the folder of torchcodec.
    """
    prefix, copy = context.environment.interpreter.prefix, context.copy("torchcodec")
    inside = (("lib",), ("Library", "bin"))
    folders = [os.path.join(prefix, *each) for each in inside] if prefix and context.environment.conda else []
    tree, places = context.environment.tree, dict.fromkeys(folders, "this environment")
    if is_windows(context) and copy is not None and copy.kind == "package":
        places[copy.path] = "the folder of torchcodec"
    for folder, place in places.items():
        majors = sorted(ffmpeg_in([folder], tree))
        lost = dlls_lacking(majors[-1], tree.names(folder)) if majors and is_windows(context) else []
        without = f" without {', '.join(lost[:3])}{' and others' if len(lost) > 3 else ''}" if lost else ""
        if majors:
            return f"{place} has FFmpeg {', '.join(map(str, majors))}{without}"
    return ""


def _of_conda_prefix(context: CheckContext) -> set[int]:
    """The FFmpeg of a conda environment that is only a tree.

    Its Python finds this FFmpeg by RPATH, but a tree has no Python to ask.
    """
    if context.live or not context.environment.conda:
        return set()
    names = context.environment.tree.names(os.path.join(context.environment.interpreter.prefix, "lib"))
    return {major for major, number in FFMPEG.items() if f"libavutil.so.{number}" in names}


@rule("TL304")
def codec(context: CheckContext) -> Iterator[Finding]:
    """torchcodec without an FFmpeg that it was built for."""
    pin = context.pins.get("torchcodec")
    if pin is None or pin.unversioned:
        return
    cores = cores_of(context)
    majors = majors_of(context)
    if not cores or isinstance(majors, Unknown) or context.target is None:
        return
    by_major = choices(context.attempts)
    mine = [attempt for group in by_major.values() for attempt in group]
    is_stated, _ = stated(context, "ffmpeg")
    lacking = not set(majors) & set(cores)
    if not is_stated and context.target.platform.system == "linux":
        loads = any(all(attempt.outcome.loads for attempt in group) for group in by_major.values())
        own = {os.path.basename(attempt.path) for attempt in mine}
        lost = [each.name for attempt in mine for each in attempt.outcome.missing if each.name not in own]
        lacking = not loads and bool(mine) and all(is_ffmpeg(name) for name in lost) and not _is_refused(context)
    if not lacking or (not is_stated and _of_conda_prefix(context) & set(cores)):
        return
    if is_mac(context) and not is_stated and (off_path := mac_libraries.ffmpeg_off_path(context, cores)):
        if not mac_libraries.is_uncertain(context, off_path):
            yield off_the_path(context, off_path)
        return
    because = ""
    if not majors and context.live and shutil.which("ffmpeg"):
        because += "; the ffmpeg program on the PATH comes without shared libraries"
    yield lacking_ffmpeg(context, _what_is_there(context, majors, cores), because, any_there=bool(majors))


def off_the_path(context: CheckContext, off_path: OffPath) -> Finding:
    """The finding for a suitable FFmpeg of a Mac that dyld does not search for."""
    cores = cores_of(context)
    there = mac_libraries.where(off_path, "FFmpeg")
    lost = context.pins["torchcodec"].version.public == "0.16.0" and not context.environment.conda
    more = "; the wheels of 0.10 to 0.15 and of 0.17 search Homebrew's folder themselves" if lost else ""
    remedy = mac_libraries.reach(context, off_path, "ffmpeg", _needs(cores))
    return lacking_ffmpeg(context, there, more, remedy=remedy, sources=(*_OFF_PATH, "torchcodec-macho"))


def lacking_ffmpeg(
    context: CheckContext,
    there: str,
    more: str = "",
    *,
    any_there: bool = False,
    remedy: Remedy | None = None,
    sources: tuple[str, ...] | None = None,
) -> Finding:
    """The finding for a torchcodec without FFmpeg.

    ``there`` says what the machine has, ``more`` adds a reason; ``remedy`` and ``sources`` replace the usual ones.
    """
    cores, pin = cores_of(context), context.pins["torchcodec"]
    said = context.matrix.statements_for(pin, context.target) if context.target else ()
    reasons = [each.because for each in said if each.rule == "TL304"]
    range_ = f"{cores[0]} to {cores[-1]}" if len(cores) > 1 else str(cores[0])
    if is_windows(context) and not looks_on_path(context):
        more += f"; {NOT_ON_PATH}, and this release adds no folder"
    program = "" if any_there else " as shared libraries"
    copy = context.copy("torchcodec")
    return context.finding(
        "TL304",
        "warning",
        f"{context.named('torchcodec')} needs FFmpeg {range_}{program}, and {there}",
        "torchcodec",
        path=copy.path if copy and choices(context.attempts) else "",
        because=(reasons[0] if reasons else context.matrix.because("TL304")) + more,
        expected_error=f"RuntimeError: Could not load libtorchcodec. [...] {_cannot_open(context, cores[-1])}",
        sources=sources,
        remedy=remedy or (None if newest_to_come(context) > cores[-1] else earlier(context, cores)),
    )


def earlier(context: CheckContext, cores: Sequence[int], there: int | None = None) -> Remedy:
    """Install an earlier FFmpeg that this torchcodec was built for; ``there`` is the version that is too new."""
    needs = _needs(cores)
    if is_mac(context):
        return mac_libraries.install(context, "ffmpeg", needs, "torchcodec")
    if is_windows(context):
        return install_ffmpeg(context, needs, cores)
    otherwise = f'; in a conda environment: conda install -c conda-forge "ffmpeg<{cores[-1] + 1}"'
    return install_library(context, "ffmpeg", needs, otherwise, there)


def _needs(cores: Sequence[int]) -> str:
    """The FFmpeg versions that this torchcodec was built for, as a specifier."""
    return f">={cores[0]},<{cores[-1] + 1}"


def newest_to_come(context: CheckContext) -> int:
    """The newest major version that is installed, or that the package manager installs; 0 if both are unknown.

    That of Windows installs any version.
    """
    _, known = shipped(context, "ffmpeg") if not is_windows(context) or context.environment.conda else (None, None)
    to_come = int(known.version.partition(".")[0]) if known and known.version else 0
    there = majors_of(context)
    return max([to_come, *([] if isinstance(there, Unknown) else there)])


def cores_of(context: CheckContext) -> list[int]:
    """The FFmpeg major versions that the installed torchcodec was built for."""
    return sorted(_cores(context))


def majors_of(context: CheckContext) -> list[int] | Unknown:
    """The FFmpeg major versions of which at least one library, such as libavutil, is there."""
    is_stated, _ = stated(context, "ffmpeg")
    if is_stated or context.root is None:
        return ffmpeg_of(context, "torchcodec")
    return sorted(set(ffmpeg_majors(context.root)) | _of_conda_prefix(context))


def _cannot_open(context: CheckContext, major: int) -> str:
    number = FFMPEG.get(major, 59)
    system = context.operating_system or "linux"
    if system == "macos":
        return f"Library not loaded: @rpath/libavutil.{number}.dylib"
    if system == "windows":
        return f"Could not find module 'libtorchcodec_core{major}.dll' (or one of its dependencies)"
    return f"libavutil.so.{number}: cannot open shared object file: {ENOENT}"


def _what_is_there(context: CheckContext, majors: list[int], cores: list[int]) -> str:
    if not majors:
        other = is_mac(context) and mac_libraries.ffmpeg_of_another_machine(context, "torchcodec", cores)
        off_path = mac_libraries.ffmpeg_off_path(context, tuple(FFMPEG)) if is_mac(context) else None
        return other or (mac_libraries.where(off_path, "FFmpeg") if off_path else "this machine has none")
    there = f"this machine has FFmpeg {', '.join(map(str, majors))}"
    is_stated, _ = stated(context, "ffmpeg")
    half = [major for major in majors if major in cores] if context.root is not None and not is_stated else []
    lost = ffmpeg_lacks(context.root, half[-1]) if half and context.root is not None else []
    return there + (f" without {', '.join(lost)}" if lost else "")


def _is_refused(context: CheckContext) -> bool:
    """Whether a library of torchcodec finds all that it needs, and does not load for another reason."""
    mine = [attempt.outcome for attempt in context.attempts if attempt.role == "choice"]
    is_whole = any((each.refused or each.unreadable) and not each.missing for each in mine)
    return is_whole or any(each.undefined or each.versions for each in mine)


def _cores(context: CheckContext) -> Iterator[int]:
    """The FFmpeg major versions that this torchcodec was built for, from the libraries in it."""
    copy = context.copy("torchcodec")
    for name in context.environment.tree.names(copy.path) if copy else ():
        found = re.match(r"libtorchcodec(?:_core|_decoder)?(\d)\.", name)
        if found and copy and os.path.join(copy.path, name) not in context.left_behind:
            yield int(found[1])
