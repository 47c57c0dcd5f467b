"""Which build runs on which GPU with which driver: ``compat_data/builds/accelerators.toml`` and ``gpus.toml``.

Every answer may be ``Unknown``: a release or a build without a row is unknown, never refused.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.answers import Unknown
from torchlock.errors import DataError, InputError
from torchlock.knowledge import tables
from torchlock.knowledge.build_labels import parse_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.finding import Evidence

_FILE = "accelerators.json"
# The kind of build for each vendor.
_KINDS = {"nvidia": "cuda", "amd": "rocm", "intel": "xpu"}
_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}
# The companions whose series belongs to a series of torch: the number that is added to the minor version.
_OFFSETS = {"torch": 0, "torchaudio": 0, "torchvision": -15}
# The first torchvision that belongs to torch 2; older ones belong to torch 1.x and have no rows.
_FIRST_VISION = 15
# The longest name that is compared with those of the table.
_LONGEST = 80
# The PTX of Windows builds (compute_37) was seen to fail on new GPUs: older PTX than this counts as no code.
_OLDEST_PTX = 50


class Gpu(NamedTuple):
    """A GPU: its name as it was found or given, and its architecture (``sm_86``, ``gfx1100``, ``xpu``)."""

    name: str
    arch: str

    def __str__(self) -> str:
        return self.name if self.name == self.arch else f"{self.name} ({self.arch})"

    @property
    def vendor(self) -> str:
        """``nvidia``, ``amd`` or ``intel``."""
        return "nvidia" if self.arch.startswith("sm_") else "amd" if self.arch.startswith("gfx") else "intel"

    @property
    def kind(self) -> str:
        """The kind of build for this GPU: ``cuda``, ``rocm`` or ``xpu``."""
        return _KINDS[self.vendor]

    @property
    def capability(self) -> int:
        """The compute capability of an NVIDIA GPU as a number, 86 for 8.6; 0 for other GPUs."""
        return int(self.arch[3:]) if self.vendor == "nvidia" else 0


class Service(NamedTuple):
    """Whether the wheels of a build have code for a GPU, and why.

    ``because`` is a clause; ``sources`` are keys of ``compat_data/sources.toml``; ``likely`` says that the answer
    follows from a build script, and that no wheel was read.
    """

    answer: bool | Unknown
    because: str
    sources: tuple[str, ...] = ()
    likely: bool = False


def vendor_name(vendor: str) -> str:
    """The vendor as its name is written: NVIDIA, AMD, Intel."""
    return _VENDORS[vendor]


def parse_gpu(text: str) -> Gpu | None:
    """The GPU that a name (``RTX 4090``) or an architecture (``sm_89``, ``gfx1100``, ``xpu``) stands for.

    None for ``none``.

    Raises:
        InputError: the table does not know it, or the name stands for several architectures.
    """
    from torchlock.knowledge.gpu_names import spellings

    written = text.strip()
    if written.lower() == "none":
        return None
    if arch := _arch_of(written.lower()):
        return Gpu(arch, arch)
    names = _table()["names"]
    for spelling in spellings(written[:_LONGEST]):
        arches = names.get(spelling, ())
        if len(arches) > 1:
            choice = ", ".join(f"{arch} ({title_of(arch)})" for arch in arches)
            hint = "name its architecture: " + " or ".join(f"--gpu {arch}" for arch in arches)
            raise InputError(f"--gpu: {written!r} is the name of several GPUs: {choice}", hint=hint)
        if arches:
            return Gpu(written, arches[0])
    raise _not_known(written)


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """The GPUs of a text with commas between them; empty for ``none``.

    Raises:
        InputError: the table does not know one of them.
    """
    found = [parse_gpu(part) for part in text.split(",")]
    if None in found and len(found) > 1:
        raise InputError(f"--gpu {text}: none means that there is no GPU", hint="name only the GPUs")
    return tuple(dict.fromkeys(gpu for gpu in found if gpu is not None))


def named_gpu(name: str, arch: str) -> Gpu:
    """A GPU that a machine reports, with the table's name of its architecture (sm_110 for sm_101)."""
    return Gpu(name or arch, _arch_of(arch) or arch)


def intel_gpu(device: str) -> tuple[Gpu, bool] | None:
    """The Intel GPU with a PCI device identifier (``56a0``), and whether it is integrated in a processor.

    None if no XPU build is known to be made for it.
    """
    for row in _table()["gpus"]:
        if device.lower() in row.get("ids", ()):
            return Gpu(f"Intel {row['title']}", row["arch"]), bool(row.get("integrated"))
    return None


def is_integrated(arch: str) -> bool:
    """Whether this architecture is that of graphics inside a processor (AMD)."""
    return arch != "xpu" and bool(_gpu_row(arch).get("integrated"))


def has_builds(arch: str) -> bool:
    """Whether any build of the PyTorch index is known to have code for this architecture, or is said to."""
    return any(arch in (*row["code"], *row.get("disputed", ())) for row in _table()["rows"])


def title_of(arch: str) -> str:
    """The generation of an architecture, like Ampere; the architecture itself if the table does not know it."""
    if arch == "xpu":
        return "Intel GPU"
    return str(_gpu_row(arch).get("title", arch))


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
    return str(floor) if floor else Unknown(f"no driver is known for {label} on {system}", _table()["date"])


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
            f"sources disagree about drivers from {row[f'{system}_below']} to {floor}", _table()["date"]
        )
    return False


def driver_knows(gpu: Gpu, driver: str) -> bool | Unknown:
    """Whether an NVIDIA driver supports this GPU: not before its first branch, not after its last one."""
    own = driver_numbers(driver)
    if own is None:
        return Unknown(f"{driver!r} is not the version of a driver")
    if gpu.vendor != "nvidia":
        return True
    row = _gpu_row(gpu.arch)
    if not row:
        return Unknown(f"the table does not know {gpu.arch}", _table()["date"])
    if row.get("tegra") and "first" not in row:
        return Unknown(f"the drivers of {row['title']} are numbered by JetPack", _table()["date"])
    return bool(row.get("first", 0) <= own[0] <= row.get("last", own[0]))


def driver_branches(gpu: Gpu) -> tuple[int | None, int | None]:
    """The first and the last branch of the NVIDIA driver that support this GPU; None if there is no limit."""
    row = _gpu_row(gpu.arch)
    return row.get("first"), row.get("last")


def serves(package: str, version: str, label: str, platform: str, gpu: Gpu) -> Service:
    """Whether the wheels of this release and build have code that runs on the GPU.

    ``platform`` is a name like linux-x86_64. A CPU build serves no GPU: it is not asked, and the answer is True.
    """
    build = parse_label(label)
    if label == "cpu" or package in _table()["without_gpu_code"]:
        return Service(True, f"{package} has no GPU code there")
    if build is None:
        return _unknown(f"{label or 'a build without a label'} is not a build of the PyTorch index")
    if build.kind != gpu.kind:
        return Service(False, f"it is not made for {vendor_name(gpu.vendor)} GPUs")
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
        return Service(False, f"it is not made for {vendor_name(gpu.vendor)} GPUs")
    if absent := absence_of(label, platform):
        return absent
    prefix = f"torch {platform} {label} "
    numbers = {number for key, number in _table()["code"].items() if key.startswith(prefix)}
    rows = [_table()["rows"][number] for number in sorted(numbers, reverse=True)]
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
        return Unknown(f"the code in {package} {version} of {label} for {platform} is not known", _table()["date"])
    return (*row["code"], *row.get("ptx", ()))


def absence_of(label: str, platform: str) -> Service | None:
    """The fact that the index never had builds of this kind for a platform; None if that is not known."""
    build = parse_label(label)
    for row in _table()["absent"]:
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
    if fitting and gpu.capability not in fitting and _gpu_row(gpu.arch).get("tegra"):
        return Unknown(f"code of desktop GPUs may run on {title_of(gpu.arch)} or not", _table()["date"])
    return bool(fitting)


def translates(code: Iterable[str], gpu: Gpu) -> bool:
    """Whether there is intermediate code (``compute_90``) that a driver can translate for this NVIDIA GPU."""
    return any(number <= gpu.capability for number in _numbers(code, "compute"))


def candidates_for(gpu: Gpu | None) -> tuple[str, ...]:
    """The labels of the builds that are made for GPUs of this vendor, newest first; ``cpu`` without a GPU."""
    if gpu is None:
        return ("cpu",)
    return tuple(label for label in _table()["labels"] if (build := parse_label(label)) and build.kind == gpu.kind)


def labels() -> tuple[str, ...]:
    """All builds of torch 2 on the PyTorch index, newest first for each vendor."""
    return tuple(_table()["labels"])


def architectures() -> tuple[str, ...]:
    """The architectures that the table knows, in its order."""
    return tuple(dict.fromkeys(str(row["arch"]) for row in _table()["gpus"]))


def sources_of(keys: Iterable[str]) -> tuple[Evidence, ...]:
    """The sources with these keys."""
    from torchlock.finding import Evidence

    table = _table()["sources"]
    return tuple(Evidence.from_row(key, table[key]) for key in keys if key in table)


def data_date() -> str:
    """The day on which the table was checked."""
    return str(_table()["date"])


def _answer(row: dict[str, Any], gpu: Gpu, label: str) -> tuple[bool | Unknown, str]:
    """Whether one row of code serves a GPU, and a clause that says why."""
    date, ptx = _table()["date"], row.get("ptx", ())
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
        driver = _table()["toolkits"].get(label, {}).get("linux", "the toolkit")
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
    found = _table()["code"].get(f"{package} {platform} {label} {series}")
    return None if found is None else _table()["rows"][found]


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
    return Service(Unknown(because, _table()["date"]), because)


def _driver_row(label: str) -> dict[str, Any] | None:
    from torchlock.knowledge.rules import specifier_set

    build = parse_label(label)
    if build is None or build.kind != "cuda" or not build.version:
        return None
    for row in _table()["drivers"]:
        if specifier_set(row["cuda"]).contains(build.dotted):
            return dict(row)
    return None


def _gpu_row(arch: str) -> dict[str, Any]:
    return next((row for row in _table()["gpus"] if row["arch"] == arch), {})


def _arch_of(text: str) -> str | None:
    """The architecture in the spelling of the table, for sm_86, sm86, 8.6, compute_86, gfx1100, xpu."""
    if match := re.fullmatch(r"(?:sm_?|compute_)(\d{2,3})[af]?", text):
        text = f"sm_{match[1]}"
    elif match := re.fullmatch(r"(\d{1,2})\.(\d)", text):
        text = f"sm_{match[1]}{match[2]}"
    for row in _table()["gpus"]:
        if text == row["arch"] or text in row.get("also", ()):
            return str(row["arch"])
    return None


def _not_known(written: str) -> InputError:
    """The error for a GPU that the table does not know, with names that are near."""
    from difflib import get_close_matches

    from torchlock.knowledge.gpu_names import plain_name, spellings
    from torchlock.redaction import shortened

    shown = {arch: arch for arch in architectures()}
    for row in _table()["gpus"]:
        for name in row["names"]:
            shown.setdefault(plain_name(name), name)
    wanted = [*spellings(written[:_LONGEST])[:2], written[:_LONGEST].lower()]
    near = [name for name in shown if any(re.search(rf"\b{re.escape(word)}\b", name) for word in wanted if word)][
        :3
    ]
    near = near or get_close_matches(wanted[0], shown, 3)
    meant = f"; did you mean {' or '.join(shown[name] for name in near)}?" if near else ""
    return InputError(
        f"--gpu: unknown GPU {shortened(written, 100)!r}{meant}",
        hint="use a product name, like 'RTX 4090'; an architecture, like sm_89 or gfx1100; host, which means this "
        "machine; or none",
    )


@cache
def _table() -> dict[str, Any]:
    table = tables.load_compiled(_FILE)
    missing = {"labels", "drivers", "toolkits", "absent", "rows", "code", "gpus", "names", "sources", "date"} - {
        *table
    }
    if missing:
        raise DataError(f"damaged (no {min(missing)})", path=str(tables.ROOT / "compiled" / _FILE))
    return table
