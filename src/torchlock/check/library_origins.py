"""What a library is that a log shows to be missing, who needs it, and what to look at: without an environment."""

from __future__ import annotations

import re
from typing import NamedTuple

from torchlock.check.windows_libraries import INSTALL_RUNTIME, advice_for_dll, origin_of_dll
from torchlock.inspect.host import FFMPEG


class Meaning(NamedTuple):
    """What a line of a log means: ``what`` the library is, after its name; the reason; and what to do."""

    what: str
    because: str
    look: str


_BUILDS = (
    "Compare the builds, which python -m pip list shows: +cu126 is for CUDA 12.6, +cpu for no GPU. Install torch, "
    "torchaudio and the package of that library for one CUDA version, from one source."
)
# The name of a library; the groups of the name are filled into the words.
_ROWS = (
    (
        re.compile(
            r"(?:lib)?(?:cudart|nvrtc|cublas|cublasLt|nvJitLink)(?:\.so\.|64_)(?P<major>1\d)\d?(?:\.[\d.]{1,12}|\.dll)?",
            re.IGNORECASE,
        ),
        Meaning(
            ", a library of CUDA {major}",
            "a package that was built for CUDA {major} needs it; a torch for the CPU, or for another CUDA "
            "version, does not bring it",
            _BUILDS,
        ),
    ),
    (
        re.compile(
            r"lib(?:cufft|curand|cusolver|cusparse|cusparseLt|cupti|cufile|nccl|nvToolsExt|nvshmem_host)\.so[\d.]{0,12}"
        ),
        Meaning(
            ", a library of CUDA",
            "a package that was built for CUDA needs it; a torch for the CPU, or for another CUDA version, does "
            "not bring it",
            _BUILDS,
        ),
    ),
    (
        re.compile(
            r"(?:lib)?cudnn\w{0,30}?(?:\.so\.|64_)(?P<major>\d{1,2})(?:\.[\d.]{1,12}|\.dll)?", re.IGNORECASE
        ),
        Meaning(
            ", a library of cuDNN {major}",
            "a package needs the major version of cuDNN that it was built with; a CUDA build of torch brings one "
            "version, in a folder that other packages do not search",
            "Compare this number with the version of nvidia-cudnn in python -m pip list. Install a release of the "
            "package that was built with that version, or put the folder of the library on the search path.",
        ),
    ),
    (
        re.compile(r"(?:lib)?(?:torch|c10)_(?:cuda|hip)\w{0,12}\.(?:so|dll)"),
        Meaning(
            ", which only CUDA (or ROCm) builds of torch contain",
            "a package that was built for such a torch needs it; the torch that was loaded is another build, or "
            "was not imported before",
            _BUILDS,
        ),
    ),
    (
        re.compile(r"(?:lib)?(?:torch|torch_cpu|torch_python|c10|shm|caffe2)\.(?:so|dylib)"),
        Meaning(
            ", which torch contains",
            "an extension of another package needs it: torch is not there, or was not imported before",
            "Import torch before that package. If this fails, look with python -m pip show torch whether this "
            "Python has a torch; then install the package once more beside it.",
        ),
    ),
    (
        re.compile(r"lib(?:cuda|nvidia-ml)\.so(?:\.1)?|nvcuda\.dll"),
        Meaning(
            ", a part of the NVIDIA driver",
            "the driver of the machine contains it, and no package does",
            "Look whether nvidia-smi runs on that machine. A container needs GPUs (docker run --gpus all).",
        ),
    ),
    (
        re.compile(
            r"(?:lib)?(?:av(?:util|codec|format|device|filter)|sw(?:scale|resample))(?:\.so|-|\.)[\w.]{1,20}",
            re.IGNORECASE,
        ),
        Meaning(
            ", a library of {ffmpeg}",
            "torchcodec, and torchaudio before 2.9, open the shared libraries of FFmpeg, which no wheel contains",
            "Install {ffmpeg} with its shared libraries; a static ffmpeg program has none.",
        ),
    ),
    (
        re.compile(r"libsox(?:\.so[\d.]{0,8}|[.\d]{0,8}\.dylib)"),
        Meaning(
            ", the library of SoX",
            "torchaudio before 2.9 opens it by name for its sox backend, and no wheel contains it",
            "Install SoX with its development package: libsox-dev of Debian and Ubuntu, sox of Homebrew or "
            "conda-forge.",
        ),
    ),
    (
        re.compile(r"libmkl_\w{1,40}\.so(?:\.\d)?"),
        Meaning(
            ", a library of MKL",
            "builds of torch of conda's channels need the package mkl",
            "Install mkl with conda in that environment, or install torch there again.",
        ),
    ),
    (
        re.compile(r"lib(?:stdc\+\+|gcc_s|gomp)\.so\.\d{1,2}"),
        Meaning(
            ", a run-time library of GCC",
            "compiled packages need it, and small images of containers do not have it",
            "Install libstdc++6 and libgomp1 (Debian and Ubuntu), or libstdc++ and libgomp.",
        ),
    ),
    (
        re.compile(r"libpython3[\w.]{1,30}"),
        Meaning(
            ", the library of Python itself",
            "a program or an extension was linked to a shared Python, and the loader does not find one",
            "Use a Python with a shared library (--enable-shared), or put its folder on the search path.",
        ),
    ),
)
_UTIL = re.compile(r"(?:lib)?avutil(?:\.so\.|-|\.)(\d{1,3})", re.IGNORECASE)


class _Need(NamedTuple):
    """Libraries that need a DLL which their wheel does not contain, in these releases of torch."""

    library: re.Pattern[str]
    torch: str
    needed: str


# Sources: torch-windows-openmp, mkl-dlls, and the metadata of torch 2.3, which requires mkl.
_NEEDS = (
    _Need(re.compile(r"fbgemm\.dll", re.IGNORECASE), "2.4.0", "libomp140.x86_64.dll"),
    _Need(re.compile(r"(?:shm|torch_cpu|torch_python)\.dll", re.IGNORECASE), "2.3", "mkl_core.1.dll"),
)


def meaning_of_missing(library: str) -> Meaning | None:
    """The meaning of a library that is not found, by its name; None if it is not known."""
    for pattern, words in _ROWS:
        if (match := pattern.fullmatch(library)) is not None:
            groups = {"ffmpeg": _ffmpeg_of(library), **match.groupdict()}
            return Meaning(*(text.format(**groups) if "{" in text else text for text in words))
    origin = origin_of_dll(library)
    return Meaning("", origin, advice_for_dll(library)) if origin else None


def meaning_of_opened(library: str) -> Meaning:
    """The meaning of a library of torch for Windows that lacks another one, which Windows does not name."""
    needs = [row for row in _NEEDS if row.library.fullmatch(library)]
    reasons = [
        "Windows names the library that it opened, not the one that it lacks",
        *(f"in torch {row.torch}, {library} needs {row.needed}" for row in needs),
        "all libraries of torch need the Visual C++ runtime",
    ]
    looks = [advice_for_dll(row.needed) for row in needs]
    return Meaning("", "; ".join(reasons), " ".join([*looks, INSTALL_RUNTIME]))


def _ffmpeg_of(library: str) -> str:
    """FFmpeg with the major version to which its library belongs, if the name shows it."""
    number = _UTIL.match(library)
    major = next((each for each, util in FFMPEG.items() if number is not None and str(util) == number[1]), None)
    return f"FFmpeg {major}" if major is not None else "FFmpeg"
