"""TL107: a part that a package left out because it found no pkg_resources, and that a log shows to be None."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add
from torchlock.check.log_alone import has_stack
from torchlock.check.tracebacks import endings
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_NONE = re.compile(r"TypeError: 'NoneType' object is not callable")
# What is called → the package that catches the failure of its import.
_CALLS = {re.compile(r"\bPerthImplicitWatermarker\("): "resemble-perth"}
_MODULE = "pkg_resources"
_RANGE = "<82"


@rule("TL107", on="log")
def left_out(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Confirm the finding of the rule; without one, the module must be missing here, or nothing be installed."""
    for text, frames in endings(log.text):
        if not _NONE.match(text):
            continue
        owner = next((name for call, name in _CALLS.items() if call.search(frames[-1].code)), "")
        if not owner:
            continue
        known = next((each for each in found if each.rule == "TL107" and owner in dict(each.packages)), None)
        if known is not None:
            known.expected_error, known.strength = text, Strength.RAN
        elif not has_stack(context):
            yield _finding(context, owner, f"{owner} in the log", text)
        elif context.installed.get(owner) is not None and not context.environment.has_module(_MODULE):
            yield _finding(context, owner, context.named(owner), text)
        return


def _finding(context: CheckContext, owner: str, named: str, text: str) -> Finding:
    is_here = has_stack(context)
    line = f'python -m pip install "setuptools{_RANGE}"'
    commands = add(context, "setuptools", _RANGE) if is_here else (Command("pip", line),)
    place = "" if is_here else " in the environment of the log"
    return context.finding(
        "TL107",
        severity_of(fails=False),
        f"{named} found no {_MODULE} when it was imported, and left out what the log calls",
        *([owner] if is_here else []),
        because="it catches the failure of that import; setuptools contains the module up to 81, and Python 3.12 "
        "and later do not install setuptools",
        expected_error=text,
        remedy=Remedy(f"Install a setuptools before 82{place}.", commands=commands),
        strength=Strength.RAN if is_here else Strength.MEASURED,
    )
