"""One project: which of its wheels are read, and what their content says about their siblings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from torchlock.gathering.pages import File, Project, Release
from torchlock.gathering.requirements import Row, parse_row
from torchlock.gathering.wheels import decide_build
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# CUDA builds whose wheels do not say which CUDA. Their machine code holds one constant that can be a CUDA
# version: 12040, in libtorchaudio.so and _C.so; the x86-64 wheels of both releases are labelled cu124. Wheels
# with build number 1 replaced them by CPU builds.
MEASURED_BUILDS = {
    ("torchaudio", "2.5.0", "aarch64"): "cu124",
    ("torchvision", "0.20.0", "aarch64"): "cu124",
}
# Outside of the torch family, projects whose wheels of one release declare other requirements for each Python.
EACH_WHEEL = frozenset({"onnxruntime", "onnxruntime-gpu"})


@dataclass
class Table:
    """All that is known of one project: its page, and what was read from its wheels by their SHA-256.

    ``metadata`` and ``builds`` map a wheel to what ``read_metadata`` and ``read_build`` gave; a wheel that
    could not be read, or was not looked at, is absent.
    """

    project: Project
    metadata: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.project.name

    def rows(self, release: Release) -> set[Row]:
        """Every requirement that the release's wheels for Python 3 declare."""
        speakers = metadata_sample(self.name, release).values()
        read = {wheel.sha256 for wheel in speakers if wheel.generation == "3"} & self.metadata.keys()
        texts = {text for sha256 in read for text in self.metadata[sha256]["requires"]}
        return {row for text in texts if (row := parse_row(text))}

    def invalid_texts(self) -> set[str]:
        return {text for known in self.metadata.values() for text in known["requires"] if not parse_row(text)}


def metadata_sample(name: str, release: Release) -> dict[str, File]:
    """For each wheel (by SHA-256) the wheel whose metadata speaks for it."""
    if name in FAMILY | EACH_WHEEL:
        return {wheel.sha256: wheel for wheel in release.wheels}
    return _speakers(release.wheels, lambda wheel: (wheel.platform, wheel.generation, wheel.build_number))


def build_sample(name: str, release: Release) -> dict[str, File]:
    """For each wheel (by SHA-256) the wheel whose build speaks for it; none outside the torch family."""
    if name not in FAMILY:
        return {}
    wheels = [wheel for wheel in release.wheels if wheel.platform[0] != "any"]
    return _speakers(wheels, lambda wheel: (wheel.platform, wheel.build_number))


def _speakers(wheels: Sequence[File], kind: Callable[[File], Any]) -> dict[str, File]:
    """The last wheel of each kind, for every wheel of that kind (by SHA-256)."""
    speaker = {kind(wheel): wheel for wheel in wheels}
    return {wheel.sha256: speaker[kind(wheel)] for wheel in wheels}


def requirement_sets(table: Table, release: Release) -> list[tuple[Row, ...] | None]:
    """The declared requirements of each wheel, sorted; None where they could not be read."""
    speakers = metadata_sample(table.name, release)
    sets: list[tuple[Row, ...] | None] = []
    for wheel in release.wheels:
        known = table.metadata.get(speakers[wheel.sha256].sha256)
        rows = {row for text in known["requires"] if (row := parse_row(text))} if known else set()
        sets.append(tuple(sorted(rows)) if known else None)
    return sets


TorchBuilds = dict[tuple[Version, tuple[str, str]], str]


def torch_builds(torch: Table | None) -> TorchBuilds:
    """What each torch release was built for, by version and platform."""
    if torch is None:
        return {}
    return {
        (release.version, wheel.platform): build
        for release in torch.project.releases
        for wheel in build_sample("torch", release).values()
        if (build := decide_build(torch.builds.get(wheel.sha256)))
    }


def build_values(table: Table, release: Release, torch: TorchBuilds) -> list[str | None]:
    """The ``build`` of each wheel; None where it is not known."""
    speakers = build_sample(table.name, release)
    values = []
    for wheel, rows in zip(release.wheels, requirement_sets(table, release), strict=True):
        speaker = speakers.get(wheel.sha256)
        pin = _pinned_torch(rows)
        pinned = torch.get((pin, wheel.platform), "") if pin else ""
        measured = MEASURED_BUILDS.get((table.name, str(release.version), wheel.platform[1]))
        otherwise = pinned if pinned.startswith("cu") else measured
        values.append(decide_build(table.builds.get(speaker.sha256), otherwise) if speaker else None)
    return values


def _pinned_torch(rows: tuple[Row, ...] | None) -> Version | None:
    """The one torch release that the requirements allow, if they name it exactly."""
    for name, specifier, _, _ in rows or ():
        if name == "torch" and (match := re.fullmatch(r"===?([^*,]+)", specifier)):
            return Version(match[1])
    return None
