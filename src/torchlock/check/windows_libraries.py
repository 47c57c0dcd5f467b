"""Libraries that Windows does not find: where each comes from, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.check.fix.commands import add, add_all, shell
from torchlock.check.system_packages import install_library
from torchlock.finding import Command, Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.rules import specifier_set
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext

_REDISTRIBUTABLE = "Microsoft.VCRedist.2015+.x64"
# Where Microsoft offers the newest runtime.
ADDRESS = "https://aka.ms/vs/17/release/vc_redist.x64.exe"
INSTALL_RUNTIME = f"Install the newest Microsoft Visual C++ Redistributable (x64), {ADDRESS}."
# The newest release of each major version that winget has as a shared build.
_WINGET = {5: "5.1.2", 6: "6.1.1", 7: "7.1.1", 8: "8.1.2", 9: "9.0.2"}
# From this release on, torchcodec looks for the DLLs beside the ffmpeg program on the PATH.
_LOOKS_ON_PATH = ">=0.9.1"
# The torch that torchcodec 0.8 to 0.9.1 are for.
_TORCH_OF_091 = (2, 9)
NOT_ON_PATH = "Python 3.8 and later do not search the PATH for the DLLs that a library needs"
BY_HAND = (
    'call os.add_dll_directory(r"FOLDER\\bin") before the import, or copy the DLLs into the folder of the package'
)
# The DLLs of MKL have a number in their names, which its releases changed (source: mkl-dlls).
_MKL = pattern(r"mkl_\w{1,40}?(?:\.(?P<number>\d))?\.dll", re.IGNORECASE)
_MKL_RELEASES = {"1": "<2022", "2": ">=2022,<2026", "3": ">=2026"}
_RUNTIME = pattern(r"(vcruntime|msvcp|vcomp|concrt)140", re.IGNORECASE)
OPENMP = "libomp140"
_AMD = pattern(r"(amdhip64|amd_comgr|hiprtc|hip|roc)[\w-]*\.dll", re.IGNORECASE)
_LIBUV = pattern(r"(lib)?uv(-\d)?\.dll", re.IGNORECASE)
_OF_AMD = (
    "Install the newest AMD driver for this GPU, which contains amdhip64; or the HIP SDK of AMD, and put its bin "
    "folder on the PATH. The torch stays as it is."
)
_WITH_LIBUV = "Install libuv of conda-forge, and put the folder of its uv.dll (Library\\bin of conda) on the PATH"
# The torch after 2.4.0 needs no library of OpenMP beside its own (source: torch-windows-openmp).
_AFTER_240 = {"torch": "2.4.1", "torchaudio": "2.4.1", "torchvision": "0.19.1"}


def origin_of_dll(library: str) -> str:
    """What has a DLL that torch for Windows needs, in words; "" if it is not known."""
    if (mkl := _MKL.fullmatch(library)) is not None:
        release = _MKL_RELEASES.get(mkl["number"] or "", "")
        return f"it is part of MKL: the package mkl{release} installs it into the folder Library\\bin"
    if _RUNTIME.match(library):
        return "it is part of the Visual C++ runtime, which Microsoft's Redistributable installs"
    if library.lower().startswith(OPENMP):
        return (
            "it is an OpenMP library of Visual Studio's compilers: fbgemm.dll of torch 2.4.0 needs it, and "
            "neither the wheel nor the Visual C++ Redistributable contains it"
        )
    if _AMD.fullmatch(library):
        return "it is part of ROCm for Windows, which the driver or the HIP SDK of AMD installs"
    if _LIBUV.fullmatch(library):
        return "it is libuv: a torch that was built with it needs it, and some builds of vendors do not contain it"
    return ""


def sources_of_dll(library: str) -> tuple[str, ...]:
    """The sources of what is known of a DLL."""
    if _MKL.fullmatch(library):
        return ("mkl-dlls",)
    if _AMD.fullmatch(library):
        return ("comfyui-10535",)
    if _LIBUV.fullmatch(library):
        return ("extension-for-pytorch-700",)
    return ("torch-windows-openmp",) if library.lower().startswith(OPENMP) else ()


def advice_for_dll(library: str) -> str:
    """How to get a DLL that torch for Windows needs, for any environment; "" if it is not known."""
    if (mkl := _MKL.fullmatch(library)) is not None:
        return f'Install it with pip install "mkl{_MKL_RELEASES.get(mkl["number"] or "", "")}".'
    if library.lower().startswith(OPENMP):
        return "Instead of torch 2.4.0, install 2.4.1. Do not download the DLL from a website."
    if _AMD.fullmatch(library):
        return _OF_AMD
    if _LIBUV.fullmatch(library):
        return f"{_WITH_LIBUV}."
    return INSTALL_RUNTIME if _RUNTIME.match(library) else ""


def remedy_for_dll(context: CheckContext, library: str) -> Remedy | None:
    """How to get a DLL that torch for Windows needs, or a torch that does not need it; None if it is not known."""
    if _RUNTIME.match(library):
        return install_vc_runtime(context)
    if library.lower().startswith(OPENMP):
        return without_openmp(context)
    if _AMD.fullmatch(library):
        return Remedy(_OF_AMD)
    if _LIBUV.fullmatch(library):
        is_conda = bool(context.environment.conda)
        commands = conda_install(context, "-c conda-forge", "libuv") if is_conda else ()
        return Remedy("Install libuv in this environment." if is_conda else f"{_WITH_LIBUV}.", commands=commands)
    mkl = _MKL.fullmatch(library)
    return _with_mkl(context, mkl["number"] or "") if mkl is not None else None


def _with_mkl(context: CheckContext, number: str) -> Remedy:
    """Install the MKL whose DLLs have this number."""
    release = _MKL_RELEASES.get(number, "")
    if context.environment.conda:
        commands = conda_install(context, f'"mkl{release}"')
    else:
        commands = add(context, "mkl", release)
    return Remedy("Install the MKL that this torch was built with.", commands=commands)


def without_openmp(context: CheckContext) -> Remedy:
    """Install a torch of the same build that contains the OpenMP library that its DLLs need."""
    if not context.version("torch").startswith("2.4.0"):
        builds = "one with MKL, one of conda-forge, or the wheel of the public index, which contain what they need"
        return Remedy(f"Install another build of this torch: {builds}. Do not download the DLL from a website.")
    summary = "Install torch 2.4.1, which does not need this DLL. Do not download the DLL from a website."
    label = context.labelled("torch")
    page = page_of(label) if kind_of(label) else ""
    pins = {name: f"=={version}" for name, version in _AFTER_240.items() if name in context.pins}
    return Remedy(summary, commands=add_all(context, pins, *([f"--index-url {page}"] if page else [])))


def is_windows(context: CheckContext) -> bool:
    """Whether the environment is for Windows."""
    return context.target is not None and context.target.platform.system == "windows"


def is_of_amd(context: CheckContext) -> bool:
    """Whether torch is a ROCm build for Windows, which AMD makes: the PyTorch index has none."""
    return is_windows(context) and kind_of(context.label("torch") or "") == "rocm"


def install_vc_runtime(context: CheckContext) -> Remedy:
    """Install the newest Visual C++ runtime: conda's in an environment of conda, which has its own."""
    if context.environment.conda:
        commands = conda_install(context, "-c conda-forge", '"vc14_runtime>=14.40"')
        return Remedy("Install a later Visual C++ runtime in this environment.", commands=commands)
    return Remedy(
        f"Install the newest Microsoft Visual C++ Redistributable (x64), {ADDRESS}; the same command updates it.",
        commands=(Command("system", f"winget install -e --id {_REDISTRIBUTABLE}"),),
    )


def renew_vc_runtime(context: CheckContext, path: str) -> Remedy:
    """Install the newest Visual C++ runtime, and take away an older copy that Windows would load before it."""
    remedy = install_vc_runtime(context)
    if context.environment.conda:
        return remedy
    words = f"{remedy.summary.partition(';')[0]}, and delete {path}: Windows takes a copy beside python.exe first."
    deletion = shell(context, "del /q", path)
    return Remedy(
        words,
        commands=tuple(
            Command("system", f"{each.line} && {deletion[0].line}") for each in remedy.commands if deletion
        ),
    )


def looks_on_path(context: CheckContext) -> bool:
    """Whether this torchcodec adds the folder of the ffmpeg program on the PATH."""
    pin = context.pins.get("torchcodec")
    return pin is not None and not pin.unversioned and specifier_set(_LOOKS_ON_PATH).contains(pin.version)


def install_ffmpeg(context: CheckContext, needs: str, majors: Sequence[int]) -> Remedy:
    """Install the newest suitable FFmpeg with DLLs, and lead torchcodec to it."""
    major = max((each for each in majors if each in _WINGET), default=0)
    if context.environment.conda or not major:
        return install_library(context, "ffmpeg", needs)
    line = f"winget install -e --id Gyan.FFmpeg.Shared --version {_WINGET[major]}"
    static = "Gyan.FFmpeg and other static builds have no DLLs"
    if looks_on_path(context):
        beside = "torchcodec looks beside ffmpeg.exe on the PATH"
        summary = f"Install FFmpeg {major} as a shared build ({static}), and start a new terminal: {beside}."
        return Remedy(summary, commands=(Command("system", line),))
    torch = context.pins.get("torch")
    if torch is not None and torch.version.release[:2] == _TORCH_OF_091:
        later = "torchcodec 0.9.1, which looks beside ffmpeg.exe on the PATH"
        commands = (each._replace(line=f"{each.line} && {line}") for each in add(context, "torchcodec", "==0.9.1"))
        summary = f"Install {later}, and FFmpeg {major} as a shared build ({static}); start a new terminal."
        return Remedy(summary, commands=tuple(commands))
    summary = f"Install FFmpeg {major} as a shared build ({static}), and make Python find its DLLs"
    return Remedy(f"{summary}: {BY_HAND}.", commands=(Command("system", line),))
