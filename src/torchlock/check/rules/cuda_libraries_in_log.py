"""TL225 and TL226: a CUDA library that a package opened at run time and did not find, as a log shows."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.nvidia import required
from torchlock.check.relevance import owners_of
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_LIBRARY = re.compile(
    r"(?<![\w./-])(?:lib)?(?:cudnn|cublas|cublasLt|cudart|cufft|nvrtc)[\w-]{0,40}(?:\.so(?:\.\d{1,4}){0,4}|\.dll)",
    re.I,
)
# The packages that open CUDA libraries by the search path of the system.
_OPENERS = ("ctranslate2", "onnxruntime-gpu", "onnxruntime", "tensorrt", "faster-whisper")
_MAJOR = re.compile(r"\.so\.(\d{1,2})|_(\d{1,2})\.dll$")
_BUILTINS = re.compile(r"libnvrtc-builtins\.so\.(\d{1,2}\.\d{1,2})|nvrtc-builtins64_(\d{2,3})\.dll")


@rule("TL225", on="log")
def not_on_search_path(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The library that was not found, the folder of the environment that has it, and the package that opens it."""
    first = log.first
    if first is None or first.rules[0] != "TL225" or context.target is None:
        return
    if any(each.rule == "TL207" and each.severity != "note" for each in found):
        return
    names = list(dict.fromkeys(_LIBRARY.findall(first.text) or _LIBRARY.findall(_near(log.text, first.line))))
    if not names:
        return
    name = next((each for each in names if _MAJOR.search(each)), names[0])
    folders = _folders(context, names)
    who = _opener(context, log)
    message = f"{who} opens {name} by the search path of the system, "
    if folders:
        message += f"which does not have {_there(context, folders[0])}, where this library is"
    else:
        message += "and no package of this environment has this library"
    yield context.finding(
        "TL225",
        "warning",
        message,
        *([who] if who in context.pins or context.installed.get(who) else []),
        expected_error=first.text,
        remedy=_on_path(context, folders) if folders else _of_package(context, name),
        strength=Strength.RAN,
        lacks=(name,),
    )


def _near(text: str, line: int) -> str:
    return "\n".join(text.split("\n")[max(0, line - 3) : line + 5])


def _opener(context: CheckContext, log: Log) -> str:
    """The package that opens the library: one of the traceback, else one that is known to do so."""
    owners = owners_of(context, log.frames)
    known = [each for each in _OPENERS if context.installed.get(each) is not None]
    return next((each for each in known if each in owners), known[0] if known else "a package in the log")


def _nvidia_folders(context: CheckContext) -> Iterator[str]:
    """The folders of the environment that may have CUDA libraries."""
    tree = context.environment.tree
    for entry in context.environment.path:
        if entry.state != "folder":
            continue
        base = os.path.join(entry.path, "nvidia")
        for part in sorted(tree.names(base)):
            yield os.path.join(base, part, "bin")
            yield os.path.join(base, part, "lib")
        yield os.path.join(entry.path, "torch", "lib")


def _folders(context: CheckContext, names: Sequence[str]) -> list[str]:
    """The folders that have one of these libraries; then those of cuBLAS, which the same packages open."""
    tree = context.environment.tree
    low = {each.lower() for each in names}
    every = [(folder, {each.lower() for each in tree.names(folder)}) for folder in _nvidia_folders(context)]
    found = [folder for folder, there in every if low & there]
    more = [
        folder
        for folder, there in every
        if found and any(each.startswith(("libcublas.so", "cublas64")) for each in there)
    ]
    return list(dict.fromkeys([*found, *more]))


def _there(context: CheckContext, folder: str) -> str:
    """A folder as the checked machine names it."""
    root = context.root
    if root is None or root.is_here or not f"{folder}/".startswith(f"{root.folder}/"):
        return folder
    return "/" + os.path.relpath(folder, root.folder)


def _on_path(context: CheckContext, folders: Sequence[str]) -> Remedy:
    places = [_there(context, each) for each in folders]
    assert context.target is not None
    if context.target.platform.system == "windows":
        line = f'set "PATH={";".join(places)};%PATH%"'
        return Remedy("Add the folder to PATH before Python starts.", commands=(Command("shell", line),))
    line = f'export LD_LIBRARY_PATH="{":".join(places)}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"'
    summary = "Add the folder to LD_LIBRARY_PATH before Python starts; a variable that is set later has no effect."
    return Remedy(summary, commands=(Command("shell", line),))


def _of_package(context: CheckContext, name: str) -> Remedy:
    """The package with this library: cuDNN of its major version, cuBLAS of its CUDA."""
    from torchlock.check.fix.commands import add_all

    number = _MAJOR.search(name)
    major = int(number[1] or number[2]) if number else 0
    if "cudnn" in name.lower() and major in (8, 9):
        asked = next((each for each in required(context) if each.startswith("nvidia-cudnn")), "nvidia-cudnn-cu12")
        wanted = {asked: f">={major},<{major + 1}"}
    elif major in (11, 12):
        wanted = {f"nvidia-cublas-cu{major}": ""}
    else:
        return Remedy(
            "Install the CUDA libraries that this package was built for, and add their folder to LD_LIBRARY_PATH."
        )
    summary = f"Install {', '.join(wanted)}, and add the lib folder of the package to LD_LIBRARY_PATH before Python starts."
    return Remedy(summary, commands=add_all(context, wanted))


@rule("TL226", on="log")
def nvrtc(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The library that NVRTC did not find, and what the environment has instead."""
    first = log.first
    wanted = _BUILTINS.search(first.text) if first is not None else None
    if first is None or first.rules[0] != "TL226" or wanted is None:
        return
    version = wanted[1] or f"{wanted[2][:-1]}.{wanted[2][-1]}"
    tree = context.environment.tree
    every = [
        os.path.join(folder, name)
        for folder in _nvidia_folders(context)
        for name in sorted(tree.names(folder))
        if "nvrtc-builtins" in name
    ]
    exact = [each for each in every if os.path.basename(each) == wanted[0]]
    has = f"; this environment has {_there(context, every[0])}" if every else "; this environment has none"
    message = f"NVRTC of CUDA {version} does not find {wanted[0]}"
    yield context.finding(
        "TL226",
        "warning",
        message + ("" if exact else has),
        "torch",
        expected_error=first.text,
        remedy=_for_nvrtc(context, version, wanted[0], exact, every),
        strength=Strength.RAN,
        lacks=(wanted[0],),
    )


def _for_nvrtc(context: CheckContext, version: str, name: str, exact: list[str], every: list[str]) -> Remedy:
    from torchlock.check.fix.commands import add_all, shell

    if exact:
        return _on_path(context, [os.path.dirname(exact[0])])
    beside = [each for each in every if f"{os.sep}torch{os.sep}" in each]
    if beside and all(
        version not in os.path.basename(each).replace(f".so.{version}", "") or "-" in each for each in beside
    ):
        link = os.path.join(os.path.dirname(beside[0]), name)
        summary = f"Give the library of torch its whole name: a link {name} to {os.path.basename(beside[0])}."
        return Remedy(summary, commands=shell(context, "ln -s", _there(context, beside[0]), _there(context, link)))
    pinned = {each: specifier for each, specifier in required(context).items() if "nvrtc" in each}
    if pinned and every:
        summary = "Install the NVRTC that this torch requires, and take other CUDA folders out of LD_LIBRARY_PATH."
        return Remedy(summary, commands=add_all(context, pinned, "--force-reinstall", "--no-deps"))
    major = version.partition(".")[0]
    wanted = {f"nvidia-cuda-nvrtc-cu{major}" if int(major) < 13 else "nvidia-cuda-nvrtc": f"=={version}.*"}
    return Remedy("Install the NVRTC of this CUDA version.", commands=add_all(context, wanted))
