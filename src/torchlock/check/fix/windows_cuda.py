"""The remedy for a CUDA library that a package for Windows opens, and that no package here has (TL230)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add_all
from torchlock.check.fix.fitting import fitting
from torchlock.check.fix.plan import planned
from torchlock.check.fix.torch_builds import builds_for_cuda, is_of_conda
from torchlock.check.index_wheels import known_labels
from torchlock.finding import Command, Remedy
from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.rules import specifier_set
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext

_GUIDE = "https://docs.nvidia.com/deeplearning/cudnn/archives/cudnn-897/install-guide/index.html"
_ZLIB = (
    "If the folder of cuDNN is on the PATH, put zlibwapi.dll (64-bit) there, too: the installation guide of cuDNN "
    f"8 for Windows says where to get it, {_GUIDE}. A torch for CUDA of the releases 1.11 to 2.3 contains it with "
    "cuDNN 8: import torch first."
)
# The first torch with cuDNN 9.
_WITH_CUDNN_9 = "2.4.1"
_OF_CUDNN_8 = re.compile(r"cudnn_\w{1,40}64_8\.dll|zlibwapi\.dll", re.IGNORECASE)


def for_dll(context: CheckContext, user: str, library: str, cuda: str) -> Remedy:
    """A torch whose folder has the library, or the packages of NVIDIA on the PATH; ``cuda`` is their CUDA."""
    if "torch" in context.pins:
        remedy = next(_of_torch(context, library, cuda), None)
        if remedy is not None:
            words = f"{remedy.summary.rstrip('.')}. Import torch before {user}: it loads the DLLs of its folder."
            return replace(remedy, summary=words)
        return Remedy(f"Use {user} with a torch for CUDA {cuda}, and import torch before {user}.")
    if _OF_CUDNN_8.fullmatch(library):
        return Remedy(_ZLIB)
    return _packages(context, user, library, cuda)


def _of_torch(context: CheckContext, library: str, cuda: str) -> Iterator[Remedy]:
    """Builds of torch for this CUDA: of the installed release, or of the first one with cuDNN 9 if need be."""
    is_old = specifier_set(f"<{_WITH_CUDNN_9}").contains(context.pins["torch"].version.base_version)
    later = library.startswith("cudnn") and library.endswith("_9.dll") and is_old
    labels = known_labels("torch", _WITH_CUDNN_9) if later else builds_for_cuda(context)
    mine = sorted((each for each in labels if _major(each) == cuda), key=_number)
    label = context.label("torch") or ""
    for each in [] if is_of_conda(context) else sorted(mine, key=lambda each: each != label):
        plan = planned(replace(context, accelerator=each), asked=[f"torch=={_WITH_CUDNN_9}"] if later else [])
        if plan is not None:
            yield fitting(context, plan)


def _major(label: str) -> str:
    """The major version of CUDA of a build; "" for others."""
    build = parse_label(label)
    return str(build.version[0]) if build is not None and build.kind == "cuda" and build.version else ""


def _number(label: str) -> tuple[int, ...]:
    build = parse_label(label)
    return build.version if build is not None else ()


def _cudnn_of(context: CheckContext, user: str) -> str:
    """The major version of the cuDNN whose first library a package contains (``cudnn64_8.dll``)."""
    record = context.installed.get(user)
    folder = os.path.join(record.entry.path, user.partition("-")[0]) if record is not None else ""
    names = context.environment.tree.names(folder) if folder else {}
    found = [match[1] for name in names if (match := re.fullmatch(r"cudnn64_(\d{1,2})\.dll", name))]
    return found[0] if found else "9"


def with_cudnn_9(context: CheckContext, remedy: Remedy) -> Remedy | None:
    """A release for cuDNN 9 together with the first torch that has it; None for a torch that has it."""
    is_old = specifier_set(f"<{_WITH_CUDNN_9}").contains(context.pins["torch"].version.base_version)
    torch = next(_of_torch(context, "cudnn64_9.dll", "12"), None) if is_old else None
    if torch is None or not torch.commands:
        return None
    pairs = [(one, other) for one in torch.commands for other in remedy.commands if one.tool == other.tool]
    lines = tuple(one._replace(line=f"{one.line} && {other.line}") for one, other in pairs)
    return Remedy(
        f"{torch.summary} torch {_WITH_CUDNN_9} and later contain cuDNN 9. {remedy.summary}", commands=lines
    )


def _packages(context: CheckContext, user: str, library: str, cuda: str) -> Remedy:
    """The packages of NVIDIA with cuBLAS and cuDNN, and their folders on the PATH."""
    record = context.installed.get(user)
    number = re.search(r"64_(\d{1,2})\.dll", library)
    cudnn = number[1] if number is not None and library.startswith("cudnn") else _cudnn_of(context, user)
    names = {f"nvidia-cublas-cu{cuda}": "", f"nvidia-cudnn-cu{cuda}": f"=={cudnn}.*"}
    site = record.entry.path if record is not None else ""
    folders = [os.path.join(site, "nvidia", part, "bin") for part in ("cublas", "cudnn")]
    line = f'set "PATH={";".join(folders)};%PATH%"'
    commands = tuple(Command(each.tool, f"{each.line} && {line}") for each in add_all(context, names))
    listed = " and ".join(f"{name}{each}" for name, each in names.items())
    return Remedy(f"Install {listed}, and put their folders on the PATH before Python starts.", commands=commands)
