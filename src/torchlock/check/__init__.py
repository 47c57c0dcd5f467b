"""The check: why torchaudio does not load in an environment, found from outside, and the command that mends it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from torchlock.check.context import CheckContext
from torchlock.check.rules import (
    audio_backends,
    damaged_files,
    ffmpeg,
    foreign_wheels,
    gpu,
    import_path,
    libsndfile,
    loading,
    missing_torch_files,
    not_examined,
    openmp,
    records,
    removed_apis,
    stdlib_shadowing,
    third_party_extensions,
    unmet_requirements,
    versions,
)
from torchlock.check.rules.not_examined import healthy, untold
from torchlock.check.verdict import Verdict, ranked, verdict
from torchlock.errors import TorchlockError
from torchlock.finding import Finding, Strength
from torchlock.runtime.fence import breakage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["CheckContext", "Verdict", "examine", "fenced", "healthy", "ranked", "untold", "verdict"]

_RULES: tuple[Callable[[CheckContext], Iterator[Finding]], ...] = (
    import_path.unseen,
    import_path.unknown,
    import_path.left_out,
    import_path.absent,
    import_path.shadows,
    stdlib_shadowing.own_modules,
    stdlib_shadowing.ctypes,
    records.hollow,
    records.without_package,
    damaged_files.damaged,
    missing_torch_files.hollow,
    records.leftovers,
    records.doubles,
    records.unrecorded,
    foreign_wheels.strangers,
    foreign_wheels.misnamed,
    versions.conflicts,
    versions.flavours,
    versions.prereleases,
    removed_apis.removed,
    unmet_requirements.unmet,
    loading.loading,
    not_examined.not_examined,
    third_party_extensions.extensions,
    openmp.openmp,
    libsndfile.soundfile,
    ffmpeg.codec,
    audio_backends.backends,
    gpu.unusable,
)


def examine(context: CheckContext, ignore: Collection[str] = ()) -> list[Finding]:
    """Everything that is found in an environment, in the order of the rules; those to be ignored left out.

    A rule that meets a bug is a finding of its own (TL908), and the others are asked all the same.
    """
    found: list[Finding] = []
    for rule in _RULES:
        name = f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}"
        with fenced(context, found, f"in its rule {name}, so what this rule tells was not examined"):
            found.extend(rule(context))
    with fenced(context, found, "while it looked for root causes"):
        found = import_path.blamed(context, found)
    return [finding for finding in found if finding.rule not in ignore]


@contextlib.contextmanager
def fenced(context: CheckContext, found: list[Finding], where: str) -> Iterator[None]:
    """A block that costs only itself if it meets a bug: this is noted in the scene, and becomes a finding (TL908).

    ``where`` goes on after "torchlock failed".
    """
    try:
        yield
    except TorchlockError:
        raise
    except Exception as error:
        met = breakage(error)
        if met.place not in [each.place for each in context.broken]:
            context.broken.append(met)
            message = f"torchlock failed {where}: {met}"
            found.append(Finding("TL908", "error", message, because=met.because, strength=Strength.REPORTED))
