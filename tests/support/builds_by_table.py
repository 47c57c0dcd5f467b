"""A lock by the table of builds alone: torch and torchaudio of one release, without a solver."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.version import Version

from torchlock.knowledge.accelerators import serves
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.gpus import Gpu
from torchlock.lock.model import Conflict, Lock, Pin

if TYPE_CHECKING:
    from torchlock.target import Target


@cache
def builds() -> Builds:
    return Builds()


@cache
def releases(name: str) -> list[str]:
    """The releases of the time of torch 2, newest first."""
    return sorted(
        (each for each in builds().releases(name) if Version(each) >= Version("2")), key=Version, reverse=True
    )


class NoPair(NamedTuple):
    """Stands for a conflict: what was missing."""

    label: str


def attempt(label: str, target: Target) -> Any:
    """The newest torch of a build with a torchaudio of its series (2.11 for later ones), or a conflict."""
    for torch in releases("torch"):
        if not _there("torch", torch, label, target):
            continue
        series = min(Version(torch).release[:2], (2, 11))
        for audio in releases("torchaudio"):
            if Version(audio).release[:2] == series and _there("torchaudio", audio, label, target):
                pins = [Pin(name, each, (), (), ()) for name, each in (("torch", torch), ("torchaudio", audio))]
                return Lock(target, tuple(pins), (), (), 0)
    return Conflict(None, (), lambda _: NoPair(label))  # type: ignore[arg-type,return-value]


def _there(name: str, version: str, label: str, target: Target) -> bool:
    """Whether the table has a release, and nothing says that its code does not run."""
    platform, python = str(target.platform), str(target.python)
    listed = builds().published(name, version, label, platform)
    here = builds().published(name, version, label, platform, python)
    if (listed is not True or here is False) and label != "cpu":
        return False
    if name == "torch" and here is not True and label != "cpu":
        return False
    gpus = [] if target.gpu in ("", "none") else target.gpu.split(",")
    release = _spelled(version)
    return all(serves(name, release, label, platform, Gpu(arch, arch)).answer is not False for arch in gpus)


def _spelled(version: str) -> str:
    """2.9 → 2.9.0."""
    return version if version.count(".") > 1 else f"{version}.0" if "." in version else f"{version}.0.0"
