"""TL610 to TL612 for torchcodec: why its library for the FFmpeg that is there does not load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.linking import is_ffmpeg, is_torchs_library, without_ffmpeg
from torchlock.check.nvidia import copies_of, copies_on_machine
from torchlock.check.proven import is_import_refused
from torchlock.check.rules.ffmpeg import majors_of
from torchlock.check.rules.loading import missing_libraries, undefined_symbols, unmet_versions
from torchlock.inspect.loading.imports import choices
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt

# Image processing of CUDA, which no requirement of torch installs, and the video decoder, a part of the driver.
NPP = pattern(r"libnpp[a-z]{1,4}\.so\.(\d{1,2})")
DECODER = pattern(r"libnvcuvid\.so")


@rule("TL610", "TL611", "TL612")
def codecs(context: CheckContext) -> Iterator[Finding]:
    """torchcodec loads the first library that it can load, so only the one for the FFmpeg that is there counts."""
    by_major = choices(context.attempts)
    if not by_major or any(all(each.outcome.loads for each in group) for group in by_major.values()):
        return
    mine = _chosen(context, by_major)
    if any(each.outcome.undefined for each in mine):
        for finding in undefined_symbols(context, "torchcodec", mine):
            finding.severity = severity_of(fails=is_import_refused(context, "torchcodec"))
            yield finding
    yield from unmet_versions(context, "torchcodec", mine)
    for finding in missing_libraries(context, "torchcodec", [without_ffmpeg(each) for each in mine]):
        finding.because = _because(context, finding.lacks) or finding.because
        if any(map(is_torchs_library, finding.lacks)):
            finding.severity = severity_of(fails=is_import_refused(context, "torchcodec"))
        if any(map(NPP.match, finding.lacks)):
            finding.sources = (*finding.sources, context.evidence("torchcodec-1371"))
        yield finding


def _chosen(context: CheckContext, by_major: Mapping[int, list[Attempt]]) -> list[Attempt]:
    """The libraries for the newest FFmpeg that is there; all of them if it is unknown which."""
    majors = majors_of(context)
    for major in sorted(by_major, reverse=True):
        if not isinstance(majors, Unknown) and major in majors and _lacks_more(by_major[major]):
            return by_major[major]
    return [each for group in by_major.values() for each in group]


def _lacks_more(group: list[Attempt]) -> bool:
    """Whether something else is missing than FFmpeg."""
    outcomes = [each.outcome for each in group]
    lost = [missing.name for outcome in outcomes for missing in outcome.missing]
    own = {os.path.basename(each.path) for each in group}
    return any(each.undefined or each.versions for each in outcomes) or any(
        not is_ffmpeg(name) for name in lost if name not in own
    )


def _because(context: CheckContext, lacks: tuple[str, ...]) -> str:
    library = next(filter(NPP.match, lacks), "")
    decoder = next(filter(DECODER.match, lacks), "")
    of_driver = (
        f"the NVIDIA driver contains {decoder if library else 'it'}; a container gets it only with "
        "NVIDIA_DRIVER_CAPABILITIES=video, and torchcodec since 0.8.1 opens it only to decode on the GPU"
    )
    if not library:
        return of_driver if decoder else ""
    because = (
        "the CUDA builds of torchcodec up to 0.12 link NPP, which no requirement of torch or torchcodec installs"
    )
    there = [*copies_of(context, library), *copies_on_machine(context, library)]
    because += f"; {of_driver}" if decoder else ""
    return because + (
        f"; {library} is in {os.path.dirname(there[0])}, where the loader does not search" if there else ""
    )
