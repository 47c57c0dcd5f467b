"""TL226: NVRTC, which compiles code for a GPU at run time, or its second library is not found, as a log shows."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.nvidia import required
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_BUILTINS = re.compile(r"libnvrtc-builtins\.so\.(\d{1,2}\.\d{1,2})|nvrtc-builtins64_(\d{2,3})\.dll")

# cuDNN 8 opens NVRTC by a name without a version.
_PLAIN = re.compile(r"\blibnvrtc\.so: cannot open shared object file")
_NAMED = re.compile(r"libnvrtc(-[0-9a-f]{4,16})?\.so(\.\d{1,3}){1,3}")


@rule("TL226", on="log")
def by_plain_name(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """libnvrtc.so, which is not found by this name, and the file of the environment that has another name."""
    first = log.first
    if first is None or first.rules[0] != "TL226" or not _PLAIN.search(first.text):
        return
    tree = context.environment.tree
    folders = list(_nvidia_folders(context))
    if context.target is None or any("libnvrtc.so" in tree.names(folder) for folder in folders):
        return
    there = [
        os.path.join(folder, name) for folder in folders for name in tree.names(folder) if _NAMED.fullmatch(name)
    ]
    mine = [each for each in there if f"{os.sep}torch{os.sep}lib{os.sep}" in each] or there
    asker = re.search(r"lib(cudnn)\w{0,40}\.so\.(\d)", first.text)
    who = f"cuDNN {asker[2]}" if asker else "a library"
    has = f"and this environment has NVRTC as {_there(context, mine[0])}" if mine else "which is not found"
    yield context.finding(
        "TL226",
        "warning",
        f"{who} opens libnvrtc.so by this name, {has}",
        "torch",
        because="a name without a version is that of a link, which the CUDA toolkit has and wheels do not",
        expected_error=first.text,
        remedy=_linked(context, mine),
        sources=("nvrtc-by-plain-name",),
        strength=Strength.RAN,
        lacks=("libnvrtc.so",),
    )


def _linked(context: CheckContext, there: Sequence[str]) -> Remedy:
    """A link with the plain name. The loader searches the folder of torch for cuDNN; another needs a variable."""
    from torchlock.check.fix.commands import shell

    if not there:
        return Remedy("Install NVRTC of torch's CUDA version, or use an image of CUDA that has it.")
    folder = os.path.dirname(there[0])
    line = shell(context, "ln -s", _there(context, there[0]), _there(context, os.path.join(folder, "libnvrtc.so")))
    variable = "" if folder.endswith(os.path.join("torch", "lib")) else ", and add its folder to LD_LIBRARY_PATH"
    return Remedy(f"Give NVRTC this name: a link libnvrtc.so beside it{variable}.", commands=line)


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
        message + ("" if exact or not context.environment.path else has),
        "torch",
        expected_error=first.text,
        remedy=_for_nvrtc(context, version, wanted[0], exact, every),
        strength=Strength.RAN,
        lacks=(wanted[0],),
    )


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


def _for_nvrtc(context: CheckContext, version: str, name: str, exact: list[str], every: list[str]) -> Remedy:
    from torchlock.check.fix.commands import add_all, shell

    if exact:
        return _on_path(context, [os.path.dirname(exact[0])])
    beside = [
        each for each in every if f"{os.sep}torch{os.sep}" in each and each.endswith((".so", f".so.{version}"))
    ]
    if beside:
        link = os.path.join(os.path.dirname(beside[0]), name)
        summary = f"Give the library of torch its whole name: a link {name} to {os.path.basename(beside[0])}."
        return Remedy(summary, commands=shell(context, "ln -s", _there(context, beside[0]), _there(context, link)))
    pinned = {each: specifier for each, specifier in required(context).items() if "nvrtc" in each}
    if pinned and every:
        summary = "Install the NVRTC that this torch requires, and remove other CUDA folders from LD_LIBRARY_PATH."
        return Remedy(summary, commands=add_all(context, pinned, "--force-reinstall", "--no-deps"))
    major = version.partition(".")[0]
    wanted = {f"nvidia-cuda-nvrtc-cu{major}" if int(major) < 13 else "nvidia-cuda-nvrtc": f"=={version}.*"}
    return Remedy("Install the NVRTC of this CUDA version.", commands=add_all(context, wanted))
