"""Which NVIDIA driver runs which build, and supports which GPU: ``compat_data/builds/accelerators.toml``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torchlock.answers import Unknown
from torchlock.knowledge.accelerator_table import accelerator_table
from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.gpus import gpu_row, title_of

if TYPE_CHECKING:
    from torchlock.knowledge.gpus import Gpu


def driver_numbers(text: str) -> tuple[int, ...] | None:
    """The components of a driver version; None if it is not one. 525.105.17 is newer than 525.60.13."""
    if not re.fullmatch(r"\d{1,5}(\.\d{1,5}){0,3}", text):
        return None
    numbers = [int(part) for part in text.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def driver_floor(label: str, system: str) -> str | Unknown:
    """The oldest NVIDIA driver that certainly runs builds with this label, on ``linux`` or ``windows``.

    It is the floor of minor-version compatibility, which is the same for all builds of a CUDA major version.
    """
    row = _driver_row(label)
    floor = row.get(system) if row else None
    return (
        str(floor)
        if floor
        else Unknown(f"no driver is known for {label} on {system}", accelerator_table()["date"])
    )


def driver_runs(label: str, system: str, driver: str) -> bool | Unknown:
    """Whether an NVIDIA driver is new enough for the builds with this label; True for builds that need none."""
    build = parse_label(label)
    if build is not None and build.kind != "cuda":
        return True
    floor = driver_floor(label, system)
    if isinstance(floor, Unknown):
        return floor
    own, needed = driver_numbers(driver), driver_numbers(floor)
    if own is None or needed is None:
        return Unknown(f"{driver!r} is not the version of a driver")
    if own >= needed:
        return True
    row = _driver_row(label) or {}
    below = driver_numbers(row.get(f"{system}_below", floor))
    if below is not None and own >= below:
        return Unknown(
            f"sources disagree about drivers from {row[f'{system}_below']} to {floor}", accelerator_table()["date"]
        )
    return False


def driver_knows(gpu: Gpu, driver: str) -> bool | Unknown:
    """Whether an NVIDIA driver supports this GPU: not before its first branch, not after its last one."""
    own = driver_numbers(driver)
    if own is None:
        return Unknown(f"{driver!r} is not the version of a driver")
    if gpu.vendor != "nvidia":
        return True
    row = gpu_row(gpu.arch)
    if not row:
        return Unknown(f"the table does not know {gpu.arch}", accelerator_table()["date"])
    if row.get("tegra") and "first" not in row:
        return Unknown(f"the drivers of {row['title']} are numbered by JetPack", accelerator_table()["date"])
    return bool(row.get("first", 0) <= own[0] <= row.get("last", own[0]))


def driver_branches(gpu: Gpu) -> tuple[int | None, int | None]:
    """The first and the last branch of the NVIDIA driver that support this GPU; None if there is no limit."""
    row = gpu_row(gpu.arch)
    return row.get("first"), row.get("last")


def driver_refuses(gpu: Gpu, driver: str) -> str:
    """A clause that says why an NVIDIA driver does not support a GPU.

    "" if it does, if that is unknown, or without a driver.
    """
    if not driver or driver_knows(gpu, driver) is not False:
        return ""
    first, last = driver_branches(gpu)
    limits = [f"R{first} is the first branch" if first else "", f"R{last} is the last branch" if last else ""]
    return f"driver {driver} does not support {gpu}: {' and '.join(filter(None, limits))} for {title_of(gpu.arch)}"


def supporting_branch(gpu: Gpu, driver: str) -> str:
    """The branch of the NVIDIA driver to take instead of one that does not support a GPU: ``R580``."""
    first, last = driver_branches(gpu)
    own = driver_numbers(driver)
    return f"R{last}" if last is not None and own is not None and own[0] > last else f"R{first} or newer"


def _driver_row(label: str) -> dict[str, Any] | None:
    from torchlock.knowledge.rules import specifier_set

    build = parse_label(label)
    if build is None or build.kind != "cuda" or not build.version:
        return None
    for row in accelerator_table()["drivers"]:
        if specifier_set(row["cuda"]).contains(build.dotted):
            return dict(row)
    return None
