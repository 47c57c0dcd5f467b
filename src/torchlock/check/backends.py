"""TL302, TL303, TL305, TL306: what torchaudio loads and saves files through, which changed twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.host import ffmpeg_of, install_library, stated
from torchlock.finding import Command, Remedy
from torchlock.inspect.host import libsox
from torchlock.matrix import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.scene import Scene
    from torchlock.finding import Finding

_SAYS = "RuntimeError: Couldn't find appropriate backend to handle uri"


def backends(scene: Scene) -> Iterator[Finding]:
    """What the torchaudio that is there lacks to load and save files."""
    if _is_one_of(scene, ">=2.1,<2.9"):
        yield from _dispatched(scene)
    elif _is_one_of(scene, ">=2.9") and scene.copy("torchcodec") is None:
        message = f"{scene.named('torchaudio')} loads and saves files through torchcodec, which is not installed"
        says = "ImportError: TorchCodec is required for load_with_torchcodec."
        yield scene.finding("TL305", "note", message, "torchaudio", "torchcodec", says=says)


def _is_one_of(scene: Scene, releases: str) -> bool:
    pin = scene.pins.get("torchaudio")
    return pin is not None and not pin.unversioned and specifier_set(releases).contains(pin.version)


def _dispatched(scene: Scene) -> Iterator[Finding]:
    """torchaudio 2.1 to 2.8 takes soundfile, FFmpeg or libsox, and brings none: one of the three is enough."""
    majors, told = ffmpeg_of(scene), stated(scene, "libsox")
    if scene.target is None or scene.target.platform.system != "linux":
        return
    if majors is None or (scene.root is None and not told[0]):
        return
    library, runtime = (None, None) if scene.root is None or told[0] else libsox(scene.root)
    # An environment of conda finds libsox in its own prefix, which the extension that wants it tells.
    opened = [
        each for each in scene.attempts if each.package == "torchaudio" and "sox" in os.path.basename(each.path)
    ]
    lost = [missing.name for each in opened for missing in each.outcome.missing]
    has_sox = bool(told[1]) if told[0] else library is not None
    has_sox = has_sox or (not told[0] and bool(opened) and "libsox.so" not in lost)
    has_ffmpeg = any(4 <= major <= 6 for major in majors)
    if scene.copy("soundfile") is None and not has_sox and not has_ffmpeg:
        yield _nothing(scene, majors, runtime)
        return
    if not has_ffmpeg:
        message = f"{scene.named('torchaudio')} does not load through FFmpeg: {_which(majors)}"
        yield scene.finding(
            "TL303", "note", message, "torchaudio", remedy=install_library(scene, "ffmpeg", ">=4.1,<7")
        )
    if not has_sox:
        message = f"{scene.named('torchaudio')} does not load through libsox: libsox.so is not found"
        yield scene.finding(
            "TL302", "note", message, "torchaudio", remedy=install_library(scene, "libsox", ">=14.4.2")
        )


def _which(majors: list[int]) -> str:
    return f"FFmpeg {majors[-1]} is not one of 4 to 6" if majors else "this machine has none"


def _nothing(scene: Scene, majors: list[int], runtime: str | None) -> Finding:
    because = ["it loads and saves through soundfile, FFmpeg 4 to 6 or libsox, and brings none of them"]
    because += [_which(majors)] if majors else []
    because += [f"{os.path.basename(runtime)} is there, but torchaudio opens libsox.so"] if runtime else []
    python = scene.environment.interpreter.executable
    commands = (
        Command("pip", f"{python or 'python'} -m pip install soundfile"),
        Command("uv", " ".join(["uv pip install", *([f"--python {python}"] if python else []), "soundfile"])),
    )
    return scene.finding(
        "TL306",
        "warning",
        f"{scene.named('torchaudio')} finds nothing to load and save files with",
        "torchaudio",
        because="; ".join(because),
        says=_SAYS,
        remedy=Remedy("Install soundfile.", commands=commands),
    )
