"""Environments staged from real wheels, with a skeleton of torch that offers what its own companions use."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support.libraries import elf
from support.shop import wheel_of
from support.site_folder import install, write
from torchlock.errors import TorchlockError
from torchlock.index import Index, read_settings
from torchlock.index.transport import Transport
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.releases import Catalogue
from torchlock.runtime.files import Unreadable
from torchlock.target import Platform, PythonVersion, Target

if TYPE_CHECKING:
    from support.skeletons import Uses
    from torchlock.index import IndexSettings

PYTHON = "3.11"
MODULE = "cpython-311-x86_64-linux-gnu"
# pip matches the numbers of a platform exactly: older spellings are named, too.
_ALSO = {
    ("manylinux", "x86_64"): (
        "manylinux_2_27 manylinux_2_25 manylinux_2_17 manylinux2014 manylinux2010 manylinux1 linux"
    ),
    ("manylinux", "aarch64"): "manylinux_2_27 manylinux_2_25 manylinux_2_17 manylinux2014 linux",
    ("macosx", "arm64"): "macosx_13_0 macosx_12_0 macosx_11_0",
    ("macosx", "x86_64"): "macosx_11_0 macosx_10_15 macosx_10_13 macosx_10_9",
}
# Defined by what a process has anyway.
_SYSTEM = ("Py", "_Py", "__Py")


def _also(platform: str) -> list[str]:
    """Older platforms whose wheels install on this one."""
    for (system, machine), names in _ALSO.items():
        if platform.startswith(system) and platform.endswith(machine):
            return [f"{name}_{machine}" for name in names.split()]
    return []


@cache
def _index() -> IndexSettings:
    """The settings for the index of the catalogue, without those that may have something else."""
    return replace(read_settings(), extra_index_urls=(), find_links=())


@cache
def _page(name: str) -> dict[str, str]:
    """The files of a project on that index: their names and addresses."""
    return {file.filename: file.url for file in Index(_index()).files(name)}


def _fetched(requirement: str, platform: str, python: str, place: Path) -> list[Path]:
    """The wheel of a release in the catalogue, without the second that pip takes; none of any other release."""
    name, _, version = requirement.partition("==")
    releases = Catalogue().releases(name.lower().replace("_", "-").replace(".", "-")) if version else None
    release = next((each for each in releases or () if each.version == version), None)
    at = wheel_of(release, Target(PythonVersion.parse(python), Platform.parse(platform))) if release else None
    if release is None or at is None:
        return []
    file = release.files()[at]
    address = _page(release.name).get(file.filename)
    answer = Transport(_index()).get(address, {}, limit=1 << 30) if address else None
    if answer is None or hashlib.sha256(answer.body).hexdigest() != file.hashes.get("sha256"):
        return []
    place.mkdir(parents=True, exist_ok=True)
    own = place / f".{os.getpid()}"
    own.write_bytes(answer.body)
    return [own.replace(place / file.filename)]  # Another process may have done the same.


class Wheels:
    """Real wheels, fetched once and kept in a folder; TORCHLOCK_TEST_WHEELS names one that lasts."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.environ.get("TORCHLOCK_TEST_WHEELS") or folder)
        self.measured: dict[tuple[str, ...], Uses] = {}
        """What the libraries of a wheel use, by requirement, Python and platform."""

    def get(self, requirement: str, platform: str = "manylinux_2_28_x86_64", python: str = PYTHON) -> Path:
        """The wheel of one release for one platform."""
        place = self.folder / f"{requirement}-{platform}-{python}"
        found = list(place.glob("*.whl"))
        if not found:
            with suppress(TorchlockError):  # pip tries what cannot be had so
                found = _fetched(requirement, platform, python, place)
        if not found:
            platforms = [platform, *_also(platform)]
            words = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
            words += [f"--python-version={python}", *(f"--platform={each}" for each in platforms), requirement]
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=self.folder) as own:
                subprocess.run([*words, "-d", own], check=True, capture_output=True)
                place.mkdir(parents=True, exist_ok=True)
                for wheel in Path(own).glob("*.whl"):
                    wheel.replace(place / wheel.name)  # Another process may have done the same.
            found = list(place.glob("*.whl"))
        return found[0]

    def install(
        self, site: Path, requirement: str, platform: str = "manylinux_2_28_x86_64", python: str = PYTHON
    ) -> None:
        """Unpack a wheel as an installer does. It is unpacked once, and copied from there."""
        wheel = self.get(requirement, platform, python)
        unpacked = wheel.with_suffix(".unpacked")
        if not unpacked.exists():
            own = Path(tempfile.mkdtemp(prefix=".", dir=wheel.parent))
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(own)
            with suppress(OSError):  # Another process has done the same.
                own.rename(unpacked)
            shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(unpacked, site, copy_function=shutil.copyfile, dirs_exist_ok=True)


def symbols_of(folder: Path) -> tuple[set[str], set[str]]:
    """The symbols that the libraries of a package use, and the libraries of torch and CUDA that they need."""
    symbols: set[str] = set()
    needed: set[str] = set()
    for path in folder.rglob("*.so*"):
        binary = read_binary(str(path))
        if isinstance(binary, Unreadable) or isinstance(binary.symbols, Unreadable):
            continue
        assert isinstance(binary, Binary)
        names = {each.name for each in binary.symbols.undefined if not each.version and not each.weak}
        symbols |= {name for name in names if not name.startswith(_SYSTEM)}
        needed |= {each.name for each in binary.needed}
    return symbols, needed


def torch(
    site: Path,
    version: str,
    cuda: str = "",
    *,
    offers: Iterable[str] = (),
    needed: Iterable[str] = (),
    nvidia: bool = True,
    module: str = MODULE,
) -> None:
    """Install a skeleton of torch. ``offers`` are its symbols, ``needed`` what its companions need."""
    libraries = ["libtorch.so", "libtorch_cpu.so", "libc10.so", "libtorch_python.so", "libshm.so"]
    major = cuda.partition(".")[0]
    runtime = {"11": "libcudart.so.11.0"}.get(major, f"libcudart.so.{major}")
    if cuda:
        libraries += ["libtorch_cuda.so", "libc10_cuda.so"]
        if major == "11":
            libraries += ["libtorch_cuda_cpp.so", "libtorch_cuda_cu.so"]
    files: dict[str, bytes | str] = {
        "torch/__init__.py": "",
        "torch/version.py": f"__version__ = '{version}'\ncuda = {cuda or None!r}\nhip = None\n",
        f"torch/_C.{module}.so": elf("", ["libtorch_python.so"], runpath="$ORIGIN/lib"),
    }
    for name in libraries:
        below = [other for other in libraries if other != name and name == "libtorch_python.so"]
        if name == "libtorch_cuda.so":
            below = [runtime, *sorted({each for each in needed if re.match(r"lib(nv|cu)", each)} - {runtime})]
        files[f"torch/lib/{name}"] = elf(
            name, below, list(offers) if name == "libtorch_cpu.so" else [], runpath="$ORIGIN"
        )
    install(site, "torch", version if "+cpu" in version else version.partition("+")[0], files)
    if cuda and nvidia:
        place = "nvidia/cuda_runtime/lib" if major != "13" else "nvidia/cu13/lib"
        brought = {f"{place}/{name}": elf(name) for name in files_of_nvidia(runtime, needed)}
        install(site, f"nvidia-cuda-runtime-cu{major}", cuda, brought)


def files_of_nvidia(runtime: str, needed: Iterable[str]) -> list[str]:
    """The libraries that the packages of NVIDIA bring."""
    return sorted({runtime, *(name for name in needed if re.match(r"lib(nv|cu)", name))})


def image(site: Path, *libraries: str) -> None:
    """Make a machine of the folder around an environment: Debian 12, with these libraries besides."""
    root = site.parents[2]
    write(root / "etc" / "os-release", "ID=debian\nVERSION_ID=12\n")
    for name in (
        "libc.so.6",
        "libm.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "librt.so.1",
        "libmvec.so.1",
        "ld-linux-x86-64.so.2",
    ):
        write(root / "lib64" / name, elf(name))
    for name in ("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libz.so.1", *libraries):
        write(root / "lib64" / name, elf(name))


def cpu_wheel() -> Path | None:
    """A CPU build of torch 2.13.0, where pip's own settings name one on disk."""
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.find-links"], capture_output=True, text=True
    )
    links = settings.stdout.split()
    links += os.environ.get("PIP_FIND_LINKS", "").split()
    found = [path for link in links for path in Path(link).glob("torch-2.13.0+cpu-*.whl")]
    return next((path for path in found if f"cp3{sys.version_info.minor}-" in path.name), None)
