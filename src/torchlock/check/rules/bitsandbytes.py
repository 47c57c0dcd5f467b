"""TL232: bitsandbytes contains one library for each CUDA version, and none for the CUDA version of this torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Command, Finding

_LIBRARY = pattern(r"libbitsandbytes_cuda(\d{2,3})\.(?:so|dll)")
# Releases since 0.43 build the name of the library from the CUDA version of torch.
_BY_TORCH = pattern(rb"cuda_version_string")
_LARGEST = 1 << 20
# A build for Windows from the time when bitsandbytes had none.
_OTHER = "bitsandbytes-windows"


def libraries_of(context: CheckContext) -> list[str]:
    """The CUDA versions of the libraries in bitsandbytes, as ``128``."""
    record = context.installed.get("bitsandbytes")
    folder = os.path.join(record.entry.path, "bitsandbytes") if record is not None else ""
    names = context.environment.tree.names(folder) if folder else {}
    return sorted(match[1] for name in names if (match := _LIBRARY.fullmatch(name)))


@rule("TL232")
def without_library(context: CheckContext) -> Iterator[Finding]:
    """No library for this torch. The import of bitsandbytes works, its functions for a GPU do not."""
    torch, there, record = context.build("torch"), libraries_of(context), context.installed.get("bitsandbytes")
    if torch is None or not torch.cuda or not there or record is None:
        return
    wanted = "".join(torch.cuda.split(".")[:2])
    folder = os.path.join(record.entry.path, "bitsandbytes")
    if wanted in there or not _is_by_torch(folder) or os.environ.get("BNB_CUDA_VERSION") in there:
        return
    suffix = "dll" if context.target is not None and context.target.platform.system == "windows" else "so"
    name = f"libbitsandbytes_cuda{wanted}.{suffix}"
    # Its import works, and not every program uses its functions for a GPU: a log shows whether this one does.
    yield context.finding(
        "TL232",
        "note",
        f"{context.named('bitsandbytes')} has no {name}, which it opens with {context.named('torch')}",
        "bitsandbytes",
        "torch",
        path=folder,
        because=f"it has libraries for CUDA {', '.join(f'{each[:-1]}.{each[-1]}' for each in there)}",
        expected_error=f"RuntimeError: Configured CUDA binary not found at {os.path.join(folder, name)}",
        lacks=(name,),
    )


def _is_by_torch(folder: str) -> bool:
    """Whether its source takes the library for the CUDA version of torch, and no other one."""
    try:
        source = files.read(os.path.join(folder, "cextension.py"), _LARGEST)
    except OSError:
        return False
    return _BY_TORCH.search(source) is not None


@rule("TL232", on="log")
def of_another_project(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A build for Windows of another project under the same module name; bitsandbytes has its own since 0.43."""
    first, record = log.first, context.installed.get(_OTHER)
    if first is None or record is None or "TL232" not in first.rules:
        return
    yield context.finding(
        "TL232",
        "warning",
        f"{_OTHER} {record.version} is an old build of another project, and its library does not load",
        _OTHER,
        path=os.path.join(record.entry.path, "bitsandbytes"),
        because="it is of the time when bitsandbytes had no wheels for Windows, which it has since 0.43",
        expected_error=first.text,
        remedy=_official(context),
        sources=("bitsandbytes-935",),
        strength=Strength.RAN,
    )


def _official(context: CheckContext) -> Remedy:
    """Replace the other project's build: both write the same files, so it goes first."""
    commands = add(context, "bitsandbytes", ">=0.43")
    lines = tuple(each._replace(line=f"{_uninstall(each)} && {each.line}") for each in commands)
    return Remedy(f"Uninstall {_OTHER}, and install bitsandbytes 0.43 or later.", commands=lines)


def _uninstall(command: Command) -> str:
    return f"uv pip uninstall {_OTHER}" if command.tool == "uv" else f"python -m pip uninstall -y {_OTHER}"
