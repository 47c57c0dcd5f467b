"""TL406: code that needs a later Python than the one that runs it, as a log shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.lacking_names import owner_of
from torchlock.check.removed_modules import number
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.tracebacks import last_caller
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.python_changes import added, newer_code
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.knowledge.python_changes import Change

_NO_MODULE = re.compile(r"No module named ['\"]?(?P<module>[a-z][\w.]{0,60}\w)")
_NO_NAME = re.compile(
    r"module ['\"]?(?P<module>[a-z]\w{0,40})['\"]? has no attribute ['\"]?(?P<name>\w{1,60})"
    r"|cannot import name ['\"]?(?P<imported>\w{1,60})['\"]? from ['\"]?(?P<of>[a-z]\w{0,40})"
)
# Python shows the line of code above a syntax error, and marks the place below it.
_ABOVE = 4


@rule("TL406", on="log")
def later_python(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first failure of a log, if its Python does not have what the code uses."""
    first = log.first
    change = _change(log) if first is not None and first.rules[0] == "TL406" else None
    here = context.environment.interpreter.version or (log.pythons[0] if len(set(log.pythons)) == 1 else "")
    if first is None or change is None or (here and number(here) >= number(change.release)):
        return
    caller = last_caller(log.text, first.line, "python")
    owner = owner_of(context, caller)
    named = f"Python {'.'.join(here.split('.')[:2])}" if here else "its Python"
    yield context.finding(
        "TL406",
        "warning",
        f"{who_calls(context, caller, owner)} uses {change.what}, which Python has since {change.release}: "
        f"{named} does not have it",
        *([owner] if owner and owner not in STACK else []),
        because=f"the line is: {caller.code}" if caller is not None and caller.code else None,
        expected_error=first.text,
        sources=change.sources,
        remedy=Remedy(
            f"Run that code with Python {change.release} or later, and install its packages there (uv venv "
            f"--python {change.release}); or use a release of the code that was built for this Python."
        ),
        strength=Strength.RAN,
    )


def _change(log: Log) -> Change | None:
    """What the code of the first failure needs, and since when Python has it."""
    line = log.first.text if log.first is not None else ""
    if (match := _NO_MODULE.search(line)) is not None:
        return added(match["module"]) or added(match["module"].rpartition(".")[0])
    if (match := _NO_NAME.search(line)) is not None:
        return added(f"{match['module'] or match['of']}.{match['name'] or match['imported']}")
    return next(filter(None, (newer_code(line, code) for code in _code_above(log))), None)


def _code_above(log: Log) -> list[str]:
    """The lines of code above the error, without the marks of Python below them; the nearest first."""
    end = log.first.line - 1 if log.first is not None else 0
    lines = [each.lstrip("E|│ ").strip() for each in log.text.split("\n")[max(0, end - _ABOVE) : end]]
    return [
        each for each in reversed(lines) if each and not set(each) <= set("^~ ") and not each.startswith("File ")
    ]
