"""The check: why torchaudio does not load in an environment, found from outside, and the command that mends it."""

from __future__ import annotations

import contextlib
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

__all__ = ["Scene", "Verdict", "examine", "fenced", "healthy", "ranked", "untold", "verdict"]

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
    found: list[Finding] = []
    for rule in _RULES:
        name = f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}"
        with fenced(scene, found, f"in its rule {name}, so what this rule tells was not examined"):
            found.extend(rule(scene))
    with fenced(scene, found, "while it looked for root causes"):
        found = places.blamed(scene, found)
    return [finding for finding in found if finding.rule not in ignore]


@contextlib.contextmanager
def fenced(scene: Scene, found: list[Finding], where: str) -> Iterator[None]:
    """A block that costs only itself if it meets a bug: this is noted in the scene, and becomes a finding (TL908).

    ``where`` goes on after "torchlock failed".
    """
    try:
        yield
    except TorchlockError:
        raise
    except Exception as error:
        met = breakage(error)
        if met.place not in [each.place for each in scene.broken]:
            scene.broken.append(met)
            message = f"torchlock failed {where}: {met}"
            found.append(Finding("TL908", "error", message, because=met.because, strength=Strength.REPORTED))
