"""TL229: a known failure in a log that no package of the environment causes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# A line, what it means, and what to do.
_MEANINGS = (
    (
        re.compile(
            (
                r"(?:CUDA|HIP) out of memory|MPS backend out of memory|CUDA error: out of memory"
                r"|torch\.(?:cuda\.)?OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED"
            )
        ),
        "the memory of the GPU ran out",
        (
            "Use a smaller batch, shorter audio or a smaller model, close other programs that use the "
            "GPU, or compute on the CPU."
        ),
    ),
    (
        re.compile(
            r"not enough memory: you tried to allocate|DefaultCPUAllocator|OutOfMemoryError|Killed"
            r"|MemoryError|SIGKILL"
        ),
        "the memory of the machine ran out",
        "Use a smaller batch, shorter audio or a smaller model, or give the machine or the container more memory.",
    ),
    (
        re.compile(r"device-side assert triggered"),
        "a value in the program is out of range, such as a label or an index",
        "Run the program with CUDA_LAUNCH_BLOCKING=1, or on the CPU: the traceback then shows the line.",
    ),
    (
        re.compile(
            r"Expected all tensors to be on the same device|Placeholder storage has not been allocated on MPS"
        ),
        "the program mixes tensors of the CPU and of a GPU",
        "Move them to one device.",
    ),
    (
        re.compile(r"PytorchStreamReader failed|failed finding central directory"),
        "a model file is damaged or incomplete",
        "Delete the model file from its cache, and download it again.",
    ),
    (
        re.compile(r"GatedRepoError|gated repo|401 Client Error|403 Client Error|Repository Not Found for url"),
        "the server of the model refused the download",
        "Accept the conditions of the model on its page, and log in with a token that may read it.",
    ),
    (
        re.compile(r"size mismatch for"),
        "a model file belongs to another configuration of the model",
        "Use the file and the configuration of one model.",
    ),
    (re.compile(r"Address already in use"), "another program uses this port", "Stop it, or use another port."),
)


@rule("TL229", on="log")
def not_ours(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A note: what failed, and that the installed packages are not at fault."""
    first = log.first
    if first is None or first.rules[0] not in ("TL229", "TL523") or any(each.rule == "TL523" for each in found):
        return
    meaning = next((row for row in _MEANINGS if row[0].search(first.text)), None)
    if meaning is None:
        return
    message = f"{meaning[1]}: this is not a fault of the installed packages"
    remedy = Remedy(meaning[2])
    yield context.finding(
        "TL229", "note", message, expected_error=first.text, remedy=remedy, strength=Strength.RAN
    )
