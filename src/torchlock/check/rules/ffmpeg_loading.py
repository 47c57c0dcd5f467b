"""TL610 for the FFmpeg of conda, of Homebrew or of the machine: it is there, and what it needs is not found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check import mac_libraries
from torchlock.check.linking import is_ffmpeg
from torchlock.check.loader_messages import not_found
from torchlock.check.machine_libraries import once_more, opened
from torchlock.check.rules.ffmpeg import cores_of, earlier, is_mac
from torchlock.check.windows_libraries import is_windows
from torchlock.finding import Strength
from torchlock.inspect.host import ffmpeg_files
from torchlock.inspect.loading.root import Root
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.patterns import pattern
from torchlock.records import replace
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding, Remedy
    from torchlock.inspect.loading.imports import Attempt

_NOT_LOADED = pattern(
    r"Library not loaded: ['\"]?(?P<name>[^\s'\"]{1,300})['\"]?\s{1,20}"
    r"Referenced from: (?:<[\w-]{1,64}> )?['\"]?(?P<path>/[^'\"\n]{1,400}?\.dylib)"
)
_PACKAGES = pattern(r"/(?:site|dist)-packages/")


@rule("TL610")
def needs_of_ffmpeg(context: CheckContext) -> Iterator[Finding]:
    """What the FFmpeg that torchcodec or torchaudio finds needs, and what is not there."""
    package = _user(context)
    if not package:
        return
    cores = cores_of(context) if package == "torchcodec" else ()
    lacking: list[Attempt] = []
    for major, folders in _folders(context, package).items():
        if cores and major not in cores:
            continue
        broken = list(_broken(context, package, folders, major))
        if not broken:
            return  # This one works.
        lacking += broken
    told = (attempt for attempt in context.attempts if attempt.role != "optional")
    known = {each.name for attempt in told for each in attempt.outcome.missing}
    if lacking and lacking[0].outcome.missing[0].name not in known:
        yield of_ffmpeg(context, lacking[0], "warning" if package == "torchcodec" else "note")


@rule("TL610", on="log")
def named_by_dyld(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library outside of the packages that dyld names, and that lacks what dyld did not find; a note counts."""
    first = log.first
    said = _NOT_LOADED.search(log.text, max(log.text.find(first.text), 0)) if first is not None else None
    if first is None or said is None or _PACKAGES.search(said["path"]):
        return
    library = os.path.basename(said["name"])
    known = [each for each in found if each.rule == "TL610" and library in each.lacks]
    for each in known:
        each.severity, each.strength, each.expected_error = "warning", Strength.RAN, first.text
    for path in _here(context, said["path"]) if not known else ():
        attempt = opened(context, _user(context) or "torchaudio", path)
        if attempt is None or library not in {os.path.basename(each.name) for each in attempt.outcome.missing}:
            continue
        finding = of_ffmpeg(context, attempt, "warning")
        finding.expected_error, finding.strength = first.text, Strength.RAN
        yield finding
        return


def _user(context: CheckContext) -> str:
    """The package that uses FFmpeg by itself; "" if none is installed."""
    if "torchcodec" in context.pins and cores_of(context):
        return "torchcodec"
    pin = context.pins.get("torchaudio")
    uses = pin is not None and not pin.unversioned and specifier_set(">=0.12,<2.9").contains(pin.version)
    return "torchaudio" if uses else ""


def _folders(context: CheckContext, package: str) -> dict[int, str]:
    """The FFmpeg that is found, by its major version: the folder of its libavutil.

    On a Linux whose Python can be asked, the modules that need FFmpeg are followed to the end already.
    """
    if is_mac(context) and context.search_path is not None:
        paths = mac_libraries.ffmpeg_on_path(context, package)
        return {major: os.path.dirname(path) for major, path in paths.items()}
    if not context.environment.conda or context.live:
        return {}
    folder = os.path.join(context.environment.interpreter.prefix, "lib")
    return dict.fromkeys(ffmpeg_files(context.environment.tree.names(folder)), folder)


def _broken(context: CheckContext, package: str, folder: str, major: int) -> Iterator[Attempt]:
    """The libraries of an FFmpeg that lack others, which are not of FFmpeg."""
    process = context.new_process(context.target) if context.target is not None else None
    for name in ffmpeg_files(context.environment.tree.names(folder)).get(major, ()):
        attempt = opened(context, package, os.path.join(folder, name), process)
        lost = [each for each in attempt.outcome.missing if not is_ffmpeg(each.name)] if attempt else []
        if attempt is not None and lost:
            yield attempt._replace(outcome=attempt.outcome._replace(missing=tuple(lost)))


def _here(context: CheckContext, path: str) -> Iterable[str]:
    """The files here that a path of a log may be: on the machine, or in the folder of conda."""
    search, prefix = context.search_path, context.environment.interpreter.prefix
    found = [Root(search.root).real(path)] if search is not None else []
    if context.environment.conda and prefix:
        found.append(os.path.join(prefix, "lib", os.path.basename(path)))
    return filter(files.is_file, dict.fromkeys(found))


def of_ffmpeg(context: CheckContext, attempt: Attempt, severity: str) -> Finding:
    """The finding for a library whose needs are not all there."""
    first = attempt.outcome.missing[0]
    library, lost = os.path.basename(first.wanted_by), os.path.basename(first.name)
    is_part = is_ffmpeg(os.path.basename(attempt.path))
    whose = " of FFmpeg" if is_ffmpeg(library) else ""
    return context.finding(
        "TL610",
        severity,
        f"{library}{whose} needs {lost}, which is not found",
        attempt.package,
        path=first.wanted_by,
        because=f"the library that {library} was built with was removed, or replaced by another release of it",
        expected_error=not_found(context, attempt.package, attempt.path, first.name, first.wanted_by),
        remedy=_again(context, attempt.path) if is_part else None,
        sources=("ld-so-manual",),
        lacks=tuple(dict.fromkeys(os.path.basename(each.name) for each in attempt.outcome.missing)),
    )


def _again(context: CheckContext, path: str) -> Remedy | None:
    """FFmpeg again, by its manager; on Windows a shared build that has all that it needs."""
    known = once_more(context, "FFmpeg", path)
    if known is not None or not is_windows(context) or not cores_of(context):
        return known
    remedy = earlier(context, cores_of(context))
    words = f"{remedy.summary.rstrip('.')}. Delete the DLLs of FFmpeg in {os.path.dirname(path)} before."
    return replace(remedy, summary=words)
