"""TL611: an xformers whose compiled part does not load in the process of a log, although its symbols are here."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.vendors import is_unpublished_build, is_vendors
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_PRINTED = re.compile(
    r"xFormers was built for:\s{1,20}PyTorch (?P<torch>\d[\w.+]{1,30}) with CUDA (?P<cuda>\w{1,8})"
    r" \(you have [^)\n]{1,60}\)"
    r"(?:\s{1,20}Python {1,4}(?P<python>3\.\d{1,2})[\w.]{0,8} \(you have (?P<own>3\.\d{1,2})[\w.]{0,8}\))?"
)


@rule("TL611", on="unexplained")
def not_loaded(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """What xformers prints about itself; its release and that of torch fit, so that the builds differ."""
    record, first = context.installed.get("xformers"), log.first
    match = _PRINTED.search(log.text)
    if (
        record is None
        or first is None
        or match is None
        or "TL611" not in first.rules
        or "torch" not in context.pins
        or any(each.severity != "note" and each.package == "xformers" for each in found)
    ):
        return
    other = f", Python {match['python']}" if match["python"] != match["own"] else ""
    yield context.finding(
        "TL611",
        "warning",
        f"the compiled part of {context.named('xformers')} does not load with {context.named('torch')}: it was "
        f"built for torch {match['torch']}, CUDA {_dotted(match['cuda'])}{other}",
        "xformers",
        "torch",
        path=os.path.join(record.entry.path, "xformers"),
        because="it works with exactly the build of torch that it was built for",
        expected_error=first.text,
        remedy=_compiled() if is_vendors(context, "torch") or is_unpublished_build(context) else None,
        strength=Strength.RAN,
        lacks=(),  # xformers does not say what
    )


def _dotted(cuda: str) -> str:
    """The CUDA version as xformers has it: ``1209`` is 12.9."""
    return f"{int(cuda) // 100}.{int(cuda) % 100}" if cuda.isdecimal() and len(cuda) == 4 else cuda


def _compiled() -> Remedy:
    return Remedy(
        "Install the xformers from where this torch came, or compile it against this torch (python -m pip install "
        "--no-build-isolation --no-deps --no-binary xformers xformers); or uninstall it, as most programs do not "
        "need it."
    )
