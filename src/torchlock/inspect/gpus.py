"""The GPUs of this machine: NVIDIA's by the driver, AMD's by the kernel or rocminfo, Intel's by their identifiers.

A GPU that is there and does not answer is unknown, never absent.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.inspect.host import Driver, driver, output_of
from torchlock.knowledge.accelerators import has_builds
from torchlock.knowledge.gpus import Gpu, intel_gpu, is_integrated, named_gpu, parse_gpu
from torchlock.runtime import files
from torchlock.runtime.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Callable

_PCI = "/sys/bus/pci/devices"
_KFD = "/sys/class/kfd/kfd/topology/nodes"
_WSL_GPU = "/dev/dxg"
_ROCM = "/opt/rocm"
_SMALL = 16 << 10
# More devices than this are not looked at.
_MOST = 512
_NVIDIA, _AMD, _INTEL = "10de", "1002", "8086"
# PCI classes: display controllers, and processing accelerators (Instinct).
_CLASSES = ("0x03", "0x12")
# Programs that name Intel GPUs.
_INTEL_PROGRAMS = (("xpu-smi", "discovery"), ("clinfo", "-l"))
# The registry key of display adapters on Windows.
_NUMBERED = 64
_ADAPTERS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"


class Adapter(NamedTuple):
    """A device on the bus: the identifiers of vendor and device, and its name if the system has one.

    ``integrated``: it may be inside a processor.
    """

    vendor: str
    device: str
    name: str = ""
    integrated: bool = False


class Machine(NamedTuple):
    """The GPUs that count for the choice of a build.

    ``driver`` is the version of the NVIDIA driver, ``rocm`` that of ROCm on the machine, or "". ``passed_over``
    are graphics inside a processor that do not count, in words. ``unclear`` says what is there without an answer.
    """

    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    rocm: str = ""
    passed_over: tuple[str, ...] = ()
    unclear: Unknown | None = None


class _Found(NamedTuple):
    gpus: tuple[tuple[Gpu, bool], ...] = ()
    unclear: str = ""
    passed_over: tuple[str, ...] = ()


def read_machine(ask: Callable[[], Driver | Unknown | None] = driver) -> Machine:
    """Look at this machine. ``ask`` answers what its NVIDIA driver is.

    Graphics inside a processor count only if there is no other GPU, and only if a build is made for them.
    """
    adapters = _adapters()
    version, nvidia = _nvidia(adapters, ask())
    amd, intel = _amd(adapters), _intel(adapters)
    every = [*nvidia.gpus, *amd.gpus, *intel.gpus]
    counted = [gpu for gpu, integrated in every if not integrated]
    passed_over = [*amd.passed_over, *intel.passed_over]
    inside = [gpu for gpu, integrated in every if integrated]
    if counted:
        passed_over += [f"{gpu} (there is another GPU)" for gpu in inside]
    else:
        counted = [gpu for gpu in inside if has_builds(gpu.arch)]
        passed_over += [f"{gpu} (no build supports it)" for gpu in inside if gpu not in counted]
    unclear = next((found.unclear for found in (nvidia, amd, intel) if found.unclear), "")
    if not unclear and not counted and os.path.exists(_WSL_GPU):
        unclear = "Windows shares a GPU with this Linux (WSL), and no program names it"
    return Machine(
        tuple(dict.fromkeys(counted)),
        version,
        _rocm_version() if amd.gpus else "",
        tuple(dict.fromkeys(passed_over)),
        Unknown(unclear) if unclear else None,
    )


def _nvidia(adapters: list[Adapter], found: Driver | Unknown | None) -> tuple[str, _Found]:
    """The version of the driver, and the GPUs that it names."""
    if isinstance(found, Unknown):
        return "", _Found(unclear=f"an NVIDIA driver is installed but does not answer: {found.because}")
    if isinstance(found, Driver):
        gpus = tuple((named_gpu(name, f"sm_{each.replace('.', '')}"), False) for name, each in found.devices)
        said = f"the NVIDIA driver {found.version} is installed, but no GPU reports its name"
        return found.version, _Found(gpus, "" if gpus else said)
    for adapter in adapters:
        if adapter.vendor == _NVIDIA:
            return "", _Found(unclear=f"{_named(adapter, 'an NVIDIA GPU')} is present, but no driver answers")
    return "", _Found()


def _amd(adapters: list[Adapter]) -> _Found:
    """AMD's GPUs: those that the kernel lists for computing; else those that rocminfo names."""
    there = [adapter for adapter in adapters if adapter.vendor == _AMD]
    found = _of_kernel()
    if found.gpus and not found.unclear:
        return found
    program = find_program("rocminfo") or find_program("rocminfo", f"{_ROCM}/bin")
    if program and (found.unclear or there or os.path.exists(_WSL_GPU)):
        printed = output_of([program])
        if isinstance(printed, str) and (gpus := _agents(printed)):
            return _Found(tuple((gpu, is_integrated(gpu.arch)) for gpu in gpus))
    if found.gpus or found.unclear or not there:
        return found
    return _by_names(there)


def _by_names(adapters: list[Adapter]) -> _Found:
    """AMD's GPUs by the names that Windows has; a GPU without a known name is unclear."""
    gpus, passed_over = [], []
    for adapter in adapters:
        try:
            gpu = parse_gpu(adapter.name) if adapter.name else None
        except InputError:
            gpu = None
        if gpu is not None:
            gpus.append((gpu, is_integrated(gpu.arch)))
        elif re.fullmatch(r"AMD Radeon\(?(TM)?\)? (Vega \d+ )?Graphics", adapter.name):
            passed_over.append(f"{adapter.name} (no build supports it)")
        else:
            said = "is present, but the kernel lists no AMD GPU for computing (kfd)"
            return _Found(unclear=f"{_named(adapter, 'an AMD GPU')} {said}")
    return _Found(tuple(gpus), passed_over=tuple(passed_over))


def _of_kernel() -> _Found:
    """The nodes of the kernel's driver for computing, each with the target of its GPU."""
    gpus, unclear = [], ""
    for name in _names(_KFD):
        text = files.text(os.path.join(_KFD, name, "properties"), _SMALL)
        if text is None:
            unclear = f"an AMD GPU may be there: {_KFD}/{name} cannot be read"
            continue
        number = re.search(r"^gfx_target_version (\d{1,9})$", text, re.MULTILINE)
        if number and int(number[1]):
            arch = _target(int(number[1]))
            gpus.append((named_gpu(arch, arch), is_integrated(arch)))
    return _Found(tuple(gpus), unclear)


def _target(number: int) -> str:
    """The target of LLVM for a version of the kernel: gfx90a for 90010, gfx1100 for 110000."""
    return f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}"


def _agents(text: str) -> list[Gpu]:
    """The GPUs in the output of rocminfo."""
    found = []
    for part in re.split(r"^Agent \d+", text, flags=re.MULTILINE)[1:]:
        target = re.search(r"^ {0,4}Name: {1,60}(gfx[0-9a-f]{3,4})\s*$", part, re.MULTILINE)
        if target:
            name = re.search(r"^ {0,4}Marketing Name: {1,60}(\S[^\n]{0,80})$", part, re.MULTILINE)
            found.append(named_gpu(name[1].strip() if name else target[1], target[1]))
    return found


def _intel(adapters: list[Adapter]) -> _Found:
    """Intel's GPUs by their identifiers; on a machine that hides its bus (WSL), those that programs name."""
    gpus, passed_over, unclear = [], [], ""
    for adapter in adapters:
        if adapter.vendor != _INTEL:
            continue
        if known := intel_gpu(adapter.device):
            gpus.append(known)
        elif adapter.integrated:
            passed_over.append(f"{_named(adapter, 'Intel graphics')} (no build supports it)")
        else:
            unclear = (
                f"{_named(adapter, 'an Intel GPU')} is present, but it is not known whether a build supports it"
            )
    if not gpus and os.path.exists(_WSL_GPU):
        gpus = [(gpu, False) for gpu in _of_programs()]
    return _Found(tuple(gpus), unclear, tuple(passed_over))


def _of_programs() -> list[Gpu]:
    for name, option in _INTEL_PROGRAMS:
        program = find_program(name)
        printed = output_of([program, option]) if program else ""
        found = []
        for line in printed.splitlines() if isinstance(printed, str) else ():
            match = re.search(r"(?:Device Name:|Device #\d{1,3}:) {0,9}(Intel[^\n|]{1,80})", line)
            try:
                gpu = parse_gpu(match[1]) if match else None
            except InputError:  # graphics for which no build is made
                gpu = None
            found += [gpu] if gpu is not None and gpu.vendor == "intel" else []
        if found:
            return found
    return []


def _adapters() -> list[Adapter]:
    """The GPUs on the bus, also those without a driver."""
    if os.name == "nt":
        return _of_registry()
    found = []
    for name in _names(_PCI):
        values = {
            key: (files.text(os.path.join(_PCI, name, key), 64) or "").strip().lower()
            for key in ("class", "vendor", "device")
        }
        if values["class"].startswith(_CLASSES):
            vendor, device = values["vendor"].removeprefix("0x"), values["device"].removeprefix("0x")
            found.append(Adapter(vendor, device, integrated=name.startswith("0000:00:")))
    return found


def _of_registry() -> list[Adapter]:
    """The display adapters that Windows lists."""
    from importlib import import_module

    winreg = import_module("winreg")
    found: list[Adapter] = []
    for number in range(_NUMBERED):
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{_ADAPTERS}\{number:04}") as entry:
                values = [str(winreg.QueryValueEx(entry, key)[0]) for key in ("MatchingDeviceId", "DriverDesc")]
        except OSError:  # Windows leaves gaps where an adapter was removed
            continue
        found += _registered(*values)
    return found


def _registered(identifier: str, name: str) -> list[Adapter]:
    match = re.match(r"PCI\\VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})", identifier, re.IGNORECASE)
    # Windows does not say which adapter is inside a processor: an Intel one without a known identifier is.
    return [Adapter(match[1].lower(), match[2].lower(), name, True)] if match else []


def _named(adapter: Adapter, what: str) -> str:
    return adapter.name or f"{what} ({adapter.vendor}:{adapter.device})"


def _names(folder: str) -> list[str]:
    """The names in a folder, sorted, up to a limit."""
    try:
        with os.scandir(folder) as items:
            return sorted(item.name for _, item in zip(range(_MOST), items, strict=False))
    except OSError:
        return []


def _rocm_version() -> str:
    text = files.text(f"{_ROCM}/.info/version", _SMALL) or ""
    match = re.match(r"\d{1,3}(\.\d{1,4}){1,2}", text)
    return match[0] if match else ""
