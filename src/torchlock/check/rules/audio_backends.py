"""TL302, TL303, TL306: the libraries that torchaudio loads and saves files with. They changed twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check import mac_libraries, mac_places
from torchlock.check.fix.commands import add
from torchlock.check.rules.ffmpeg import ffmpeg_of, is_mac
from torchlock.check.rules.import_path import is_there
from torchlock.check.system_packages import install_library, stated
from torchlock.check.vendors import is_vendors
from torchlock.check.windows_libraries import BY_HAND, NOT_ON_PATH, install_ffmpeg
from torchlock.finding import Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.host import libsox
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_SAYS = "RuntimeError: Couldn't find appropriate backend to handle uri"
# Packages that decode audio themselves, so that an environment need not load files through torchaudio.
_DECODERS = ("av", "audioread", "decord", "imageio-ffmpeg", "librosa", "miniaudio", "pydub", "torchcodec")
# The FFmpeg major version of the stream extension in torchaudio 0.12 to 2.0.
_STREAMS = 4
# What torchaudio 2.1 to 2.8 opens, and the name of libsox in its wheels for macOS on arm64.
_FFMPEG, _SOX = ">=4.1,<7", ">=14.4.2"
_SOX_OF_MACOS = "libsox.dylib"
_SHARED = "Install FFmpeg {major} as a shared build, and make Python find its DLLs"


@rule("TL306", "TL303", "TL302")
def backends(context: CheckContext) -> Iterator[Finding]:
    """The libraries that the installed torchaudio lacks to load and save files."""
    if not is_there(context, "torchaudio") or context.environment.frozen is not None:
        return  # only a record; the module is elsewhere. An application may have others in its archive.
    if _is_one_of(context, "<2.1"):
        yield from _bundled(context)
    elif _is_one_of(context, ">=2.1,<2.9"):
        yield from _dispatched(context)


def _is_one_of(context: CheckContext, releases: str) -> bool:
    pin = context.pins.get("torchaudio")
    return pin is not None and not pin.unversioned and specifier_set(releases).contains(pin.version)


def _bundled(context: CheckContext) -> Iterator[Finding]:
    """torchaudio up to 2.0 contains libsox, except on Windows. Since 0.12 it opens FFmpeg 4 for streams."""
    if _is_windows(context) and _lacks_soundfile(context) and not context.environment.conda:
        message = f"{context.named('torchaudio')} has no backend to load and save files"
        because = "on Windows it loads and saves with soundfile only, which is not installed"
        expected_error = "RuntimeError: No audio I/O backend is available."
        yield _no_backend(context, message, because, expected_error)
    if (named := mac_places.in_files(context, "torchaudio")) is not None:
        yield _named_by_place(context, named, "note")
        return
    if is_vendors(context, "torchaudio"):
        return  # built for the FFmpeg of its distribution
    majors = ffmpeg_of(context)
    if _is_one_of(context, ">=0.12") and not isinstance(majors, Unknown) and _STREAMS not in majors:
        there = f"this machine has FFmpeg {majors[-1]}" if majors else "this machine has none"
        message = f"{context.named('torchaudio')} opens streams with FFmpeg {_STREAMS} only: {there}"
        needs = f">={_STREAMS}.1,<{_STREAMS + 1}"
        remedy = install_library(context, "ffmpeg", needs)
        if is_mac(context) and not stated(context, "ffmpeg")[0]:
            off_path = mac_libraries.ffmpeg_off_path(context, (_STREAMS,))
            if mac_libraries.is_uncertain(context, off_path):
                return
            there = mac_libraries.where(off_path, "FFmpeg") if off_path else there
            remedy = (
                mac_libraries.reach(context, off_path, "ffmpeg", needs)
                if off_path
                else mac_libraries.install(context, "ffmpeg", needs, "torchaudio")
            )
        expected_error = "ImportError: FFmpeg libraries are not found. Please install FFmpeg."
        yield context.finding("TL303", "note", message, "torchaudio", expected_error=expected_error, remedy=remedy)


def _lacks_soundfile(context: CheckContext) -> bool:
    """Whether soundfile is not installed. Its record without its module is damage, which other rules report."""
    return context.copy("soundfile") is None and context.installed.get("soundfile") is None


def _dispatched(context: CheckContext) -> Iterator[Finding]:
    """torchaudio 2.1 to 2.8 needs one of soundfile, FFmpeg and libsox. Its wheels contain none of them."""
    if context.target is None:
        return
    majors, has_sox = ffmpeg_of(context), _has_sox(context, context.target.platform.system)
    has_ffmpeg = not isinstance(majors, Unknown) and any(4 <= major <= 6 for major in majors)
    if _lacks_soundfile(context) and has_sox is not True and not has_ffmpeg:
        yield _nothing(context, majors, known=not isinstance(majors, Unknown) and not isinstance(has_sox, Unknown))
        return
    if isinstance(majors, Unknown) or isinstance(has_sox, Unknown):
        return
    if not has_ffmpeg:
        yield from _without_ffmpeg(context, majors)
    if not has_sox and not _is_windows(context):
        yield without_sox(context)


def _without_ffmpeg(context: CheckContext, majors: list[int]) -> Iterator[Finding]:
    """A note that torchaudio finds no FFmpeg that it was built for."""
    there, remedy = _which(majors), install_library(context, "ffmpeg", _FFMPEG)
    if is_mac(context) and not stated(context, "ffmpeg")[0]:
        remedy = mac_libraries.install(context, "ffmpeg", _FFMPEG, "torchaudio")
        if off_path := mac_libraries.ffmpeg_off_path(context, (4, 5, 6)):
            if mac_libraries.is_uncertain(context, off_path):
                return
            there = mac_libraries.where(off_path, "FFmpeg")
            remedy = mac_libraries.reach(context, off_path, "ffmpeg", _FFMPEG)
    message = f"{context.named('torchaudio')} does not load through FFmpeg: {there}"
    yield context.finding("TL303", "note", message, "torchaudio", remedy=remedy)


def _named_by_place(context: CheckContext, named: mac_places.Named, severity: str) -> Finding:
    """A library of torchaudio that asks for FFmpeg in a folder of the machine that built it."""
    needs, majors = _wanted(context)
    remedy = mac_places.remedy_for(context, "torchaudio", needs, majors)
    return context.finding(
        "TL303",
        severity,
        named.said(context.named("torchaudio")),
        "torchaudio",
        because=mac_places.BECAUSE,
        expected_error=f"Library not loaded: {named.path}",
        remedy=remedy,
        sources=("dyld-manual",),
        lacks=(os.path.basename(named.path),),
    )


def _wanted(context: CheckContext) -> tuple[str, tuple[int, ...]]:
    """The FFmpeg that this torchaudio opens: as a specifier, and the major versions."""
    is_dispatched = _is_one_of(context, ">=2.1")
    return (_FFMPEG, (4, 5, 6)) if is_dispatched else (f">={_STREAMS}.1,<{_STREAMS + 1}", (_STREAMS,))


def ffmpeg_shown(context: CheckContext, log: Log) -> Iterator[Finding]:
    """A warning that torchaudio finds no FFmpeg, as a log shows, on a machine of which that is not known."""
    has_known = not isinstance(ffmpeg_of(context), Unknown)
    if not _is_one_of(context, ">=0.12,<2.9") or (has_known and not is_mac(context)):
        return
    if is_mac(context) and mac_places.is_of_another(log):
        return
    if is_mac(context) and (named := mac_places.in_log(log)) is not None:
        yield _named_by_place(context, named, "warning")
        return
    needs, majors = _wanted(context)
    there, because, is_off_path = "the log shows that none is found", None, False
    remedy = install_library(context, "ffmpeg", needs)
    if is_mac(context):
        off_path = mac_libraries.ffmpeg_off_path(context, majors)
        is_off_path = off_path is not None
        there = mac_libraries.where(off_path, "FFmpeg") if off_path else there
        remedy = (
            mac_libraries.reach(context, off_path, "ffmpeg", needs)
            if off_path
            else mac_libraries.install(context, "ffmpeg", needs, "torchaudio")
        )
    elif _is_windows(context):
        because = f"{NOT_ON_PATH}, and torchaudio adds no folder"
        installed = install_ffmpeg(context, needs, majors)
        remedy = (
            installed
            if context.environment.conda
            else Remedy(f"{_SHARED.format(major=majors[-1])}: {BY_HAND}.", commands=installed.commands)
        )
    if context.copy("soundfile") is None and _is_one_of(context, ">=2.1"):
        remedy = _or_soundfile(context, remedy if is_off_path else None)
    message = f"{context.named('torchaudio')} does not load through FFmpeg: {there}"
    yield context.finding("TL303", "warning", message, "torchaudio", because=because, remedy=remedy)


def _or_soundfile(context: CheckContext, first: Remedy | None) -> Remedy:
    """Install soundfile, with which torchaudio loads and saves; after the remedy for FFmpeg, if there is one."""
    commands = add(context, "soundfile")
    if first is None:
        return Remedy("Install soundfile, with which torchaudio loads and saves.", commands=commands)
    summary = f"{first.summary.rstrip('.')}; or install soundfile, with which torchaudio loads and saves."
    return Remedy(summary, commands=(*first.commands, *commands))


def lacks_sox(context: CheckContext) -> bool:
    """Whether this torchaudio was built without libsox, as all wheels for Windows are."""
    copy = context.copy("torchaudio")
    if copy is None or not _is_windows(context) or not _is_one_of(context, ">=0.6,<2.9"):
        return False
    names = [*context.environment.tree.names(copy.path), *context.environment.tree.names(f"{copy.path}/lib")]
    return not any("sox" in name and name.endswith((".pyd", ".dll")) for name in names)


def built_without_sox(context: CheckContext, expected_error: str) -> Finding:
    """A warning that a program calls a function of libsox that this torchaudio does not have."""
    remedy = (
        "Remove the call of the sox backend or of sox_effects: load and save with soundfile, and use the "
        "functions of torchaudio.functional and torchaudio.transforms for effects."
    )
    return context.finding(
        "TL302",
        "warning",
        f"{context.named('torchaudio')} has no sox extension: torchaudio for Windows is built without libsox",
        "torchaudio",
        because="no library of the machine can add it",
        expected_error=expected_error,
        remedy=Remedy(remedy),
    )


def may_lack_sox(context: CheckContext) -> bool:
    """Whether this torchaudio opens libsox, and it is not known to find it; a log then decides."""
    if context.target is None or _is_windows(context) or not _is_one_of(context, ">=2.1,<2.9"):
        return False
    return _has_sox(context, context.target.platform.system) is not True


def without_sox(context: CheckContext) -> Finding:
    """A note that torchaudio does not find libsox."""
    lead = f"{context.named('torchaudio')} does not load through libsox"
    if not is_mac(context):
        message, remedy = f"{lead}: libsox.so is not found", install_library(context, "libsox", _SOX)
        return context.finding("TL302", "note", message, "torchaudio", remedy=remedy)
    off_path = mac_libraries.library_off_path(context, _SOX_OF_MACOS)
    there = f"; {mac_libraries.where(off_path, _SOX_OF_MACOS)}" if off_path else ""
    library = _sox_extension(context)
    by = os.path.basename(library) if library else "its sox extension"
    opened = context.search_path.name(library) if context.search_path is not None else library
    remedy = (
        mac_libraries.reach(context, off_path, "libsox", _SOX)
        if off_path
        else mac_libraries.install(context, "libsox", _SOX, "torchaudio")
    )
    return context.finding(
        "TL302",
        "note",
        f"{lead}: {by} needs {_SOX_OF_MACOS}, which is in no folder that dyld searches{there}",
        "torchaudio",
        path=library,
        because="its sox extension asks for @rpath/libsox.dylib, which the wheels for arm64 do not contain",
        expected_error=f"OSError: dlopen({opened}, 0x0006): Library not loaded: @rpath/{_SOX_OF_MACOS}",
        remedy=remedy,
        sources=("torchaudio-elf", "dyld-manual", "audio-3724"),
        lacks=(_SOX_OF_MACOS,),
    )


def _sox_extension(context: CheckContext) -> str:
    """The library of torchaudio that needs libsox; "" if there is none."""
    copy = context.copy("torchaudio")
    folder = os.path.join(copy.path, "lib") if copy else ""
    name = "libtorchaudio_sox.so"
    return os.path.join(folder, name) if name in context.environment.tree.names(folder) else ""


def _has_sox(context: CheckContext, system: str) -> bool | Unknown:
    """Whether torchaudio finds libsox, which it can use on Linux and macOS."""
    is_stated, version = stated(context, "libsox")
    if is_stated or system == "windows":
        return bool(version)
    if system == "macos":
        return _has_sox_on_mac(context)
    if context.root is None:
        return Unknown("the machine was not looked at")
    # A conda environment has libsox in its own prefix; the extension that needs it shows whether it was found.
    mine = [each for each in context.attempts if each.package == "torchaudio"]
    opened = [each for each in mine if "sox" in os.path.basename(each.path)]
    lost = [missing.name for each in opened for missing in each.outcome.missing]
    return libsox(context.root)[0] is not None or (bool(opened) and "libsox.so" not in lost)


def _has_sox_on_mac(context: CheckContext) -> bool | Unknown:
    """Whether dyld finds libsox: in torchaudio's wheel for Intel, or in a folder that is searched."""
    library = _sox_extension(context)
    binary = read_binary(library) if library else None
    needed = [each.name for each in binary.needed] if isinstance(binary, Binary) else []
    own = next((each for each in needed if each.startswith("@loader_path/") and "/libsox." in each), "")
    if own and os.path.isfile(own.replace("@loader_path", os.path.dirname(library))):
        return True
    if context.search_path is None:
        return Unknown("the machine was not looked at")
    for folder in mac_libraries.searched_for(context, "torchaudio"):
        if _SOX_OF_MACOS in context.environment.tree.names(folder):
            return mac_libraries.fits(context, os.path.join(folder, _SOX_OF_MACOS))
    if mac_libraries.is_uncertain(context, mac_libraries.library_off_path(context, _SOX_OF_MACOS)):
        return Unknown("it is not known which folders this Python makes dyld search")
    return False


def _which(majors: list[int]) -> str:
    return f"FFmpeg {majors[-1]} is not one of 4 to 6" if majors else "this machine has none"


def _nothing(context: CheckContext, majors: list[int] | Unknown, *, known: bool) -> Finding:
    """Neither soundfile nor a library of the machine; it may have one if its libraries are unknown."""
    takes = "soundfile or FFmpeg 4 to 6" if _is_windows(context) else "soundfile, FFmpeg 4 to 6 or libsox"
    because = [f"it loads and saves with {takes}, and includes none of them"]
    because += [] if isinstance(majors, Unknown) or not majors else [_which(majors)]
    because += _off_path(context) if is_mac(context) else []
    runtime = libsox(context.root)[1] if context.root is not None and not stated(context, "libsox")[0] else None
    because += [f"{os.path.basename(runtime)} is there, but torchaudio opens libsox.so"] if runtime else []
    message = f"{context.named('torchaudio')} has no backend to load and save files"
    if not known:
        message += ", unless the machine has it: soundfile is not installed"
    decoders = [name for name in _DECODERS if context.installed.get(name) is not None]
    because += [f"{decoders[0]}, which is installed, decodes files without torchaudio"] if decoders else []
    return _no_backend(context, message, "; ".join(because), _SAYS)


def _no_backend(context: CheckContext, message: str, because: str, expected_error: str) -> Finding:
    """A note: torchaudio is imported and computes without a backend, and only who loads files needs one."""
    remedy = Remedy("Install soundfile.", commands=add(context, "soundfile"))
    return context.finding(
        "TL306", "note", message, "torchaudio", because=because, expected_error=expected_error, remedy=remedy
    )


def _off_path(context: CheckContext) -> list[str]:
    """The libraries of a Mac that would serve, and that dyld does not search for."""
    found = [(mac_libraries.ffmpeg_off_path(context, (4, 5, 6)), "FFmpeg")]
    found.append((mac_libraries.library_off_path(context, _SOX_OF_MACOS), _SOX_OF_MACOS))
    return [mac_libraries.where(each, what) for each, what in found if each is not None]


def _is_windows(context: CheckContext) -> bool:
    return context.target is not None and context.target.platform.system == "windows"
