"""The remedy for a library of CUDA that a package other than torch does not find (TL230)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of, version_of
from torchlock.check.fix.bounds import opposed
from torchlock.check.fix.commands import add_all, reinstall
from torchlock.check.fix.search_path import exported, put_first
from torchlock.check.fix.windows_cuda import for_dll, with_cudnn_9
from torchlock.check.nvidia import copies_of
from torchlock.check.opened_later import places_of
from torchlock.finding import Command, Remedy
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

# The CUDA version whose releases of a library have this number in its name, if the two differ.
_CUDA_OF = {("cufft", "10"): "11", ("cufft", "11"): "12", ("cufft", "12"): "13", ("cudart", "110"): "11"}
_FAMILIES = "cublas(?:Lt)?|cudnn|cufft|curand|cudart|cusparse|cusolver"
# One number in the names of these is that of more than one CUDA version.
_OF_SEVERAL = ("curand", "cusparse", "cusolver")
# onnxruntime-gpu of the public index by CUDA version: 1.19 is the first for CUDA 12 (its issue 21684). The extra
# "cuda" of the releases up to 1.26 requires packages for CUDA 12, that of 1.28 and later packages for CUDA 13.
_ONNXRUNTIME_FOR = {"12": ">=1.19,<1.27", "13": ">=1.28"}
# The last one for CUDA 12 and cuDNN 8, which is only on an index of its own: by the table of requirements on
# onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider, 1.18.1 and later for CUDA 12 need cuDNN 9.
_ONNXRUNTIME_CUDNN_8 = "==1.18.0"
_ONNXRUNTIME_CUDA_12 = (
    "https://aiinfra.pkgs.visualstudio.com/PublicPackages/_packaging/onnxruntime-cuda-12/pypi/simple/"
)
# ctranslate2 for CUDA 12 and cuDNN 9, and its first release that does not use cuDNN.
_FOR_CUDNN_8, _FOR_CUDNN_9, _WITHOUT_CUDNN = "==4.4.0", ">=4.5", ">=4.6.3"


def found_library(context: CheckContext, finding: Finding) -> Remedy:
    """Make the loader find the library; else a release for the libraries that are there, or the library itself."""
    user, library = finding.package, finding.lacks[0]
    there = places_of(context, library)
    if there:
        return _searched(context, user, library, there)
    release = _other_release(context, user, library)
    if release is None and library.endswith(".dll"):
        return for_dll(context, user, library, _cuda_of(library, _cuda_of_torch(context)))
    return release or _installed(context, user, finding.lacks)


def beside_later_cuda(context: CheckContext, finding: Finding) -> Remedy | None:
    """For a ctranslate2 beside a torch for CUDA 13 (TL207): a later release, and the cuBLAS 12 that it opens, too.

    None beside any other torch, which installs that cuBLAS; for other packages; and if one excludes that release.
    """
    if opposed(context, "ctranslate2", _WITHOUT_CUDNN) is not None:
        return None
    if not _is_later(_cuda_of_torch(context)) or finding.packages[-1][0] != "ctranslate2":
        return None
    if context.operating_system == "windows":
        return for_dll(context, "ctranslate2", "cublas64_12.dll", "12")
    return _installed(context, "ctranslate2", ["libcublas.so.12"]) if context.operating_system == "linux" else None


def _is_later(cuda: str) -> bool:
    """Whether a torch for this major version of CUDA does not install what CUDA 12 has."""
    return cuda.isdigit() and int(cuda) > 12


def _searched(context: CheckContext, user: str, library: str, there: list[str]) -> Remedy:
    folders = [os.path.dirname(there[0])]
    if library.endswith(".dll"):
        line = f'set "PATH={folders[0]};%PATH%"'
        words = f"Put the folder of {library} on the PATH, or import torch before {user}."
        return Remedy(words, commands=(Command("shell", line),))
    major = library.rpartition(".so.")[2].partition(".")[0]
    for each in ("libcublas.so.*", "libcudnn.so.*", f"libcudnn_ops.so.{major}"):
        folders += [os.path.dirname(path) for path in copies_of(context, each)]
    remedy = put_first(
        context, folders, f"Make the loader find the CUDA libraries of these packages, as {user} needs"
    )
    record = context.installed.get(user)
    if record is not None and not any(each.name == "torch" for each in dependencies_of(record)):
        remedy.summary = remedy.summary.rstrip(".") + f"; or import torch before {user}."
    return remedy


def _other_release(context: CheckContext, user: str, library: str) -> Remedy | None:
    """A release of the package that uses the libraries of this torch."""
    from torchlock.check.rules.dependents_cuda_in_log import others_of

    major = _cuda_of_torch(context)
    cuda, (family, number) = _cuda_of(library, major), _named(library)
    others = {_named(os.path.basename(path))[1] for path in others_of(context, library)}
    if user == "onnxruntime-gpu" and major == "12" and library.startswith("lib") and _is_before(context, "2.4"):
        is_other = cuda == "11" if family != "cudnn" else number == "9"
        return _for_cudnn_8(context, user) if is_other else None
    if user == "onnxruntime-gpu" and major != cuda and major in _ONNXRUNTIME_FOR:
        wanted, words = {user: _ONNXRUNTIME_FOR[major]}, f"for CUDA {major} and cuDNN 9"
    elif user == "ctranslate2" and family == "cudnn" and (number, others) == ("9", {"8"}):
        wanted, words = {user: _FOR_CUDNN_8}, "which uses the cuDNN 8 of this torch"
    elif user == "ctranslate2" and (cuda == "11" or (family == "cudnn" and number == "8")) and major == "12":
        is_old = _is_before(context, "2.4")
        wanted = {user: _FOR_CUDNN_8 if is_old else _FOR_CUDNN_9, **_followers(context)}
        words = f"for CUDA 12 and the cuDNN {8 if is_old else 9} of this torch"
    else:
        return None
    listed = " ".join(f"{name}{specifier}" for name, specifier in wanted.items())
    broken = opposed(context, user, wanted[user])
    if broken is not None and broken[0] not in wanted:
        words += f"; this breaks the requirement of {broken[0]}, {user}{broken[1]}"
    commands = add_all(context, wanted)
    plain = Remedy(f"Install {listed}, {words}.", commands=commands)
    needs_cudnn = user == "onnxruntime-gpu" and major == "12" and library.endswith(".dll")
    return (with_cudnn_9(context, plain) if needs_cudnn else None) or plain


def _for_cudnn_8(context: CheckContext, user: str) -> Remedy:
    """The onnxruntime-gpu for CUDA 12 that uses the cuDNN 8 of this torch; its requirements stay as they are."""
    commands = reinstall(context, user, _ONNXRUNTIME_CUDNN_8)
    index = f" --index-url {_ONNXRUNTIME_CUDA_12}"
    broken = opposed(context, user, _ONNXRUNTIME_CUDNN_8)
    breaks = f"; this breaks the requirement of {broken[0]}, {user}{broken[1]}" if broken is not None else ""
    return Remedy(
        f"Install {user} {_ONNXRUNTIME_CUDNN_8[2:]} of its index for CUDA 12, which uses the cuDNN 8 of this "
        f"torch{breaks}; or torch 2.4 or later, with {user}{_ONNXRUNTIME_FOR['12']} for cuDNN 9.",
        commands=tuple(each._replace(line=each.line + index) for each in commands),
    )


def _is_before(context: CheckContext, release: str) -> bool:
    """Whether this torch is older; torch up to 2.3 has cuDNN 8."""
    pin = context.pins.get("torch")
    return (
        pin is not None and not pin.unversioned and specifier_set(f"<{release}").contains(pin.version.base_version)
    )


def _followers(context: CheckContext) -> dict[str, str]:
    """faster-whisper, if the installed release does not accept the new ctranslate2."""
    record = context.installed.get("faster-whisper")
    version = version_of(record.version) if record is not None else None
    is_old = version is not None and specifier_set("<1").contains(version)
    return {"faster-whisper": ">=1.0.3"} if is_old else {}


def _installed(context: CheckContext, user: str, libraries: Sequence[str]) -> Remedy:
    """Install the packages that contain the libraries, and make the loader find them."""
    library = next((each for each in libraries if "cublas" in each), libraries[0])
    major = _cuda_of_torch(context)
    cuda, (family, number) = _cuda_of(library, major), _named(library)
    if family in ("cudnn", "cublas", "cublasLt") and user == "ctranslate2":
        wanted = {_package("cublas", cuda): ""} | _cudnn(context, user, cuda, number, family, major)
    else:
        named = [each for each in map(_named, libraries) if each[0]]
        wanted = {_package(name, cuda): f"=={each}.*" if name == "cudnn" else "" for name, each in named}
    if major and major != cuda and any("cudnn" in name for name in wanted):
        return Remedy(f"Use {user} with a torch for CUDA {cuda}, or a release of {user} for CUDA {major or cuda}.")
    record = context.installed.get(user)
    site = record.entry.path if record is not None else ""
    packages = (name for name in wanted if name.startswith("nvidia-"))
    path = exported(context, list(dict.fromkeys(os.path.join(site, *_folder_of(each, cuda)) for each in packages)))
    commands = add_all(context, wanted) if path else ()
    lines = tuple(Command(each.tool, f"{each.line} && {path[0].line}") for each in commands)
    words = f"Install {' and '.join(f'{name}{each}' for name, each in wanted.items())}, and set LD_LIBRARY_PATH"
    return Remedy(f"{words} before Python starts.", commands=lines)


def _cuda_of_torch(context: CheckContext) -> str:
    """The CUDA major version of torch; "" for a build without CUDA."""
    torch = context.build("torch")
    return (torch.cuda or "").partition(".")[0] if torch is not None else ""


def _cudnn(context: CheckContext, user: str, cuda: str, number: str, family: str, major: str) -> dict[str, str]:
    """What ctranslate2 needs besides cuBLAS: its cuDNN, or a release that does not use cuDNN."""
    record = context.installed.get(user)
    version = version_of(record.version) if record is not None else None
    if version is None or specifier_set(_WITHOUT_CUDNN).contains(version):
        return {}
    if major and major != cuda:  # The packages of cuDNN for two CUDA versions write the same files.
        return {user: _WITHOUT_CUDNN}
    cudnn = number if family == "cudnn" else "9" if specifier_set(_FOR_CUDNN_9).contains(version) else "8"
    return {} if copies_of(context, f"libcudnn.so.{cudnn}") else {f"nvidia-cudnn-cu{cuda}": f"=={cudnn}.*"}


def _named(library: str) -> tuple[str, str]:
    """The family of a library and the number in its name: ``("cublas", "12")``, ``("cudnn", "9")``."""
    match = re.match(rf"(?:lib)?({_FAMILIES})\w*?(?:\.so\.|_)(\d{{1,3}})", library)
    return (match[1], match[2]) if match else ("", "")


def _cuda_of(library: str, major: str) -> str:
    """The CUDA major version that a library belongs to; if more than one has it, the one of torch, or else 12."""
    family, number = _named(library)
    if family in ("cublas", "cublasLt"):
        return number
    if family in _OF_SEVERAL and major:
        return major
    return _CUDA_OF.get((family, number), "11" if (family, number) == ("cudnn", "8") else "12")


def _package(family: str, cuda: str) -> str:
    """The package with a library. Since CUDA 13, the names of the packages of CUDA itself have no suffix."""
    name = {"cublasLt": "cublas", "cudart": "cuda-runtime"}.get(family, family)
    is_plain = cuda not in ("11", "12") and family != "cudnn"
    return f"nvidia-{name}" if is_plain else f"nvidia-{name}-cu{cuda}"


def _folder_of(package: str, cuda: str) -> tuple[str, ...]:
    """The folder of the libraries of a package, beside the packages."""
    name = re.sub(r"^nvidia-|-cu\d+$", "", package).replace("-", "_")
    return ("nvidia", f"cu{cuda}" if not package.endswith(f"-cu{cuda}") else name, "lib")
