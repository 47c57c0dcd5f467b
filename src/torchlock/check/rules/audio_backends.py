"""TL302, TL303, TL305, TL306: what torchaudio loads and saves files through, which changed twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.rules.ffmpeg import ffmpeg_of
from torchlock.check.rules.import_path import is_there
from torchlock.check.system_packages import install_library, stated
from torchlock.inspect.host import libsox
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import Scene
    from torchlock.finding import Finding

_SAYS = "RuntimeError: Couldn't find appropriate backend to handle uri"
# The FFmpeg that the extension for streams of torchaudio 0.12 to 2.0 was built for, all its releases.
_STREAMS = 4


def backends(scene: Scene) -> Iterator[Finding]:
    """What the torchaudio that is there lacks to load and save files."""
    if not is_there(scene, "torchaudio"):
        return  # a record alone, of a module that is elsewhere
    if _is_one_of(scene, "<2.1"):
        yield from _bundled(scene)
    elif _is_one_of(scene, ">=2.1,<2.9"):
        yield from _dispatched(scene)
    elif _is_one_of(scene, ">=2.9") and scene.copy("torchcodec") is None:
        message = f"{scene.named('torchaudio')} loads and saves files through torchcodec, which is not installed"
        says = "ImportError: TorchCodec is required for load_with_torchcodec."
        yield scene.finding("TL305", "note", message, "torchaudio", "torchcodec", says=says)


def _is_one_of(scene: Scene, releases: str) -> bool:
    pin = scene.pins.get("torchaudio")
    return pin is not None and not pin.unversioned and specifier_set(releases).contains(pin.version)


def _bundled(scene: Scene) -> Iterator[Finding]:
    """torchaudio to 2.0 brings its libsox, but for Windows; and opens FFmpeg 4 for streams since 0.12."""
    if _is_windows(scene) and scene.copy("soundfile") is None and not scene.environment.conda:
        message = f"{scene.named('torchaudio')} finds nothing to load and save files with"
        because = "on Windows it loads and saves through soundfile alone, which is not installed"
        says = "RuntimeError: No audio I/O backend is available."
        yield scene.finding("TL306", "warning", message, "torchaudio", because=because, says=says)
    majors = ffmpeg_of(scene)
    if _is_one_of(scene, ">=0.12") and not isinstance(majors, Unknown) and _STREAMS not in majors:
        there = f"this machine has FFmpeg {majors[-1]}" if majors else "this machine has none"
        message = f"{scene.named('torchaudio')} opens streams through FFmpeg {_STREAMS} alone: {there}"
        remedy = install_library(scene, "ffmpeg", f">={_STREAMS}.1,<{_STREAMS + 1}")
        says = "ImportError: FFmpeg libraries are not found. Please install FFmpeg."
        yield scene.finding("TL303", "note", message, "torchaudio", says=says, remedy=remedy)


def _dispatched(scene: Scene) -> Iterator[Finding]:
    """torchaudio 2.1 to 2.8 takes soundfile, FFmpeg or libsox, and brings none: one of the three is enough."""
    if scene.target is None:
        return
    majors, has_sox = ffmpeg_of(scene), _has_sox(scene, scene.target.platform.system)
    has_ffmpeg = not isinstance(majors, Unknown) and any(4 <= major <= 6 for major in majors)
    if scene.copy("soundfile") is None and has_sox is not True and not has_ffmpeg:
        yield _nothing(scene, majors, known=not isinstance(majors, Unknown) and not isinstance(has_sox, Unknown))
        return
    if scene.target.platform.system == "macos" or isinstance(majors, Unknown) or isinstance(has_sox, Unknown):
        return
    if not has_ffmpeg:
        message = f"{scene.named('torchaudio')} does not load through FFmpeg: {_which(majors)}"
        yield scene.finding(
            "TL303", "note", message, "torchaudio", remedy=install_library(scene, "ffmpeg", ">=4.1,<7")
        )
    if not has_sox and not _is_windows(scene):
        message = f"{scene.named('torchaudio')} does not load through libsox: libsox.so is not found"
        yield scene.finding(
            "TL302", "note", message, "torchaudio", remedy=install_library(scene, "libsox", ">=14.4.2")
        )


def _has_sox(scene: Scene, system: str) -> bool | Unknown:
    """Whether torchaudio finds libsox, which it takes on Linux and macOS."""
    told, version = stated(scene, "libsox")
    if told or system == "windows":
        return bool(version)
    if system == "macos":
        folders = scene.search_path.folders if scene.search_path else ()
        found = any("libsox.dylib" in scene.environment.tree.names(folder) for folder in folders)
        return found if scene.search_path else Unknown("the machine was not looked at")
    if scene.root is None:
        return Unknown("the machine was not looked at")
    # An environment of conda finds libsox in its own prefix, which the extension that wants it tells.
    mine = [each for each in scene.attempts if each.package == "torchaudio"]
    opened = [each for each in mine if "sox" in os.path.basename(each.path)]
    lost = [missing.name for each in opened for missing in each.outcome.missing]
    return libsox(scene.root)[0] is not None or (bool(opened) and "libsox.so" not in lost)


def _which(majors: list[int]) -> str:
    return f"FFmpeg {majors[-1]} is not one of 4 to 6" if majors else "this machine has none"


def _nothing(scene: Scene, majors: list[int] | Unknown, *, known: bool) -> Finding:
    """No soundfile, and no library of the machine; a note where nobody knows what the machine has."""
    takes = "soundfile or FFmpeg 4 to 6" if _is_windows(scene) else "soundfile, FFmpeg 4 to 6 or libsox"
    because = [f"it loads and saves through {takes}, and brings none of them"]
    because += [] if isinstance(majors, Unknown) or not majors else [_which(majors)]
    runtime = libsox(scene.root)[1] if scene.root is not None and not stated(scene, "libsox")[0] else None
    because += [f"{os.path.basename(runtime)} is there, but torchaudio opens libsox.so"] if runtime else []
    message = f"{scene.named('torchaudio')} finds nothing to load and save files with"
    if not known:
        message += ", unless the machine has it: soundfile is not installed"
    severity = "warning" if known else "note"
    return scene.finding("TL306", severity, message, "torchaudio", because="; ".join(because), says=_SAYS)


def _is_windows(scene: Scene) -> bool:
    return scene.target is not None and scene.target.platform.system == "windows"
