"""The check: why torchaudio does not load in an environment, found from outside, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check import (
    backends,
    damage,
    extensions,
    ffmpeg,
    gpu,
    hollow,
    libraries,
    openmp,
    places,
    python,
    records,
    removed,
    requires,
    sndfile,
    versions,
    wheels,
)
from torchlock.check.scene import STACK, VITAL, Scene
from torchlock.check.verdict import Verdict, ranked, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from torchlock.finding import Finding

__all__ = ["Scene", "Verdict", "examine", "healthy", "ranked", "verdict"]

_RULES: tuple[Callable[[Scene], Iterator[Finding]], ...] = (
    places.unseen,
    places.unknown,
    places.left_out,
    places.absent,
    places.shadows,
    python.own_modules,
    python.ctypes,
    records.hollow,
    records.without_package,
    damage.damaged,
    hollow.hollow,
    records.leftovers,
    records.doubles,
    records.unrecorded,
    wheels.strangers,
    wheels.misnamed,
    versions.conflicts,
    versions.flavours,
    removed.removed,
    requires.unmet,
    libraries.loading,
    extensions.extensions,
    openmp.openmp,
    sndfile.soundfile,
    ffmpeg.codec,
    backends.backends,
    gpu.unusable,
)


def examine(scene: Scene, ignore: Collection[str] = ()) -> list[Finding]:
    """Everything that is found in an environment, in the order of the rules; those to be ignored left out."""
    found = places.blamed(scene, [finding for rule in _RULES for finding in rule(scene)])
    return [finding for finding in found if finding.rule not in ignore]


def healthy(scene: Scene) -> str:
    """``nothing is wrong: torch 2.13.0 (CPU build) and torchaudio 2.11.0 load``."""
    names = [scene.named(name) for name in STACK if name in scene.pins and name != "numpy"]
    if not names or not any(name in scene.pins for name in VITAL):
        return "nothing is wrong"
    missing = "" if "torchaudio" in scene.pins or "torch" not in scene.pins else "; torchaudio is not installed"
    together = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"nothing is wrong: {together} {'loads' if len(names) == 1 else 'load'}{missing}"
