"""TL233: a log in which torch.compile finds no triton that works with this torch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of
from torchlock.finding import Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# Lines of other packages may have the same form: "No module named 'peculiar.inner'".
_NAMED = pattern(r"triton", re.IGNORECASE)
# The process found a triton, and not this part of it.
_OF_PART = pattern(r"cannot import name .{1,60} from .triton\b|No module named .?triton\.")
# The names of the package, by platform and build.
_NAMES = ("triton", "pytorch-triton", "pytorch-triton-rocm", "triton-windows", "pytorch-triton-xpu", "triton-rocm")


@rule("TL233", on="log")
def without_triton(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """triton is missing, or of another release than torch requires.

    A log in which triton is there is of another state than an environment without one.
    """
    first, target = log.first, context.target
    if first is None or "TL233" not in first.rules or target is None or "torch" not in context.pins:
        return
    if _NAMED.search(first.text) is None:
        return
    there = next((record for name in _NAMES if (record := context.installed.get(name)) is not None), None)
    if there is None and _OF_PART.search(first.text):
        return
    name, specifier = required(context)
    if there is not None and (
        there.name != name or specifier_set(specifier).contains(there.version, prereleases=True)
    ):
        return
    installed = f"{there.name} {there.version} is installed" if there is not None else "it is not installed"
    wanted = f"{name} {specifier}".strip().replace("==", "")
    message = f"torch.compile of {context.named('torch')} needs {wanted or 'triton'} for a GPU, and {installed}"
    yield context.finding(
        "TL233",
        "warning",
        message,
        "torch",
        name or "triton",
        expected_error=first.text,
        strength=Strength.RAN,
    )


def required(context: CheckContext) -> tuple[str, str]:
    """The package with triton that torch's metadata requires here, and which release; "" for none."""
    record, target = context.record("torch"), context.target
    for each in dependencies_of(record) if record is not None and target is not None else ():
        if each.name in _NAMES and target is not None and target.holds(each.marker):
            return each.name, each.specifier
    return ("triton-windows", "") if target is not None and target.platform.system == "windows" else ("triton", "")
