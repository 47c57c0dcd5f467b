"""TL101 to TL104, TL201 by a log: an installed companion that lacked a part of torch, or a library of another CUDA.

It is asked if no finding explains the line: the files do not show the fault, or were not all examined.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.pairs_in_log import PAIRS
from torchlock.check.stated_pairs import companion_of, fits, span
from torchlock.finding import Strength
from torchlock.inspect.binaries.cxx_names import described
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.knowledge.compatibility import torches_beside, working_beside
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# Of these libraries, the number in the file name is the release of CUDA.
_OF_CUDA = re.compile(r"(?P<library>lib(?:cudart|cublas|cublasLt|nvrtc)\.so\.(?P<cuda>1[1-9])(?:\.\d{1,2})?): cannot open")
# What did not load for that reason, in the lines that follow.
_NOT_LOADED = re.compile(r"Could not load this library: [^\n]{1,300}|load_library\([^\n]{1,200}")
_NEAR = 20


@rule("TL101", "TL102", "TL103", "TL104", on="unexplained")
def other_release(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A symbol of torch that an installed companion lacked, which by its release needs another torch."""
    first = log.first
    if first is None or first.weight == ECHO or not first.symbol or not is_torchs_symbol(first.symbol):
        return
    name = companion_of(first.text, first.library)
    mine, torch = _public(context, name), _public(context, "torch")
    if not mine or not torch or name not in PAIRS or fits(torch, working_beside(name, mine)) is not False:
        return
    yield context.finding(
        PAIRS[name],
        "error",
        f"{context.named(name)} needs torch {span(torches_beside(name, mine))}, and {context.named('torch')} is "
        "installed",
        name,
        "torch",
        because=f"the log shows that {first.library} lacks {described(first.symbol)}, a part of torch",
        expected_error=first.text,
        strength=Strength.RAN,
        lacks=(first.symbol,),
    )


@rule("TL201", on="unexplained")
def other_cuda(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library of a CUDA release that an installed companion asks for, beside a torch for another one."""
    first = log.first
    lacks = _OF_CUDA.search(first.text) if first is not None and first.weight != ECHO else None
    torch = context.build("torch")
    if first is None or lacks is None or torch is None or torch.hip:
        return
    after = "\n".join(log.text.split("\n")[first.line : first.line + _NEAR])
    user = _NOT_LOADED.search(after)
    name = companion_of(user[0], "") if user is not None else ""
    cuda = torch.cuda or ""
    if not name or name not in context.pins or cuda.partition(".")[0] == lacks["cuda"]:
        return
    yield context.finding(
        "TL201",
        "warning",
        f"the {name} {context.version(name)} of the log was built for CUDA {lacks['cuda']}, and "
        f"{context.named('torch')} {f'is for CUDA {cuda}' if cuda else 'is a CPU build'}",
        name,
        "torch",
        because=f"the log shows that it asks for {lacks['library']}, a library of CUDA {lacks['cuda']}",
        expected_error=first.text,
        strength=Strength.RAN,
        lacks=(lacks["library"],),
    )


def _public(context: CheckContext, name: str) -> str:
    """The version of an installed package that the tables may know; "" for others."""
    pin = context.pins.get(name)
    return "" if pin is None or pin.unversioned or pin.version.is_prerelease else pin.version.public
