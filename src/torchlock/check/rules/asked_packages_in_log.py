"""TL609: a package that another one asks for by name when it is used, and that is not installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.lacking_names import owner_of
from torchlock.check.tracebacks import last_caller
from torchlock.finding import Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_NAMES = "|".join(sorted((*STACK, "av", "pyav"), key=len, reverse=True))
_ASKED = re.compile(
    rf"(?:please|need to|must|have to) (?:pip )?install ['\"`]?(?P<asked>{_NAMES})(?![\w-])"
    rf"|\b(?P<lost>{_NAMES}) is not installed,? and is (?:necessary|required)"
    rf"|requires the (?P<library>{_NAMES}) library but it was not found",
    re.IGNORECASE,
)
# torchvision keeps the error of the import of PyAV instead of the module.
_KEPT = re.compile(r"'ImportError' object has no attribute 'open'")
_PROJECTS = {"pyav": "av"}


@rule("TL609", on="log")
def asked(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The package that the first failure of a log asks for, if the files do not have it."""
    first = log.first
    if first is None or "TL609" not in first.rules:
        return
    name = _asked(first.text)
    owner = owner_of(context, last_caller(log.text, first.line, name)) if name else ""
    if (
        not owner
        or owner == name
        or context.installed.get(name) is not None
        or context.environment.has_module(name)
    ):
        return
    if any({owner, name} <= set(dict(each.packages)) for each in found if each.severity != "note"):
        return
    yield context.finding(
        "TL609",
        severity_of(fails=False),
        f"{context.named(owner)} needs {name} for what the log shows, and {name} is not installed",
        owner,
        name,
        because="a package need not require what only some of its functions use",
        expected_error=first.text,
        strength=Strength.RAN,
    )


def _asked(text: str) -> str:
    """The project that a line asks for; "" for none."""
    match = _ASKED.search(text)
    name = next(filter(None, match.groups()), "").lower() if match is not None else ""
    if not name and _KEPT.search(text):
        name = "av"
    return _PROJECTS.get(name, name)
