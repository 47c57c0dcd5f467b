"""The machine around an environment: its distribution, its audio libraries, its NVIDIA driver and devices."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect import files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.inspect.loading.root import Root

# The major of libavutil for each major of FFmpeg (its APIchanges).
FFMPEG: Mapping[int, int] = {4: 56, 5: 57, 6: 58, 7: 59, 8: 60, 9: 61}
_SECONDS = 5.0
_SMALL = 64 << 10


class Driver(NamedTuple):
    """The NVIDIA driver, and the devices as (name, compute capability)."""

    version: str
    devices: tuple[tuple[str, str], ...] = ()


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


def libsox(root: Root) -> tuple[str | None, str | None]:
    """Where ``libsox.so`` is, which torchaudio asks for, and where the library of users (``libsox.so.3``) is."""
    return root.search("libsox.so"), root.search("libsox.so.3")


def libsndfile(root: Root) -> str | None:
    """Where the system's libsndfile is, under the names that soundfile looks for."""
    return root.search("libsndfile.so.1") or root.search("libsndfile.so")


def driver() -> Driver | None:
    """The driver of this machine; None where there is none. Asks nvidia-smi, else reads what the kernel tells."""
    return _asked() or _told()


def _asked() -> Driver | None:
    program = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    if program is None:
        return None
    query = [program, "--query-gpu=driver_version,compute_cap,name", "--format=csv,noheader"]
    try:
        with subprocess.Popen(
            query,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            return _parsed(_heard(process))
    except OSError:
        return None


def _heard(process: subprocess.Popen[bytes]) -> str:
    """What it says within the time, at most; one that says nothing is ended."""
    try:
        said, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return ""
    return said[:_SMALL].decode("utf-8", "replace") if process.returncode == 0 else ""


def _parsed(text: str) -> Driver | None:
    rows = [[part.strip() for part in line.split(",", 2)] for line in text.splitlines()]
    known = [row for row in rows if len(row) == 3 and re.fullmatch(r"\d+(\.\d+)+", row[0])]
    if not known:
        return None
    devices = [(row[2], row[1]) for row in known if re.fullmatch(r"\d+\.\d+", row[1])]
    return Driver(known[0][0], tuple(devices))


def _told() -> Driver | None:
    text = (
        files.text("/proc/driver/nvidia/version", _SMALL) if os.path.exists("/proc/driver/nvidia/version") else ""
    )
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d+(?:\.\d+)+)", text or "")
    return Driver(found[1]) if found else None
