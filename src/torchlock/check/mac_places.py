"""Libraries of a Mac that name FFmpeg by a whole path, as the machine that built them had it, and not by @rpath.

dyld looks for such a name in its own place, and then in its fallback folders, but in no LC_RPATH (dyld(1)).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check import mac_libraries
from torchlock.check.linking import is_ffmpeg
from torchlock.finding import Command, Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.host import ffmpeg_in
from torchlock.inspect.loading.root import Root
from torchlock.knowledge.stack import MEMBERS
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log

_OF_MACOS = ("/usr/lib/", "/System/")
_PACKAGE = pattern(r"[/\\](?:site|dist)-packages[/\\](\w{1,80})[/\\]")
_NOT_LOADED = pattern(r"Library not loaded: ['\"]?(/[^'\"\n]{1,400}?\.dylib)")
BECAUSE = "dyld looks for a whole path in that place and in its fallback folders only, whatever LC_RPATH says"


class Named(NamedTuple):
    """A library, and the path by which it asks for one of FFmpeg."""

    library: str
    path: str

    def said(self, package: str) -> str:
        """What this is, after the name of the package."""
        folder, name = os.path.split(self.path)
        return f"{self.library} of {package} asks for {name} in {folder}, which this machine does not have"


def in_log(log: Log) -> Named | None:
    """The library of FFmpeg that dyld did not find by its whole path, as a log shows."""
    match = _NOT_LOADED.search(log.text)
    if match is None or match[1].startswith(_OF_MACOS) or not is_ffmpeg(os.path.basename(match[1])):
        return None
    if is_of_another(log):
        return None
    asking = log.first.library if log.first is not None else ""
    return Named(asking or "a library", match[1])


def is_of_another(log: Log) -> bool:
    """Whether the first failure of a log names a library of a package that is not of the stack."""
    packages = _PACKAGE.findall(log.first.text) if log.first is not None else []
    return any(each not in MEMBERS and each != "torio" for each in packages)


def in_files(context: CheckContext, package: str) -> Named | None:
    """The library of a package that asks for FFmpeg by a path that this Mac does not have."""
    search = context.search_path
    if search is None or context.operating_system != "macos":
        return None
    there = Root(search.root)
    for library, path in _asked(context, package):
        places = [os.path.dirname(there.real(path)), *search.fallback]
        if not any(files.is_file(os.path.join(place, os.path.basename(path))) for place in places):
            return Named(os.path.basename(library), path)
    return None


def _asked(context: CheckContext, package: str) -> Iterator[tuple[str, str]]:
    for attempt in context.attempts:
        binary = read_binary(attempt.path) if attempt.package == package else None
        for needed in binary.needed if isinstance(binary, Binary) else ():
            if needed.name.startswith("/") and is_ffmpeg(os.path.basename(needed.name)):
                yield attempt.path, needed.name


def remedy_for(context: CheckContext, package: str, needs: str, majors: Sequence[int]) -> Remedy:
    """Make dyld find a suitable FFmpeg of the machine, else install one; or use another build of the package."""
    other = f"or install another build of {package}, which asks for FFmpeg by @rpath"
    folder = _own_folder(context, majors)
    off_path = mac_libraries.ffmpeg_off_path(context, majors)
    if not folder and off_path is not None:
        folder = off_path.folder.name
    if folder and not (context.search_path is not None and context.search_path.is_apples):
        line = Command("shell", f"export {mac_libraries.VARIABLE}={folder}")
        text = f"Make dyld look in {folder}, which has a suitable FFmpeg; {mac_libraries.UNPROTECTED}"
        return Remedy(f"{text}; {other}.", commands=(line,))
    found = mac_libraries.install(context, "ffmpeg", needs, package)
    return Remedy(f"{found.summary.rstrip('.')}; {other}.", commands=found.commands)


def _own_folder(context: CheckContext, majors: Sequence[int]) -> str:
    """The folder of the environment's own libraries, if a suitable FFmpeg is in it, as its machine names it."""
    prefix = context.environment.interpreter.prefix
    folder = os.path.join(prefix, "lib") if prefix else ""
    found = ffmpeg_in([folder], context.environment.tree) if folder else {}
    if not any(major in majors and mac_libraries.fits(context, path) for major, path in found.items()):
        return ""
    return context.search_path.name(folder) if context.search_path is not None else folder
