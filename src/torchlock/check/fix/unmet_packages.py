"""The remedy for a library that a package brings which torch requires, and which is not installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of
from torchlock.check.fix.commands import add_all
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.indexes import page_of

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

# The packages with libraries that builds for XPU require; those of NVIDIA have functions of their own.
_OF_XPU = re.compile(r"intel-|dpcpp|mkl|onemkl|onednn|oneccl|impi|tbb|umf|tcmlib|pti")


def of_xpu(context: CheckContext, finding: Finding) -> Remedy | None:
    """Install what this torch for XPU requires, and keep torch; None if nothing is missing."""
    record, label = context.record("torch"), context.label("torch") or ""
    if finding.package != "torch" or record is None or kind_of(label) != "xpu" or context.target is None:
        return None
    asked = [each for each in dependencies_of(record) if _OF_XPU.match(each.name)]
    held = [each for each in asked if context.target.holds(each.marker)]
    lost = {each.name: each.specifier for each in held if context.installed.get(each.name) is None}
    if not lost:
        return None
    names = ", ".join(lost)
    words = f"Install {names}, which {context.named('torch')} requires; torch stays."
    return Remedy(words, commands=add_all(context, lost, "--index-url", page_of(label)))
