"""The check: why torchaudio does not load in an environment, found from outside, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check import (
    backends,
    damage,
    examined,
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
from torchlock.check.examined import healthy, untold
from torchlock.check.scene import Scene
from torchlock.check.verdict import Verdict, ranked, verdict
from torchlock.errors import TorchlockError
from torchlock.fence import breakage
from torchlock.finding import Finding, Strength

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from torchlock.fence import Breakage

__all__ = ["Scene", "Verdict", "examine", "healthy", "ranked", "untold", "verdict"]

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
    versions.prereleases,
    removed.removed,
    requires.unmet,
    libraries.loading,
    examined.not_examined,
    extensions.extensions,
    openmp.openmp,
    sndfile.soundfile,
    ffmpeg.codec,
    backends.backends,
    gpu.unusable,
)


def examine(scene: Scene, ignore: Collection[str] = ()) -> list[Finding]:
    """Everything that is found in an environment, in the order of the rules; those to be ignored left out.

    A rule that meets a bug is a finding of its own (TL908), and the others are asked all the same.
    """
    found = places.blamed(scene, [finding for rule in _RULES for finding in _fenced(rule, scene)])
    return [finding for finding in found if finding.rule not in ignore]


def _fenced(rule: Callable[[Scene], Iterator[Finding]], scene: Scene) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(rule(scene))
    except TorchlockError:
        raise
    except Exception as error:
        met = breakage(error)
        if met.place not in [each.place for each in scene.broken]:
            scene.broken.append(met)
            found.append(_of_bug(f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}", met))
    return found


def _of_bug(rule: str, met: Breakage) -> Finding:
    message = f"torchlock failed in its rule {rule}, so what this rule tells was not examined: {met}"
    return Finding("TL908", "error", message, because=met.because, strength=Strength.REPORTED)
