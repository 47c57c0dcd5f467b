"""The remedy if two packages do not work together and one of them is outside the stack (TL106, TL107).

No release of torch fixes this. The bound on the other package comes first: the code that uses both stays as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check import known_wheels as wheels
from torchlock.check.fix.bounds import is_satisfiable, opposed, within_bounds
from torchlock.check.fix.commands import add
from torchlock.check.fix.dependents import is_broken, later_release, upgraded
from torchlock.finding import Remedy
from torchlock.knowledge.registry import fixed_by
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check import CheckContext
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Statement


def other_release(context: CheckContext, finding: Finding) -> Remedy | None:
    """A release of the second package that the first one works with, else a later release of the first."""
    if len(finding.packages) < 2 or context.target is None:
        return None
    (name, _), (other, _) = finding.packages[:2]
    statement = next((each for each in _broken(context, name, other) if each.rule == finding.rule), None)
    if statement is None:
        return None
    wanted, later = _wanted(context, statement, other), later_release(context, name, statement)
    if later is not None and not has_release(context, name, f">={later}"):
        later = None
    allowed = within_bounds(context, other, wanted)
    if allowed is not None and has_release(context, other, allowed):
        instead = f", or {name} {later} or later" if later is not None else ""
        return Remedy(f"Install {other}{allowed}{instead}.", commands=add(context, other, allowed))
    if later is not None and (remedy := upgraded(context, name, later)) is not None:
        return remedy
    return Remedy(
        f"Use a later release of {name}: this one needs {other}{wanted}, and {obstacle(context, other, wanted)}."
    )


def has_release(context: CheckContext, name: str, specifier: str) -> bool:
    """Whether a release that satisfies a specifier has a wheel here; True also for a package without a list."""
    if context.target is None or not wheels.public_tags(name):
        return True
    return any(specifier_set(specifier).contains(each) for each in wheels.releases_with(name, "", context.target))


def _broken(context: CheckContext, name: str, other: str) -> Iterator[Statement]:
    """The statements about an installed package that the installed release of another one violates."""
    pin = context.pins.get(name)
    if pin is None or pin.unversioned or context.target is None:
        return
    for each in context.matrix.statements_for(pin, context.target):
        if any(item.name == other for item in (*each.forbids, *each.needs)) and is_broken(context, each):
            yield each


def _wanted(context: CheckContext, statement: Statement, other: str) -> str:
    """The releases of the other package that all installed packages work with, as far as there are any."""
    own = bound_of(statement, other)
    every = [
        bound_of(each, other) for name in context.pins for each in _broken(context, name, other) if _is_alike(each)
    ]
    joined = ",".join(dict.fromkeys([own, *every]))
    return joined if is_satisfiable(joined) and has_release(context, other, joined) else own


def _is_alike(statement: Statement) -> bool:
    return statement.rule in fixed_by("partner") | {"TL105", "TL703"}


def bound_of(statement: Statement, other: str) -> str:
    """The releases of another package that a statement allows, as a specifier."""
    parts = [each.specifier for each in statement.needs if each.name == other]
    for each in statement.forbids:
        start = re.fullmatch(r"(>=|==)(\d[\w.*]*)", each.specifier) if each.name == other else None
        if start is not None:
            parts.append(f"{'<' if start[1] == '>=' else '!='}{start[2]}")
    return ",".join(filter(None, parts))


def obstacle(context: CheckContext, other: str, wanted: str) -> str:
    """Why no release of another package within a specifier can be installed here."""
    against = opposed(context, other, wanted)
    if against is not None:
        return f"{against[0]} needs {other}{against[1]}"
    python = context.target.python if context.target else ""
    return f"{other}{wanted} has no wheel for Python {python}"
