"""The machine that a build is chosen for: its GPUs and its NVIDIA driver, and how a lock records them."""

from __future__ import annotations

import re

from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.knowledge.gpus import Gpu

_NO_GPU = "no GPU"


class BuildMachine(NamedTuple):
    """What a build has to run on.

    ``gpus`` is empty for a machine without a GPU, and None if nothing is said about GPUs. ``driver`` is the
    version of the NVIDIA driver, or "" if nothing is said about it.
    """

    gpus: tuple[Gpu, ...] | None = None
    driver: str = ""

    @property
    def archs(self) -> str:
        """The GPUs for ``Target.gpu``."""
        if self.gpus is None:
            return ""
        return ",".join(dict.fromkeys(gpu.arch for gpu in self.gpus)) or "none"

    @property
    def libraries(self) -> dict[str, str]:
        """The driver for ``Target.libraries``; empty if nothing is said about it."""
        return {"cuda-driver": self.driver} if self.driver else {}

    @property
    def vendors(self) -> list[str]:
        """The makers of the GPUs."""
        return list(dict.fromkeys(gpu.vendor for gpu in self.gpus or ()))

    def __str__(self) -> str:
        parts = [f"NVIDIA driver {self.driver}"] if self.driver else []
        if self.gpus is not None:
            parts += [str(gpu).replace(";", ",") for gpu in self.gpus] or [_NO_GPU]
        return "; ".join(parts)


def recorded_machine(text: str) -> BuildMachine | None:
    """The machine that a lock records, in the form of ``str``; None for any other text."""
    from torchlock.knowledge.gpus import Gpu

    gpus: list[Gpu] = []
    driver, empty = "", False
    for part in text.split("; "):
        if found := re.fullmatch(r"NVIDIA driver (\d{1,5}(?:\.\d{1,5}){0,3})", part):
            driver = found[1]
        elif part == _NO_GPU:
            empty = True
        elif found := re.fullmatch(r"(?:(.{1,100}) \()?(sm_\d{2,3}|gfx[0-9a-f]{3,4}|xpu)\)?", part):
            gpus.append(Gpu(found[1] or found[2], found[2]))
        else:
            return None
    if empty and gpus:
        return None
    return BuildMachine(tuple(gpus) if gpus or empty else None, driver)
