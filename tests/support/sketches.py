"""Sketches of wheels, for tests without an index: names, versions and libraries of the real ones, and no code.

A sketch of the audio stack has the libraries that decide whether it loads: each needs what the real one needs of
torch, CUDA and FFmpeg, and uses one symbol that only torch of its release has.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from packaging.version import Version

from support.libraries import elf, pe
from support.real_wheels import PYTHON, Wheels
from support.shop import cuda_of, releases, target_of, wheel_of
from support.site_folder import install
from support.skeletons import MACHINES, Site, dylib, nvidia, runtime
from torchlock.check.fix.torch_builds import public_build

# The first torchaudio of which one wheel serves each later torch.
_STABLE_FROM = Version("2.11")
_STABLE = "torch_library_impl"
# The first torch for Linux x86_64 with the new ABI of std::string.
_NEW_STRINGS = Version("2.7")
_SYSTEM = {"win": "windows", "mac": "macos"}
_SUFFIX = {"linux": "so", "macos": "so", "windows": "pyd"}


class _Wheel(NamedTuple):
    """What is sketched, for which site. ``build`` is the label of the build of the public index."""

    name: str
    version: str
    site: Site
    build: str

    @property
    def torch(self) -> str:
        """The release of torch that this release of torchaudio or torchvision was built for."""
        first, *rest = self.version.split(".")
        if self.name == "torchvision" and first == "0":
            minor = int(rest[0])
            series = f"2.{minor - 15}" if minor >= 15 else f"1.{minor - 1}"
            return ".".join([series, *rest[1:]])
        return f"1.{rest[0]}.{rest[1]}" if first == "0" else self.version

    @property
    def uses(self) -> list[str]:
        """What it uses of torch: something of this very release, and a function that returns a string."""
        if self.symbol == _STABLE:
            return [_STABLE]
        is_new = Version(self.torch) >= _NEW_STRINGS or self.site.machine != "x86_64"
        return [self.symbol, f"_ZNK5torch8autograd4Node4name{'B5cxx11' if is_new else ''}Ev"]

    @property
    def symbol(self) -> str:
        """What only its torch has; a symbol of the stable ABI for those that work with more than one."""
        if self.name == "torchcodec" or (self.name == "torchaudio" and Version(self.version) >= _STABLE_FROM):
            return _STABLE
        return f"_ZN2at4_ops{len(self.torch.replace('.', '_')) + 3}of_{self.torch.replace('.', '_')}Ev"


class Sketches(Wheels):
    """Sketches instead of real wheels."""

    def install(
        self, site: Path, requirement: str, platform: str = "manylinux_2_28_x86_64", python: str = PYTHON
    ) -> None:
        """Write the files of a sketch as an installer does."""
        name, _, version = requirement.partition("==")
        place = _site(site, platform, python)
        version = version or _newest(name, place)
        if name.startswith("nvidia-"):
            nvidia(place, name, version)
            return
        build = public_build(name, version, target_of(place)) if name in _FILES else "cpu"
        sketch = _Wheel(name, version, place, build if isinstance(build, str) else "cpu")
        found = next((each for each in releases(name, "") or () if each.version == version), None)
        wheel = wheel_of(found, target_of(place)) if found is not None else None
        needs = found.dependencies(wheel) if found is not None and wheel is not None else ()
        lines = [str(each).replace(" ; ", "; ") for each in needs] if isinstance(needs, list) else []
        if name in ("torchaudio", "torchvision") and sketch.symbol != _STABLE and not lines:
            lines = [f"torch=={sketch.torch}"]
        tag = found.tags[wheel] if found is not None and wheel is not None else "py3-none-any"
        files = _FILES.get(name, _pure)(sketch)
        install(site, name, version, files, headers="".join(f"Requires-Dist: {each}\n" for each in lines), tag=tag)


def _site(path: Path, platform: str, python: str) -> Site:
    system = _SYSTEM.get(platform[:3], "linux")
    machine = re.sub(r"^(win|macosx_\d+_\d+|manylinux\w*?)_(?=x86_64|amd64|arm64|aarch64)", "", platform)
    return Site(path, python, system, machine, path)


def _newest(name: str, site: Site) -> str:
    target = target_of(site)
    fitting = [each.version for each in releases(name, "") or () if wheel_of(each, target) is not None]
    return max(fitting, key=Version) if fitting else "1.0"


def _pure(sketch: _Wheel) -> dict[str, bytes | str]:
    module = sketch.name.replace("-", "_").replace(".", "/")
    return {f"{module}/__init__.py": ""}


def _torchaudio(sketch: _Wheel) -> dict[str, bytes | str]:
    label = "" if sketch.site.system == "macos" else f"+{sketch.build}"
    return {
        "torchaudio/__init__.py": "from torchaudio import _extension, functional\n",
        "torchaudio/functional.py": "",
        "torchaudio/version.py": f"__version__ = '{sketch.version}{label}'\n",
        "torchaudio/_extension/__init__.py": "_check_cuda_version()\n",
        "torchaudio/_extension/utils.py": "",
        f"torchaudio/lib/libtorchaudio.{_SUFFIX[sketch.site.system]}": _library(sketch),
    }


def _torchvision(sketch: _Wheel) -> dict[str, bytes | str]:
    label = "" if sketch.site.system == "macos" else f"+{sketch.build}"
    return {
        "torchvision/__init__.py": "from torchvision import extension\n",
        "torchvision/extension.py": "",
        "torchvision/version.py": f"__version__ = '{sketch.version}{label}'\n",
        f"torchvision/_C.{_SUFFIX[sketch.site.system]}": _library(sketch),
    }


def _torchcodec(sketch: _Wheel) -> dict[str, bytes | str]:
    from support.appliers import ffmpeg

    minor = int(sketch.version.split(".")[1])
    suffix = {"linux": "so", "macos": "dylib", "windows": "dll"}[sketch.site.system]
    cores = {
        f"torchcodec/libtorchcodec_core{major}.{suffix}": _library(sketch, ffmpeg(major, sketch.site.system))
        for major in range(4, 9 if minor >= 8 else 8)
    }
    own = f"__version__ = '{sketch.version}'\n"
    return {"torchcodec/__init__.py": "", "torchcodec/version.py": own, **cores}


def _soundfile(sketch: _Wheel) -> dict[str, bytes | str]:
    name = {"linux": f"libsndfile_{sketch.site.machine}.so", "windows": "libsndfile_x64.dll"}.get(
        sketch.site.system, f"libsndfile_{sketch.site.machine}.dylib"
    )
    own = {"soundfile.py": f"__version__ = '{sketch.version}'\n", "_soundfile_data/__init__.py": ""}
    return {**own, f"_soundfile_data/{name}": _binary(sketch.site, [], [])}


def _library(sketch: _Wheel, needed: list[str] | None = None) -> bytes:
    """A library of a companion: it needs torch, and CUDA if it was built for it."""
    form = {"linux": "lib{}.so", "macos": "@rpath/lib{}.dylib", "windows": "{}.dll"}[sketch.site.system]
    own = ["torch", "torch_cpu", "c10"]
    cuda = cuda_of(sketch.build) if sketch.name != "torchcodec" else ""
    own += ["torch_cuda", "c10_cuda"] if cuda else []
    below = [form.format(each) for each in own] + (needed or [])
    if cuda and sketch.site.system == "linux":
        below.append(runtime(cuda))
    return _binary(sketch.site, below, sketch.uses)


def _binary(site: Site, needed: list[str], uses: list[str]) -> bytes:
    if site.system == "windows":
        return pe({each: uses if each == "torch_cpu.dll" else [] for each in needed})
    if site.system == "macos":
        return dylib("", needed, [], ["@loader_path/../../torch/lib", "@loader_path/../torch/lib"], site.machine)
    return elf("", needed, [], uses, machine=MACHINES[site.machine])


_FILES = {
    "torchaudio": _torchaudio,
    "torchvision": _torchvision,
    "torchcodec": _torchcodec,
    "soundfile": _soundfile,
}
