"""Which build has code for which GPU: ``compat_data/builds/accelerators.toml``.

Every answer may be ``Unknown``: a release or a build without a row is unknown, never refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.answers import Unknown
from torchlock.knowledge.accelerator_table import accelerator_table
from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.gpus import gpu_row, title_of, vendor_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.knowledge.gpus import Gpu

# The companions whose series belongs to a series of torch: the number that is added to the minor version.
_OFFSETS = {"torch": 0, "torchaudio": 0, "torchvision": -15}
# The first torchvision that belongs to torch 2; older ones belong to torch 1.x and have no rows.
_FIRST_VISION = 15
# The PTX of Windows builds (compute_37) was seen to fail on new GPUs: older PTX than this counts as no code.
_OLDEST_PTX = 50


class Service(NamedTuple):
    """Whether the wheels of a build have code for a GPU, and why.

    ``because`` is a clause; ``sources`` are keys of ``compat_data/sources.toml``; ``likely`` says that the answer
    follows from a build script, and that no wheel was read.
    """

    answer: bool | Unknown
    because: str
    sources: tuple[str, ...] = ()
    likely: bool = False


def has_builds(arch: str) -> bool:
    """Whether any build of the PyTorch index is known to have code for this architecture, or is said to."""
    return any(arch in (*row["code"], *row.get("disputed", ())) for row in accelerator_table()["rows"])


def serves(package: str, version: str, label: str, platform: str, gpu: Gpu) -> Service:
    """Whether the wheels of this release and build have code that runs on the GPU.

    ``platform`` is a name like linux-x86_64. A CPU build serves no GPU: it is not asked, and the answer is True.
    """
    build = parse_label(label)
    if label == "cpu" or package in accelerator_table()["without_gpu_code"]:
        return Service(True, f"{package} has no GPU code there")
    if build is None:
        return _unknown(f"{label or 'a build without a label'} is not a build of the PyTorch index")
    if build.kind != gpu.kind:
        return Service(False, f"it does not support {vendor_name(gpu.vendor)} GPUs")
    if absent := absence_of(label, platform):
        return absent
    row = _code_row(package, version, label, platform)
    if row is None:
        return _unknown(f"the code in {package} {version} of {label} for {platform} is not known")
    found, because = _answer(row, gpu, label)
    return Service(found, because, tuple(row["sources"]), bool(row.get("likely")))


def build_serves(label: str, platform: str, gpu: Gpu) -> Service:
    """Whether any torch of this build has code that runs on the GPU, as far as the table knows its releases."""
    build = parse_label(label)
    if label == "cpu":
        return Service(True, "it needs no GPU")
    if build is None or build.kind != gpu.kind:
        return Service(False, f"it does not support {vendor_name(gpu.vendor)} GPUs")
    if absent := absence_of(label, platform):
        return absent
    prefix = f"torch {platform} {label} "
    numbers = {number for key, number in accelerator_table()["code"].items() if key.startswith(prefix)}
    rows = [accelerator_table()["rows"][number] for number in sorted(numbers, reverse=True)]
    if not rows:
        return _unknown("the GPUs that its torch has code for are not known")
    for row in rows:
        answer, because = _answer(row, gpu, label)
        if answer is not False:
            return Service(answer, because, tuple(row["sources"]), bool(row.get("likely")))
    sources = dict.fromkeys(source for row in rows for source in row["sources"])
    return Service(False, f"no torch of it has code for {gpu.arch}", tuple(sources))


def code_of(package: str, version: str, label: str, platform: str) -> tuple[str, ...] | Unknown:
    """The code in these wheels: cubins and PTX, or gfx targets."""
    row = _code_row(package, version, label, platform)
    if row is None:
        return Unknown(
            f"the code in {package} {version} of {label} for {platform} is not known", accelerator_table()["date"]
        )
    return (*row["code"], *row.get("ptx", ()))


def absence_of(label: str, platform: str) -> Service | None:
    """The fact that the index never had builds of this kind for a platform; None if that is not known."""
    build = parse_label(label)
    for row in accelerator_table()["absent"]:
        if build is not None and build.kind == row["build"] and platform == row["platform"]:
            return Service(False, row["because"], tuple(row["sources"]))
    return None


def runs_machine_code(code: Iterable[str], gpu: Gpu) -> bool | Unknown:
    """Whether machine code (``sm_80``) runs on an NVIDIA GPU; other words of ``code`` are passed over.

    It runs on its own generation, from its own capability on. Code of desktop GPUs is not meant for the GPUs of
    Jetson modules: there the answer is unknown.
    """
    numbers = [number for number in _numbers(code, "sm") if number // 10 == gpu.capability // 10]
    fitting = [number for number in numbers if number <= gpu.capability]
    if fitting and gpu.capability not in fitting and gpu_row(gpu.arch).get("tegra"):
        return Unknown(f"code of desktop GPUs may run on {title_of(gpu.arch)} or not", accelerator_table()["date"])
    return bool(fitting)


def translates(code: Iterable[str], gpu: Gpu) -> bool:
    """Whether there is intermediate code (``compute_90``) that a driver can translate for this NVIDIA GPU."""
    return any(number <= gpu.capability for number in _numbers(code, "compute"))


def candidates_for(gpu: Gpu | None) -> tuple[str, ...]:
    """The labels of the builds for GPUs of this vendor, newest first; ``cpu`` without a GPU."""
    if gpu is None:
        return ("cpu",)
    return tuple(
        label
        for label in accelerator_table()["labels"]
        if (build := parse_label(label)) and build.kind == gpu.kind
    )


def labels() -> tuple[str, ...]:
    """All builds of torch 2 on the PyTorch index, newest first for each vendor."""
    return tuple(accelerator_table()["labels"])


def _answer(row: dict[str, Any], gpu: Gpu, label: str) -> tuple[bool | Unknown, str]:
    """Whether one row of code serves a GPU, and a clause that says why."""
    date, ptx = accelerator_table()["date"], row.get("ptx", ())
    if gpu.arch in row.get("disputed", ()):
        because = f"sources disagree whether it has code for {gpu.arch}"
        return Unknown(because, date), because
    found = runs_machine_code(row["code"], gpu) if gpu.vendor == "nvidia" else gpu.arch in row["code"]
    if isinstance(found, Unknown):
        return found, found.because
    if found:
        return True, f"it has code for {gpu.arch}"
    if gpu.vendor == "nvidia" and translates(ptx, gpu):
        if gpu.arch in row.get("fails", ()) or max(_numbers(ptx, "compute")) < _OLDEST_PTX:
            return False, f"it has no machine code for {gpu.arch}, and its PTX was seen to fail on newer GPUs"
        driver = accelerator_table()["toolkits"].get(label, {}).get("linux", "the toolkit")
        because = f"it has only PTX for {gpu.arch}, which needs a driver as new as {driver}"
        return Unknown(because, date), because
    return False, f"it has no code for {gpu.arch}, only for {' '.join([*row['code'], *ptx])}"


def _numbers(flags: Iterable[str], kind: str) -> list[int]:
    """The capabilities of the flags of one kind: 86 for sm_86 or compute_86."""
    matches = [re.fullmatch(rf"{kind}_(\d{{2,3}})[a-z]?", flag) for flag in flags]
    return [int(match[1]) for match in matches if match]


def _code_row(package: str, version: str, label: str, platform: str) -> dict[str, Any] | None:
    series = series_of(package, version)
    if series is None:
        return None
    found = accelerator_table()["code"].get(f"{package} {platform} {label} {series}")
    return None if found is None else accelerator_table()["rows"][found]


def series_of(package: str, version: str) -> str | None:
    """The series of torch that a release of torch, torchaudio or torchvision belongs to, like 2.8; else None."""
    match = re.match(r"(\d{1,4})(?:\.(\d{1,4}))?", version)
    if package not in _OFFSETS or match is None:
        return None
    major, minor = int(match[1]), int(match[2] or 0)
    if package != "torchvision":
        return f"{major}.{minor}"
    return f"2.{minor + _OFFSETS[package]}" if major == 0 and minor >= _FIRST_VISION else None


def _unknown(because: str) -> Service:
    return Service(Unknown(because, accelerator_table()["date"]), because)
