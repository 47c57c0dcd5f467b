"""TL201 by a log: an installed companion that asked for a library of another CUDA release than that of torch.

It is asked if no finding explains the line: its libraries were not all examined, or it was replaced since.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_signatures import ECHO
from torchlock.check.stated_pairs import companion_of
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.build_labels import describe_build, parse_label
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# Of these libraries, the number in the file name is the release of CUDA.
_OF_CUDA = re.compile(
    r"(?P<library>lib(?:cudart|cublas|cublasLt|nvrtc)\.so\.(?P<cuda>1[1-9])(?:\.\d{1,2})?): cannot open"
)
# What did not load for that reason, in the lines that follow.
_NOT_LOADED = re.compile(r"Could not load this library: [^\n]{1,300}")
_NEAR = 20


@rule("TL201", on="unexplained")
def other_cuda(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library of a CUDA release that an installed companion asks for, beside a torch for another one."""
    first = log.first
    lacks = _OF_CUDA.search(first.text) if first is not None and first.weight != ECHO else None
    torch = context.build("torch")
    if first is None or lacks is None or torch is None or torch.hip:
        return
    after = "\n".join(log.text.split("\n")[first.line : first.line + _NEAR])
    name = next(filter(None, (companion_of(each[0], "") for each in _NOT_LOADED.finditer(after))), "")
    cuda = torch.cuda or ""
    if not name or name not in context.pins or cuda.partition(".")[0] == lacks["cuda"]:
        return
    yield context.finding(
        "TL201",
        "warning",
        f"the {name} {context.version(name)} in the log was built for CUDA {lacks['cuda']}, and "
        f"{context.named('torch')} {f'is for CUDA {cuda}' if cuda else 'is a CPU build'}",
        name,
        "torch",
        because=f"the log shows that it asks for {lacks['library']}, a library of CUDA {lacks['cuda']}",
        expected_error=first.text,
        remedy=_of_same_build(context, name),
        strength=Strength.RAN,
        lacks=(lacks["library"],),
    )


def _of_same_build(context: CheckContext, name: str) -> Remedy | None:
    """The same release from the page of torch's build; no table says whether a page has it, so no command."""
    label = parse_label(context.label("torch") or "")
    if label is None or not label.is_of_index:
        return None
    version = context.version(name).partition("+")[0]
    words = (
        f"Install {name} {version} in the build of this torch ({describe_build(label.text)}): with pip install "
    )
    words += f"--force-reinstall --no-deps --index-url {page_of(label.text)} {name}=={version}"
    other = "" if label.text == "cpu" else f"; or its CPU build, from {page_of('cpu')}"
    return Remedy(
        f"{words}{other}. If a page does not have it, use the {name} that torch's page has for this torch."
    )
