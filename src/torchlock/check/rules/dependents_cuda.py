"""TL230: an onnxruntime for another CUDA version than torch, whose libraries no package here contains."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.rules.dependents_cuda_in_log import also_there, places_of
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

_USER = "onnxruntime-gpu"
_PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"


@rule("TL230")
def for_another_cuda(context: CheckContext) -> Iterator[Finding]:
    """A note: the installed onnxruntime is for another CUDA version than torch, and its libraries are not here."""
    record, torch = context.installed.get(_USER), context.build("torch")
    major = (torch.cuda or "").partition(".")[0] if torch is not None else ""
    if record is None or not major:
        return
    binary = read_binary(os.path.join(record.entry.path, *_PROVIDER.split("/")))
    needed = [each.name for each in binary.needed] if isinstance(binary, Binary) else []
    lost = [each for each in needed if re.match(r"libcublas(Lt)?\.so", each) and not places_of(context, each)]
    if not lost or lost[0].endswith(f".so.{major}"):
        return
    yield context.finding(
        "TL230",
        "note",
        f"{context.named(_USER)} opens {lost[0]} when it computes on a GPU, and no package here contains it",
        _USER,
        path=os.path.join(record.entry.path, *_PROVIDER.split("/")),
        because=also_there(context, lost[0]) or f"torch is for CUDA {major}",
        lacks=(lost[0],),
    )
