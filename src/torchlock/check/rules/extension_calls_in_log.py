"""TL709: a call of a function of an extension module with more or fewer arguments than it takes, as a log shows.

pybind11 prints the arguments that a function takes; the line of the traceback before has those that it got. Only
their number is compared: a wrong type may be a mistake in any program.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_REFUSED = re.compile(r"(?P<name>\w{1,80})\(\): incompatible function arguments")
_TAKEN = re.compile(r"\b\d{1,2}\. \((?P<all>[^()]{0,2000})\) ?-> ")
# The lines that have the signatures, and those before the error that have the call.
_AFTER, _BEFORE = 40, 4
_LONGEST = 2000
# The mark and the number of the line that failed, as IPython and rich print it.
_MARK = re.compile(r"^\s{0,40}(?:[│|] ?)?(?:-{2,8}>|❱) ?\d{1,7} ")


@rule("TL709", on="unexplained")
def other_number(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A call whose number of arguments no form of the function takes."""
    first = log.first
    refused = _REFUSED.search(first.text) if first is not None else None
    if first is None or refused is None:
        return
    lines = log.text.split("\n")
    after = " ".join(lines[first.line : first.line + _AFTER]).partition("Invoked with")[0]
    taken = [_numbers(match["all"]) for match in _TAKEN.finditer(after)]
    before = lines[max(0, first.line - 1 - _BEFORE) : first.line - 1]
    call = next(filter(None, (_call(line, refused["name"]) for line in reversed(before))), None)
    if call is None or not taken or any(least <= call[1] <= most for least, most in taken):
        return
    module, given = call
    forms = [f"{least}" if least == most else f"{least} to {most}" for least, most in taken]
    numbers = " or ".join(dict.fromkeys(forms))
    yield context.finding(
        "TL709",
        "warning",
        f"{module} in the log does not fit the code that calls it: {refused['name']}() takes {numbers} arguments, "
        f"and the code gives {given}",
        because="the message lists what the function takes, and the line of the call is before it",
        expected_error=first.text,
        remedy=Remedy(
            f"Install the project that contains {module} in the release for which the calling package was written "
            "(its requirements of that time name it), or a later release of the calling package."
        ),
        sources=(),
        strength=Strength.RAN,
    )


def _numbers(arguments: str) -> tuple[int, int]:
    """How many arguments a signature requires, and how many it takes."""
    depth, parts = 0, [""]
    for character in arguments:
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    named = [each for each in parts if each.strip()]
    return sum(" = " not in each for each in named), len(named)


def _call(line: str, name: str) -> tuple[str, int] | None:
    """The module of a function in a line of code, and how many arguments it gets; None without such a call."""
    if f".{name}(" not in line or len(line) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(_MARK.sub("", line).strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    calls = (each for each in ast.walk(tree) if isinstance(each, ast.Call))
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == name:
            is_plain = not call.keywords and not any(isinstance(each, ast.Starred) for each in call.args)
            owner = call.func.value
            return (owner.id, len(call.args)) if is_plain and isinstance(owner, ast.Name) else None
    return None
