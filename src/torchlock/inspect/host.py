"""The machine around an environment: its distribution, its audio libraries, its NVIDIA driver and devices."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.runtime import files
from torchlock.runtime.process import run_program
from torchlock.runtime.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.inspect.loading.root import Root
    from torchlock.runtime.files import Tree

# The major of libavutil for each major of FFmpeg (its APIchanges).
FFMPEG: Mapping[int, int] = {4: 56, 5: 57, 6: 58, 7: 59, 8: 60, 9: 61}
# Its other libraries, and their majors for each of its own.
_PARTS = ("avcodec", "avformat", "avdevice", "avfilter", "swscale", "swresample")
_NUMBERS: Mapping[int, tuple[int, ...]] = {
    4: (58, 58, 58, 7, 5, 3),
    5: (59, 59, 59, 8, 6, 4),
    6: (60, 60, 60, 9, 7, 4),
    7: (61, 61, 61, 10, 8, 5),
    8: (62, 62, 62, 11, 9, 6),
    9: (63, 63, 63, 12, 10, 7),
}
_SECONDS = 3.0
_SMALL = 64 << 10
_VERSION = "/proc/driver/nvidia/version"
_WSL = "/usr/lib/wsl/lib"
# The exit status of nvidia-smi without a driver.
_NOT_LOADED = Unknown("nvidia-smi ends with status 9")
# Ask NVIDIA's management library, as nvidia-smi does, in a process that may crash.
_NVML = r"""
import ctypes, sys
for name in ("libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1", "nvml.dll"):
    try:
        nvml = ctypes.CDLL(name)
        break
    except OSError:
        pass
else:
    sys.exit(1)
version, name, count = ctypes.create_string_buffer(96), ctypes.create_string_buffer(96), ctypes.c_uint()
if nvml.nvmlInit_v2() or nvml.nvmlSystemGetDriverVersion(version, 96):
    sys.exit(1)
nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
for index in range(min(count.value, 64)):
    device, major, minor = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
    if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) or nvml.nvmlDeviceGetName(device, name, 96):
        continue
    if nvml.nvmlDeviceGetCudaComputeCapability(device, ctypes.byref(major), ctypes.byref(minor)):
        continue
    row = (version.value.decode(), major.value, minor.value, name.value.decode("utf-8", "replace"))
    print("%s, %d.%d, %s" % row)
"""


class Driver(NamedTuple):
    """The NVIDIA driver, and the devices as (name, compute capability)."""

    version: str
    devices: tuple[tuple[str, str], ...] = ()


def ffmpeg_with(library: str, number: int) -> int | None:
    """The major of FFmpeg whose ``avcodec`` (or another library) has a number; None for none or for several."""
    parts = {"avutil": tuple(FFMPEG.values())}
    parts |= {name: tuple(row[column] for row in _NUMBERS.values()) for column, name in enumerate(_PARTS)}
    found = [major for major, own in zip(FFMPEG, parts.get(library, ()), strict=False) if own == number]
    return found[0] if len(found) == 1 else None


def release_of(root: Root) -> dict[str, str]:
    """os-release of a machine: ``ID``, ``VERSION_ID``, ``ID_LIKE``, …; empty if it has none."""
    for name in ("/etc/os-release", "/usr/lib/os-release"):
        text = files.text(root.real(name), _SMALL) if files.is_file(root.real(name)) else None
        if text:
            return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.M))
    return {}


def ffmpeg_majors(root: Root) -> dict[int, str]:
    """The majors of FFmpeg whose shared libraries the loader finds, and where libavutil of each is."""
    found = {major: root.search(f"libavutil.so.{number}") for major, number in FFMPEG.items()}
    return {major: path for major, path in found.items() if path}


def ffmpeg_lacks(root: Root, major: int) -> list[str]:
    """The missing libraries of a major version whose libavutil may exist; each is in a separate package."""
    names = zip(_PARTS, _NUMBERS[major], strict=True)
    return [name for part, number in names if not root.search(name := f"lib{part}.so.{number}")]


def dlls_lacking(major: int, names: Iterable[str]) -> list[str]:
    """The DLLs of a major version that a folder of Windows with its avutil does not have."""
    there = {name.lower() for name in names}
    dlls = (f"{part}-{number}.dll" for part, number in zip(_PARTS, _NUMBERS[major], strict=True))
    return [name for name in dlls if name not in there]


def ffmpeg_in(folders: Iterable[str], tree: Tree) -> dict[int, str]:
    """The major versions of FFmpeg, from the libavutil in some folders, with the names of macOS and Windows."""
    majors = {str(number): major for major, number in FFMPEG.items()}
    found: dict[int, str] = {}
    for folder in folders:
        for name in tree.names(folder):
            number = re.fullmatch(r"(?:lib)?avutil[.-](\d+)\.(?:dylib|dll)", name, re.IGNORECASE)
            if number and number[1] in majors:
                found.setdefault(majors[number[1]], os.path.join(folder, name))
    return found


def ffmpeg_files(names: Iterable[str]) -> dict[int, list[str]]:
    """The libraries of each major version of FFmpeg that has its libavutil, from the names in a folder.

    The names are those of Linux and macOS.
    """
    there, found = set(names), dict[int, list[str]]()
    for major, number in FFMPEG.items():
        parts = [("avutil", number), *zip(_PARTS, _NUMBERS[major], strict=True)]
        mine = [each for part, its in parts for each in (f"lib{part}.so.{its}", f"lib{part}.{its}.dylib")]
        if mine[0] in there or mine[1] in there:
            found[major] = [each for each in mine if each in there]
    return found


def libsox(root: Root) -> tuple[str | None, str | None]:
    """The paths of ``libsox.so``, which torchaudio opens, and of the runtime library (``libsox.so.3``)."""
    return root.search("libsox.so"), root.search("libsox.so.3")


def libsndfile(root: Root) -> str | None:
    """The path of the system's libsndfile, under the names that soundfile looks for."""
    return root.search("libsndfile.so.1") or root.search("libsndfile.so")


def is_wsl() -> bool:
    """Whether this is a Linux inside Windows, which uses the driver of Windows."""
    return files.is_folder(_WSL)


def driver() -> Driver | Unknown | None:
    """The driver of this machine; None if there is none, unknown if it exists but does not answer.

    Asks nvidia-smi, else NVIDIA's library in a separate process, else reads the version from the kernel.
    """
    told, silent = _driver_of_module(), None
    smi = find_program("nvidia-smi") or find_program("nvidia-smi", _WSL)
    if smi is not None:
        query = [smi, "--query-gpu=driver_version,compute_cap,name", "--format=csv,noheader"]
        printed = output_of(query)
        found = None if isinstance(printed, Unknown) else _parsed(printed)
        if found is not None:
            return found
        if printed != _NOT_LOADED:
            silent = printed if isinstance(printed, Unknown) else Unknown("nvidia-smi prints no version")
    if told is not None or os.name == "nt" or is_wsl():
        printed = output_of([sys.executable, "-I", "-S", "-B", "-c", _NVML])
        found = None if isinstance(printed, Unknown) else _parsed(printed)
        if found is not None:
            return found
    return told if isinstance(told, Driver) or silent is None else silent


def output_of(command: Sequence[str]) -> str | Unknown:
    """The output of a program of the machine, within limits of time and size; beyond them it is ended."""
    name = os.path.basename(command[0])
    try:
        answer = run_program(command, _SECONDS, _SMALL, stderr=subprocess.DEVNULL)
    except (OSError, ValueError) as error:
        return Unknown(f"{name} cannot be run ({error})")
    if answer.slow or answer.code is None or answer.code < 0:
        return Unknown(f"{name} does not answer")
    if answer.code:
        return Unknown(f"{name} ends with status {answer.code}")
    return answer.printed.decode("utf-8", "replace")


def _parsed(text: str) -> Driver | None:
    rows = [[part.strip() for part in line.split(",", 2)] for line in text.splitlines()]
    known = [row for row in rows if len(row) == 3 and re.fullmatch(r"\d+(\.\d+)+", row[0])]
    if not known:
        return None
    devices = [(row[2], row[1]) for row in known if re.fullmatch(r"\d+\.\d+", row[1])]
    return Driver(known[0][0], tuple(devices))


def _driver_of_module() -> Driver | Unknown | None:
    if not os.path.exists(_VERSION):
        return None
    text = files.text(_VERSION, _SMALL) or ""
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d+(?:\.\d+)+)", text)
    return Driver(found[1]) if found else Unknown(f"{_VERSION} contains no version")
