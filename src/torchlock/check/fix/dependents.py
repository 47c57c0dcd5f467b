"""The remedy if a package and the stack do not work together: a later release of it, or an earlier stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.fix.bounds import below_next_major, opposed, within_bounds
from torchlock.check.fix.commands import add, install
from torchlock.check.fix.missing_names import release_with
from torchlock.check.fix.plan import planned
from torchlock.finding import Remedy
from torchlock.knowledge.judge import NamedVersion
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY, STACK

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Statement

_FURTHER = 5
# All releases before one: the other package is too old.
_OLDER = re.compile(r"<(\d[\w.]*)")


def compatible_release(context: CheckContext, finding: Finding) -> Remedy | None:
    """A release that works with the other package; None if none is known.

    It is a later release of the package outside the stack. But if the import fails and the later release has
    another major version, an earlier stack comes first.
    """
    if finding.lacks:
        return release_with(context, finding)
    (name, _), (other, _) = finding.packages[:2]
    if context.target is None or context.pins[name].unversioned:
        return None
    statement = next(filter(None, (_of(each, finding.rule, other) for each in _statements(context, name))), None)
    if statement is None:
        return Remedy(f"Use a later release of {name}, or an earlier one of {other}.")
    if (newer := _newer(context, statement, other)) is not None:
        return newer
    if name in STACK:
        later, theirs = _end(statement.forbids[0].specifier), other
    else:
        later, theirs = later_release(context, name, statement), name
    if later is not None and (statement.effect == "use" or later.major == context.pins[theirs].version.major):
        return upgraded(context, theirs, later) or _other_side(context, statement, other, theirs, later)
    start = next(each.specifier for each in statement.forbids if each.name == other)
    if (earlier := _earlier(context, other, start)) is not None or later is None:
        return earlier or _below(context, other, start)
    return upgraded(context, theirs, later) or _other_side(context, statement, other, theirs, later)


def _statements(context: CheckContext, name: str, version: Version | None = None) -> list[Statement]:
    """The statements about a package, at its installed version or another one."""
    pin = context.pins[name] if version is None else NamedVersion(name, version)
    return list(context.matrix.statements_for(pin, context.target)) if context.target else []


def _of(statement: Statement, rule: str, other: str) -> Statement | None:
    return statement if statement.rule == rule and any(each.name == other for each in statement.forbids) else None


def _end(specifier: str) -> Version | None:
    """The first version after a range; None if the range has no end."""
    found = re.search(r"<(\d[\w.]*)", specifier)
    return Version(found[1]) if found else None


def later_release(context: CheckContext, name: str, statement: Statement) -> Version | None:
    """The first release of a package without a statement against an installed package."""
    version = _end(statement.when.specifier)
    for _ in range(_FURTHER):
        if version is None:
            return None
        against = [each for each in _statements(context, name, version) if is_broken(context, each)]
        if not against:
            return version
        version = _end(against[0].when.specifier)
    return None


def is_broken(context: CheckContext, statement: Statement) -> bool:
    """Whether an installed package violates a statement."""
    pairs = [(each, True) for each in statement.forbids] + [(each, False) for each in statement.needs]
    return any(
        each.name in context.pins
        and not context.pins[each.name].unversioned
        and specifier_set(each.specifier).contains(context.pins[each.name].version) is forbidden
        for each, forbidden in pairs
    )


def upgraded(context: CheckContext, name: str, version: Version) -> Remedy | None:
    """A later release within its major, because the next one may replace torch; None if a package excludes it."""
    allowed = within_bounds(context, name, below_next_major(version))
    if allowed is None:
        return None
    moved = _moved(context, name, allowed)
    return Remedy(f"Install {name} {version} or later{moved}.", commands=add(context, name, allowed))


def _moved(context: CheckContext, name: str, allowed: str) -> str:
    """What the newest of these releases requires of the torch family in another release than the installed one."""
    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.knowledge.declared import Declarations
    from torchlock.knowledge.releases import Catalogue

    newest = next(iter(Declarations(Catalogue(), CompatibilityTable()).allowed(name, allowed)), None)
    asked = [each for other in sorted(FAMILY) for _, each in (newest.by_name.get(other, ()) if newest else ())]
    held = [each for each in asked if context.target is not None and context.target.holds(each.marker)]
    strange = [each for each in held if _excludes(context, each.name, each.specifier)]
    if newest is None or not strange:
        return ""
    wanted = ", ".join(dict.fromkeys(f"{each.name}{each.specifier}" for each in strange))
    return f"; {name} {newest.version} requires {wanted}, so the installer replaces what is here"


def _excludes(context: CheckContext, name: str, specifier: str) -> bool:
    pin = context.pins.get(name)
    return pin is not None and not pin.unversioned and not specifier_set(specifier).contains(pin.version.public)


def _other_side(context: CheckContext, statement: Statement, other: str, name: str, version: Version) -> Remedy:
    """If an installed package excludes the later release: an earlier release of the other one, else words."""
    start = next((each.specifier for each in statement.forbids if each.name == other), "")
    if (below := _below(context, other, start)) is not None:
        return below
    against = opposed(context, name, below_next_major(version))
    said = f"{against[0]} requires {name}{against[1]}" if against else "other installed packages exclude it"
    side, start = (other, start) if other != name else (statement.when.name, statement.when.specifier)
    works = f"{name} {version} or later works with this {side}, but {said}"
    return _earlier(context, side, start, works) or Remedy(f"Use an earlier {side}: {works}.")


def _newer(context: CheckContext, statement: Statement, name: str) -> Remedy | None:
    """A release of a package outside of the stack after those that a statement forbids as too old."""
    end = next((_OLDER.fullmatch(each.specifier) for each in statement.forbids if each.name == name), None)
    allowed = within_bounds(context, name, f">={end[1]}") if end is not None and name not in STACK else None
    return None if allowed is None else Remedy(f"Install {name}{allowed}.", commands=add(context, name, allowed))


def _below(context: CheckContext, name: str, start: str) -> Remedy | None:
    """A release of a package outside of torch's family before those that begin with ``start``."""
    first = re.fullmatch(r">=(\d[\w.]*)", start)
    allowed = within_bounds(context, name, f"<{first[1]}") if first and name not in FAMILY else None
    return None if allowed is None else Remedy(f"Install {name}{allowed}.", commands=add(context, name, allowed))


def _earlier(context: CheckContext, name: str, start: str, works: str = "") -> Remedy | None:
    """An earlier stack, before the releases that begin with ``start``; ``works`` says what else would do."""
    first = re.fullmatch(r">=(\d[\w.]*)", start)
    plan = planned(context, asked=[f"{name}<{first[1]}"]) if first and name in STACK else None
    if plan is None:
        return None
    steps = ", ".join(f"{each} {version}" for each, version in plan.versions.items())
    why = f": {works}" if works else ", which still have it"
    return Remedy(f"Install {steps}{why}.", commands=install(context, plan))
