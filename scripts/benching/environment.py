"""An environment to time ``check`` on: torch for CUDA with all that it requires, and 150 other distributions.

Nothing in it runs, and nothing of it is downloaded. The libraries have the sizes and the number of symbols of real
ones, measured on the wheels of torch 2.8.0 and 2.13.0; the disk keeps their tables only.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benching.libraries import write_library

_SUFFIX = f".cpython-{sys.version_info[0]}{sys.version_info[1]}-x86_64-linux-gnu.so"
_REQUIRED = {
    "nvidia-cuda-nvrtc-cu12": "12.8.93",
    "nvidia-cuda-runtime-cu12": "12.8.90",
    "nvidia-cuda-cupti-cu12": "12.8.90",
    "nvidia-cudnn-cu12": "9.10.2.21",
    "nvidia-cublas-cu12": "12.8.4.1",
    "nvidia-cufft-cu12": "11.3.3.83",
    "nvidia-curand-cu12": "10.3.9.90",
    "nvidia-cusolver-cu12": "11.7.3.90",
    "nvidia-cusparse-cu12": "12.5.8.93",
    "nvidia-cusparselt-cu12": "0.7.1",
    "nvidia-nccl-cu12": "2.27.3",
    "nvidia-nvtx-cu12": "12.8.90",
    "nvidia-nvjitlink-cu12": "12.8.93",
    "nvidia-cufile-cu12": "1.13.1.3",
    "triton": "3.4.0",
}
# Library: MB, number of symbols, prefix of their names.
_NVIDIA: dict[str, tuple[int, int, str]] = {
    "cuda_nvrtc/lib/libnvrtc.so.12": (104, 30, "nvrtc"),
    "cuda_runtime/lib/libcudart.so.12": (1, 450, "cuda"),
    "cuda_cupti/lib/libcupti.so.12": (8, 320, "cupti"),
    "cudnn/lib/libcudnn.so.9": (1, 280, "cudnn"),
    "cudnn/lib/libcudnn_graph.so.9": (4, 900, "cudnnGraph"),
    "cudnn/lib/libcudnn_ops.so.9": (120, 700, "cudnnOps"),
    "cudnn/lib/libcudnn_cnn.so.9": (5, 400, "cudnnCnn"),
    "cublas/lib/libcublas.so.12": (116, 1400, "cublas"),
    "cublas/lib/libcublasLt.so.12": (752, 600, "cublasLt"),
    "cufft/lib/libcufft.so.11": (277, 90, "cufft"),
    "curand/lib/libcurand.so.10": (166, 40, "curand"),
    "cusolver/lib/libcusolver.so.11": (256, 1200, "cusolver"),
    "cusparse/lib/libcusparse.so.12": (382, 700, "cusparse"),
    "cusparselt/lib/libcusparseLt.so.0": (400, 60, "cusparseLt"),
    "nccl/lib/libnccl.so.2": (340, 80, "nccl"),
    "nvtx/lib/libnvToolsExt.so.1": (1, 30, "nvtx"),
    "nvjitlink/lib/libnvJitLink.so.12": (93, 120, "nvJitLink"),
    "cufile/lib/libcufile.so.0": (3, 70, "cuFile"),
}
_FFMPEG = ("libavutil.so.59", "libavcodec.so.61", "libavformat.so.61", "libavfilter.so.10", "libswscale.so.8")
_KNOWN = {"numpy": "2.2.6", "librosa": "0.11.0", "transformers": "4.55.0", "lightning": "2.5.3", "numba": "0.61.2"}
# Distributions that require torch: each with how many modules.
_DEPENDENTS = {"transformers": 2000, "lightning": 400, "speech-tools": 150, "separation": 60, "vocoder-models": 60}


class Names(NamedTuple):
    """The symbols of torch's own libraries."""

    cpu: list[str]
    cuda: list[str]
    core: list[str]
    python: list[str]


class Distribution:
    """One distribution as pip leaves it; ``close`` writes its record."""

    def __init__(self, site: Path, name: str, version: str) -> None:
        self.site = site
        self.name = name
        self.info = f"{name.replace('-', '_')}-{version}.dist-info"
        self.headers = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        self._rows: list[str] = []

    def text(self, path: str, text: str) -> None:
        """Write a text file."""
        place = self.site / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        self._record(path)

    def library(self, path: str, *tables: Sequence[str], size: int = 0, runpath: str = "$ORIGIN") -> None:
        """Write a library: what it needs, defines and uses; ``size`` in MB. An extension module has no name."""
        is_module = path.endswith(_SUFFIX)
        soname = "" if is_module else None
        write_library(self.site / path, *tables, size=size * 10**6, runpath=runpath, soname=soname)
        self._record(path)

    def _record(self, path: str) -> None:
        with (self.site / path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        encoded = urlsafe_b64encode(digest).rstrip(b"=").decode()
        self._rows.append(f"{path},sha256={encoded},{(self.site / path).stat().st_size}\n")

    def close(self, requires: Sequence[str] = (), tag: str = "py3-none-any") -> None:
        """Write its metadata and its record."""
        lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
        self.text(f"{self.info}/METADATA", f"{self.headers}{lines}\n{'About it, at length. ' * 300}\n")
        self.text(f"{self.info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        self.text(f"{self.info}/INSTALLER", "pip\n")
        (self.site / self.info / "RECORD").write_text("".join(self._rows) + f"{self.info}/RECORD,,\n")


def stage(folder: Path) -> None:
    """Make the environment in a folder. It loads, and nothing in it is a finding."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    draw = random.Random(1)
    names = Names(
        cpu=[_symbol(draw, "_ZN2at", number) for number in range(74_000)],
        cuda=[_symbol(draw, "_ZN2at4cuda", number) for number in range(30_000)],
        core=[_symbol(draw, "_ZN3c10", number) for number in range(1_400)],
        python=[_symbol(draw, "_ZN5torch", number) for number in range(2_300)],
    )
    _nvidia(site)
    _torch(site, names, draw)
    _companions(site, names, draw)
    _others(site, names, draw)


def _symbol(draw: random.Random, prefix: str, number: int) -> str:
    """A mangled name of the usual length."""
    word = f"operation_{number}_{'of_the_library_and_more_words'[: draw.randint(4, 29)]}"
    return f"{prefix}{len(word)}{word}ERKNS_6TensorES2_N3c108optionalIlEE"


def _nvidia(site: Path) -> None:
    """The packages that torch requires of NVIDIA, and triton."""
    for name, version in _REQUIRED.items():
        made = Distribution(site, name, version)
        part = name.removeprefix("nvidia-").removesuffix("-cu12").replace("-", "_")
        for path, (size, count, prefix) in _NVIDIA.items():
            if path.startswith(f"{part}/"):
                made.library(f"nvidia/{path}", ["libc.so.6"], _family(prefix, count), size=size)
        if part == "triton":
            made.library(f"triton/_C/libtriton{_SUFFIX}", ["libc.so.6"], ["PyInit_libtriton"], size=420)
            _modules(made, "triton", 150, "import torch\n")
        else:
            made.text(f"nvidia/{part}/__init__.py", "")
            for number in range(40):
                made.text(f"nvidia/{part}/include/{part}_{number}.h", "#pragma once\n")
        made.close(tag="py3-none-manylinux_2_27_x86_64")


def _family(prefix: str, count: int) -> list[str]:
    return [f"{prefix}Function{number}" for number in range(count)]


def _torch(site: Path, names: Names, draw: random.Random) -> None:
    made = Distribution(site, "torch", "2.8.0")
    made.text("torch/version.py", "__version__ = '2.8.0+cu128'\ncuda = '12.8'\nhip = None\nxpu = None\n")
    made.text("torch/__init__.py", "from torch._C import *\n" + _source(draw, 2000))
    for package, count in (("torch", 2400), ("torchgen", 60), ("functorch", 20)):
        _modules(made, package, count, "import torch\n")
    for number in range(9000):
        made.text(f"torch/include/ATen/group_{number % 60}/header_{number}.h", "#pragma once\n")
    nvidia = [Path(path).name for path in _NVIDIA]
    used = [each for _, count, prefix in _NVIDIA.values() for each in _family(prefix, count // 8)]
    runpath = ":".join(["$ORIGIN", *(f"$ORIGIN/../../nvidia/{path.rpartition('/')[0]}" for path in _NVIDIA)])
    libraries: dict[str, tuple[list[str], list[str], list[str], int]] = {
        "libc10.so": ([], names.core, [], 1),
        "libtorch_cpu.so": (["libc10.so"], names.cpu, names.core[:370], 434),
        "libc10_cuda.so": (["libc10.so", "libcudart.so.12"], ["_ZN3c104cudaE"], names.core[:90], 1),
        "libtorch_cuda.so": (
            ["libc10_cuda.so", "libc10.so", "libtorch_cpu.so", *nvidia],
            names.cuda,
            [*draw.sample(names.cpu, 6000), *used],
            1000,
        ),
        "libtorch.so": (["libtorch_cpu.so", "libtorch_cuda.so"], [], [], 0),
        "libshm.so": (["libtorch_cpu.so", "libc10.so"], ["libshm_init"], names.core[:14], 0),
        "libtorch_python.so": (
            ["libtorch.so", "libshm.so", "libtorch_cpu.so", "libtorch_cuda.so", "libc10_cuda.so", "libc10.so"],
            names.python,
            [*draw.sample(names.cpu, 5000), *names.core[:400]],
            30,
        ),
        "libtorch_global_deps.so": (nvidia, [], [], 0),
    }
    for name, (needed, defines, uses, size) in libraries.items():
        made.library(f"torch/lib/{name}", [*needed, "libc.so.6"], defines, uses, size=size, runpath=runpath)
    made.library(f"torch/_C{_SUFFIX}", ["libtorch_python.so"], ["PyInit__C"], runpath="$ORIGIN/lib")
    pins = [f'{name}=={version}; platform_system == "Linux"' for name, version in _REQUIRED.items()]
    made.close(["filelock", "typing-extensions>=4.10.0", "sympy>=1.13.3", "networkx", "jinja2", "fsspec", *pins])


def _companions(site: Path, names: Names, draw: random.Random) -> None:
    of_torch = ["libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so", "libc10.so"]

    def library(made: Distribution, path: str, needed: Sequence[str] = (), uses: int = 230) -> None:
        made.library(path, [*needed, *of_torch], [], draw.sample(names.cpu, uses), size=1)

    audio = Distribution(site, "torchaudio", "2.8.0")
    audio.text("torchaudio/version.py", "__version__ = '2.8.0+cu128'\ngit_version = ''\n")
    _modules(audio, "torchaudio", 110, "import torch\n")
    _modules(audio, "torio", 10, "import torch\n")
    library(audio, "torchaudio/lib/libtorchaudio.so", ["libc10_cuda.so", "libcudart.so.12"])
    library(audio, "torchaudio/lib/_torchaudio.so", ["libtorchaudio.so", "libtorch_python.so"])
    library(audio, "torchaudio/lib/libtorchaudio_sox.so", ["libsox.so"])
    library(audio, "torchaudio/lib/_torchaudio_sox.so", ["libtorchaudio_sox.so"])
    for number in (4, 5, 6):
        library(audio, f"torio/lib/libtorio_ffmpeg{number}.so", [f"libavutil.so.{52 + number}"])
        library(audio, f"torio/lib/_torio_ffmpeg{number}.so", [f"libtorio_ffmpeg{number}.so"])
    audio.close(["torch==2.8.0"])
    vision = Distribution(site, "torchvision", "0.23.0")
    vision.text("torchvision/version.py", "__version__ = '0.23.0+cu128'\ncuda = '12.8'\n")
    _modules(vision, "torchvision", 150, "import torch\n")
    library(vision, "torchvision/_C.so", ["libcudart.so.12"], 500)
    library(vision, "torchvision/image.so", [], 200)
    vision.close(["numpy", "torch==2.8.0", "pillow!=8.3.*,>=5.3.0"])
    codec = Distribution(site, "torchcodec", "0.7.0")
    codec.text("torchcodec/version.py", "__version__ = '0.7.0'\n")
    _modules(codec, "torchcodec", 40, "import torch\n")
    for each in _FFMPEG:
        codec.library(f"torchcodec/{each}", ["libc.so.6"], _family(each[3:8], 400), size=5)
    for number in (4, 5, 6, 7):
        ffmpeg = [f"{name.rpartition('.')[0]}.{int(name.rpartition('.')[2]) - 7 + number}" for name in _FFMPEG]
        library(codec, f"torchcodec/libtorchcodec_core{number}.so", ffmpeg)
        library(codec, f"torchcodec/libtorchcodec_custom_ops{number}.so", [f"libtorchcodec_core{number}.so"])
        library(codec, f"torchcodec/libtorchcodec_pybind_ops{number}.so", [f"libtorchcodec_core{number}.so"])
    codec.close()
    sound = Distribution(site, "soundfile", "0.13.1")
    sound.text("soundfile.py", "__version__ = '0.13.1'\n" + _source(draw, 200))
    sound.text("_soundfile.py", "ffi = None\n")
    sound.text("_soundfile_data/__init__.py", "")
    sound.library("_soundfile_data/libsndfile_x86_64.so", ["libc.so.6"], _family("sf_", 60), size=3)
    sound.close(["cffi>=1.0", "numpy"])


def _others(site: Path, names: Names, draw: random.Random) -> None:
    """Everything else: the five that require torch, and what such an environment has besides."""
    plain = ["filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec", "pillow", "cffi"]
    rest = [f"package-{number}" for number in range(150 - len(plain) - len({*_KNOWN, *_DEPENDENTS}))]
    for name in dict.fromkeys([*_KNOWN, *_DEPENDENTS, *plain, *rest]):
        version = _KNOWN.get(name) or {"typing-extensions": "4.15.0", "sympy": "1.14.0"}.get(name, "12.3.0")
        made, package = Distribution(site, name, version), name.replace("-", "_")
        head = "import torch\n" if name in _DEPENDENTS else "import os\n"
        _modules(made, package, _DEPENDENTS.get(name) or draw.choice((8, 20, 60, 200, 400)), head)
        if name in ("numpy", "package-1", "package-2", "package-3"):
            for number in range(12):
                made.library(f"{package}/part_{number}{_SUFFIX}", ["libc.so.6"], [f"PyInit_part_{number}"], size=2)
        if name in _DEPENDENTS:
            for number in range(10):
                made.text(f"{package}/audio_{number}.py", "import torchaudio\n" + _source(draw, 40))
        if name == "vocoder-models":
            made.library(f"{package}/kernels{_SUFFIX}", ["libtorch.so", "libc10.so"], [], names.cpu[:80])
        made.close(["torch>=2.0", "torchaudio>=2.0", "numpy"] if name in _DEPENDENTS else ["fsspec", "numpy>=1"])


def _modules(made: Distribution, package: str, count: int, head: str) -> None:
    """The modules of a package, forty a folder."""
    draw = random.Random(package)
    for number in range(count):
        folder = f"{package}/part_{number // 40}" if number >= 40 else package
        is_first = number % 40 == 0 and folder != "torch"  # which has its own
        made.text(f"{folder}/{'__init__' if is_first else f'module_{number}'}.py", head + _source(draw, 20))


def _source(draw: random.Random, functions: int) -> str:
    """Python source: functions that call something."""
    body = "return torch.nn.functional.pad(value, (0, scale))"
    return "".join(
        f"\n\ndef step_{number}(value, scale={draw.randint(1, 9)}):\n"
        f'    """Do step {number}."""\n    {body} * {draw.random():.4f}\n'
        for number in range(functions)
    )


if __name__ == "__main__":
    stage(Path(sys.argv[1]))
