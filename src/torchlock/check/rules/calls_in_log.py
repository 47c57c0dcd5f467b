"""TL709: calls of which a later release changed the arguments or the result, as a log shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.lacking_names import owner_of
from torchlock.check.log_alone import has_stack
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.tracebacks import last_caller
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.names import changed_calls
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import FAMILY, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import Frame
    from torchlock.finding import Finding
    from torchlock.knowledge.names import Changed


@rule("TL709", on="log")
def changed(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first failure of a log, if it is a call that changed before the installed release."""
    first = log.first
    if first is None or first.rules[0] != "TL709":
        return
    for row in changed_calls():
        if re.search(row.error, first.text) is None:
            continue
        caller = last_caller(log.text, first.line, row.package)
        pin = context.pins.get(row.package)
        fails = pin is not None and not pin.unversioned and _fails(row, pin.version)
        if fails and re.search(row.line, caller.code if caller is not None else ""):
            yield _finding(context, row, caller, first.text)
            return


@rule("TL709", on="unexplained")
def changed_in_some(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The same without the environment of the log: a call that only some releases accept."""
    first = log.first
    if first is None or "TL709" not in first.rules or has_stack(context):
        return
    for row in changed_calls():
        if re.search(row.error, first.text) is None:
            continue
        caller = last_caller(log.text, first.line, row.package)
        code = caller.code if caller is not None else ""
        if not row.line or re.search(row.line, code):
            yield _finding(context, row, caller, first.text)
            return


def _fails(row: Changed, version: Version) -> bool:
    """Whether a release refuses the call."""
    is_new = not row.since or version >= Version(row.since)
    return is_new and (not row.until or version < Version(row.until))


def _finding(context: CheckContext, row: Changed, caller: Frame | None, line: str) -> Finding:
    owner = owner_of(context, caller)
    return context.finding(
        "TL709",
        "warning",
        f"{who_calls(context, caller, owner)} {row.text}, {_when(row)}",
        *([owner] if owner and owner not in STACK else []),
        *([row.package] if row.package in context.pins else []),
        because=f"the line is: {caller.code}" if caller and caller.code else None,
        expected_error=line,
        remedy=Remedy(
            f"Change that line: {row.instead}. Or use {row.package}{_other(row)}.",
            commands=_commands(context, row),
        ),
        sources=row.sources,
        strength=Strength.RAN,
    )


def _commands(context: CheckContext, row: Changed) -> tuple[Command, ...]:
    """The command for the environment of a log; none for the torch family, whose releases belong together."""
    is_free = row.package not in context.pins and row.package not in FAMILY
    return (Command("pip", f'python -m pip install "{row.package}{_other(row)}"'),) if is_free else ()


def _when(row: Changed) -> str:
    if row.since:
        return f"which fails since {row.package} {row.since}"
    return f"which {row.package} before {row.until} refuses"


def _other(row: Changed) -> str:
    """The releases that accept the call, as a specifier."""
    return f"<{row.since}" if row.since else f">={row.until}"
