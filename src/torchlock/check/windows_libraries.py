"""What to do about libraries that Windows does not find."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.check.fix.commands import add
from torchlock.check.system_packages import install_library
from torchlock.finding import Command, Remedy
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext

# The DLLs of the Visual C++ runtime; those of its OpenMP, too.
VC_RUNTIME = re.compile(r"vcruntime|msvcp|vcomp|concrt", re.IGNORECASE)
_REDISTRIBUTABLE = "Microsoft.VCRedist.2015+.x64"
_ADDRESS = "https://aka.ms/vs/17/release/vc_redist.x64.exe"
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


def is_windows(context: CheckContext) -> bool:
    """Whether the environment is for Windows."""
    return context.target is not None and context.target.platform.system == "windows"


def install_vc_runtime(context: CheckContext) -> Remedy:
    """Install the newest Visual C++ runtime: conda's in an environment of conda, which has its own."""
    if context.environment.conda:
        commands = conda_install(context, "-c conda-forge", '"vc14_runtime>=14.40"')
        return Remedy("Install a later Visual C++ runtime in this environment.", commands=commands)
    return Remedy(
        f"Install the newest Microsoft Visual C++ Redistributable (x64), {_ADDRESS}; the same command updates it.",
        commands=(Command("system", f"winget install -e --id {_REDISTRIBUTABLE}"),),
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
    summary = f"Install FFmpeg {major} as a shared build ({static}), and lead Python to its DLLs"
    return Remedy(f"{summary}: {BY_HAND}.", commands=(Command("system", line),))
