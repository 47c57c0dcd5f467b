"""Skeletons of a torch, of NVIDIA packages and of other builds: libraries with real tables and no code."""

from __future__ import annotations

import hashlib
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from support.libraries import elf, pe
from support.site_folder import install
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.binaries.elf_strings import library_names
from torchlock.runtime.files import Unreadable

MACHINES = {"x86_64": 62, "aarch64": 183}
_CPU = {"x86_64": 0x01000007, "arm64": 0x0100000C}
# Defined by what a process has anyway.
_OF_PYTHON = ("Py", "_Py", "__Py")
_LIBRARY = re.compile(r"\.(so(\.\d+)*|dylib|dll|pyd)$")
# Libraries of CUDA, of which the packages of NVIDIA contain some.
OF_NVIDIA = re.compile(r"lib(nv|cu|nccl|npp)\w*\.so|(cu|nv|npp)\w*64_\w+\.dll", re.IGNORECASE)
_OF_CUDA_TORCH = re.compile(r"(lib)?(torch_cuda|c10_cuda)")
PARTS = {
    "cudart": "cuda_runtime",
    "nvrtc": "cuda_nvrtc",
    "cupti": "cuda_cupti",
    "nvToolsExt": "nvtx",
    "cublasLt": "cublas",
    "nvJitLink": "nvjitlink",
}


class Site(NamedTuple):
    """A folder of packages: for which Python (``3.11``), system and machine, below which root folder."""

    path: Path
    python: str
    system: str
    machine: str
    root: Path

    @property
    def tag(self) -> str:
        """How an extension module of this Python is named: its suffix without the last one."""
        short = self.python.replace(".", "")
        if self.system == "windows":
            return f"cp{short}-win_{self.machine}"
        flag = "m" if self.python in ("3.6", "3.7") else ""
        return f"cpython-{short}{flag}-" + ("darwin" if self.system == "macos" else f"{self.machine}-linux-gnu")

    @property
    def platform(self) -> str:
        """The platform as torchlock names it."""
        return f"{self.system}-{self.machine}"

    @property
    def wheel_platform(self) -> str:
        """The platform of the wheels that install here."""
        if self.system == "windows":
            return f"win_{self.machine}"
        return f"macosx_14_0_{self.machine}" if self.system == "macos" else f"manylinux_2_28_{self.machine}"


class Uses(NamedTuple):
    """What libraries use of others: symbols by the library that must have them ("": any), and needed libraries."""

    symbols: Mapping[str, set[str]]
    needed: set[str]


def uses_of(folders: Iterable[Path]) -> Uses:
    """The symbols and libraries that the libraries in some folders use."""
    symbols: defaultdict[str, set[str]] = defaultdict(set)
    needed: set[str] = set()
    for path in (path for folder in folders for path in folder.rglob("*") if _LIBRARY.search(path.name)):
        if path.is_file():
            uses = _uses_of_file(path)
            needed |= uses.needed
            for library, names in uses.symbols.items():
                symbols[library] |= names
    return Uses(symbols, needed)


_known: dict[bytes, Uses] = {}
_END = 1 << 18


def _identity(path: Path) -> bytes:
    """What tells a library of a wheel from others: its size, its beginning and its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = file.read(_END)
        file.seek(max(size - _END, 0))
        ends += file.read()
    return hashlib.blake2b(b"%d:" % size + ends).digest()


def _uses_of_file(path: Path) -> Uses:
    """What one library uses. It is read once for a session: many tests install the same wheel."""
    key = _identity(path)
    if key not in _known:
        binary = read_binary(str(path))
        symbols: defaultdict[str, set[str]] = defaultdict(set)
        used = binary.symbols if isinstance(binary, Binary) else binary
        undefined = used if isinstance(used, Unreadable) else used.undefined
        for each in () if isinstance(undefined, Unreadable) else undefined:
            if not each.version and not each.weak and each.name and not each.name.startswith(_OF_PYTHON):
                symbols[each.library.rpartition("/")[2].lower()].add(each.name)
        _known[key] = Uses(symbols, {each.name for each in binary.needed} if isinstance(binary, Binary) else set())
    return _known[key]


def torch(
    site: Site,
    version: str,
    cuda: str,
    uses: Uses,
    *,
    requires: Sequence[str] = (),
    needs: Mapping[str, Sequence[str]] | None = None,
    recorded: str = "",
    hip: str = "",
) -> None:
    """Install a torch.

    ``version`` is that of its version.py, ``recorded`` that of its metadata (default: the same). It offers what
    ``uses`` names. ``needs`` are further libraries that one of its own needs.
    """
    own = f"__version__ = '{version}'\ncuda = {cuda or None!r}\nhip = {hip or None!r}\n"
    files: dict[str, bytes | str] = {"torch/__init__.py": "", "torch/version.py": own}
    names = _OF_SYSTEM[site.system][0] + (_OF_SYSTEM[site.system][1] if cuda else ())
    if cuda.startswith("11") and version.startswith("1.") and site.system == "linux":
        names += ("libtorch_cuda_cpp.so", "libtorch_cuda_cu.so")
    for name in names:
        below = [other for other in names if other != name] if "torch_python" in name else []
        if re.match(r"(lib)?torch_cuda\.", name) and site.system == "linux":
            below = [runtime(cuda), *sorted(each for each in uses.needed if OF_NVIDIA.match(each))]
        below = list(dict.fromkeys([*below, *(needs or {}).get(name, ())]))
        if name == "libtorch_cpu.so":
            below.append("libgomp-a34b3233.so.1")
        offered = sorted(uses.symbols.get(name.lower(), set()))
        if site.system == "linux" and name == "libtorch_cpu.so":
            offered = sorted(set().union(*uses.symbols.values())) if uses.symbols else []
        files[f"torch/lib/{name}"] = library(site, name, below, offered)
    if site.system == "linux":  # Wheels rename the file, and its own name stays.
        files["torch/lib/libgomp-a34b3233.so.1"] = library(site, "libgomp.so.1")
    module = "pyd" if site.system == "windows" else "so"
    python = next(name for name in names if "torch_python" in name)
    files[f"torch/_C.{site.tag}.{module}"] = library(site, "", [python], folder="lib")
    short = f"cp{site.python.replace('.', '')}"
    headers = "".join(f"Requires-Dist: {line}\n" for line in requires)
    tag = f"{short}-{short}-{site.wheel_platform}"
    install(site.path, "torch", recorded or version, files, headers=headers, tag=tag)


_OF_SYSTEM: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "linux": (
        ("libtorch.so", "libtorch_cpu.so", "libc10.so", "libtorch_python.so", "libshm.so"),
        ("libtorch_cuda.so", "libc10_cuda.so"),
    ),
    "macos": (
        ("libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib", "libtorch_python.dylib", "libshm.dylib"),
        (),
    ),
    "windows": (
        ("torch.dll", "torch_cpu.dll", "c10.dll", "torch_python.dll", "shm.dll"),
        ("torch_cuda.dll", "c10_cuda.dll"),
    ),
}


def library(
    site: Site, name: str, needed: Sequence[str] = (), exports: Sequence[str] = (), folder: str = ""
) -> bytes:
    """A library of torch for the system of a site; it looks for others beside itself, or in ``folder`` there."""
    if site.system == "windows":
        return pe({each: [] for each in needed}, exports)
    if site.system == "macos":
        below = [f"@rpath/{each}" for each in needed]
        return dylib(
            f"@rpath/{name}" if name else "", below, exports, [f"@loader_path/{folder}".rstrip("/")], site.machine
        )
    runpath = "/".join(filter(None, ["$ORIGIN", folder]))
    return elf(name, needed, exports, runpath=runpath, machine=MACHINES[site.machine])


def dylib(
    name: str = "",
    needed: Sequence[str] = (),
    exports: Sequence[str] = (),
    rpaths: Sequence[str] = (),
    machine: str = "arm64",
    uses: Sequence[str] = (),
    least: tuple[int, int] | None = None,
) -> bytes:
    """A Mach-O library: its install name, the libraries it needs, the symbols it has, and LC_RPATH.

    ``uses`` are symbols of any library (flat namespace). ``least`` is the release of macOS that it was built for:
    LC_VERSION_MIN_MACOSX up to 10, else LC_BUILD_VERSION.
    """

    def command(kind: int, text: str, head: int) -> bytes:
        data = text.encode() + b"\0"
        data += bytes(-(len(data) + head) % 8)
        return struct.pack("<III", kind, head + len(data), head) + bytes(head - 12) + data

    commands = [command(0xD, name, 24)] if name else []
    commands += [command(0xC, each, 24) for each in needed] + [command(0x8000001C, each, 12) for each in rpaths]
    if least is not None:
        made_for = least[0] << 16 | least[1] << 8
        old, new = struct.pack("<IIII", 0x24, 16, made_for, 0), struct.pack("<IIIIII", 0x32, 24, 1, made_for, 0, 0)
        commands += [old if least[0] <= 10 else new]
    strings, rows = b"\0", b""
    for each in exports:
        rows += struct.pack("<IBBHQ", len(strings), 0xF, 1, 0, 0)
        strings += each.encode() + b"\0"
    for each in uses:
        rows += struct.pack("<IBBHQ", len(strings), 1, 0, 0xFE00, 0)
        strings += each.encode() + b"\0"
    size, count = 32 + sum(map(len, commands)) + 24 + 80, len(exports)
    commands += [struct.pack("<IIIIII", 2, 24, size, count + len(uses), size + len(rows), len(strings))]
    commands += [struct.pack("<IIIIIIII", 0xB, 80, 0, 0, 0, count, count, len(uses)) + bytes(48)]
    body = b"".join(commands)
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, _CPU[machine], 0, 6, len(commands), len(body), 0, 0)
    return head + body + rows + strings


def runtime(cuda: str) -> str:
    """The CUDA run-time library of a CUDA version."""
    major = cuda.partition(".")[0]
    return "libcudart.so.11.0" if major == "11" else f"libcudart.so.{major}"


def nvidia(site: Site, name: str, version: str, extra: Iterable[str] = (), requires: Sequence[str] = ()) -> None:
    """Install a package of NVIDIA with the libraries that something in the site needs of it, or opens.

    A library offers every symbol that another one of NVIDIA's packages here uses of it. ``extra`` are libraries
    that nothing needs by name.
    """
    uses = uses_of([site.path])
    part = re.sub(r"-cu\d+$", "", name.removeprefix("nvidia-")).replace("-", "_")
    major = (re.search(r"-cu(\d+)$", name) or re.search(r"(\d+)", version) or [""])[0].lstrip("-cu")
    new = not name.endswith(("-cu11", "-cu12")) and part not in ("cudnn", "nccl", "cusparselt", "nvshmem")
    folder = f"nvidia/cu{major}" if new else f"nvidia/{part}"
    opened = {each for path in site.path.glob("*.libs/*") for each in library_names(str(path))}
    mine = {each for each in {*uses.needed, *extra, *opened} if OF_NVIDIA.match(each) and part_of(each) == part}
    offered = sorted(
        symbol for symbols in uses.symbols.values() for symbol in symbols if re.match("_*nv|cu", symbol)
    )
    files: dict[str, bytes | str] = {
        f"{folder}/lib/{each}": elf(each, exports=offered, machine=MACHINES[site.machine]) for each in sorted(mine)
    }
    headers = "".join(f"Requires-Dist: {line}\n" for line in requires)
    install(site.path, name, version, files or {f"{folder}/__init__.py": ""}, headers=headers)


def part_of(file: str) -> str:
    """The part of an NVIDIA package's name for a library: ``cuda_runtime`` for ``libcudart.so.12``."""
    stem = re.sub(r"^lib|\.so.*$", "", file)
    stem = "cudnn" if stem.startswith("cudnn") else "npp" if stem.startswith("npp") else stem
    return PARTS.get(stem, stem)


def rebuilt(site: Site, package: str, label: str) -> None:
    """Make the libraries of a companion those of another build: without CUDA, or of another CUDA version.

    Wheels of the public index are of one build. Its libraries become skeletons that need the same of torch.
    """
    wanted = runtime(f"{label[2:-1]}.{label[-1]}") if label.startswith("cu") else ""
    for path in (path for path in (site.path / package).rglob("*.so") if site.system == "linux"):
        binary = read_binary(str(path))
        assert isinstance(binary, Binary)
        needed = [each.name for each in binary.needed]
        cuda = [each for each in needed if each.startswith("libcudart")]
        if wanted in cuda or not (cuda or any(map(_OF_CUDA_TORCH.match, needed))):
            continue
        kept = [each for each in needed if not OF_NVIDIA.match(each)]
        kept = [*kept, wanted] if wanted else [each for each in kept if not _OF_CUDA_TORCH.match(each)]
        symbols = sorted(set().union(*uses_of([path.parent]).symbols.values()))
        mine = [each for each in symbols if wanted or not re.search(r"cuda|cudnn|cublas", each, re.IGNORECASE)]
        path.write_bytes(
            elf("", kept, [], mine, runpath="$ORIGIN:$ORIGIN/../../torch/lib", machine=MACHINES[site.machine])
        )
