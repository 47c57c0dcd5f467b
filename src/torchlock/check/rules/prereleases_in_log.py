"""TL101 and TL103: a process that died, beside a companion and a torch of which no rule says whether they fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.rules.prereleases import unpaired
from torchlock.check.rules.versions import path_of
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_DIED = re.compile(r"std::bad_alloc|[Ss]egmentation fault|SIGSEGV|0xC0000005|access violation|terminate called")
_RULES = {"torchaudio": "TL101", "torchvision": "TL103"}


@rule("TL101", "TL103", on="log")
def died(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Pre-releases of two builds and two releases, whose process died: the likeliest cause."""
    first = log.first
    if first is None or not _DIED.search(first.text) or any(each.severity == "error" for each in found):
        return
    told = {name for each in found if each.severity != "note" for name, _ in each.packages}
    for name, identifier in _RULES.items():
        if name in told or unpaired(context, name) is None:
            continue
        mine, torch = context.named(name), context.named("torch")
        yield context.finding(
            identifier,
            "warning",
            f"{mine} and {torch} are of two releases and two builds, and the process in the log died",
            name,
            "torch",
            path=path_of(context, name),
            because="a library that was compiled for another torch may find all its symbols and still fail",
            expected_error=first.text,
            remedy=Remedy(f"Install the {name} that was built with this torch, from where torch came."),
            strength=Strength.REPORTED,
        )
