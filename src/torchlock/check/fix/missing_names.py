"""The remedy for a name that the installed release does not have: a release with it, or another line of code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.fix.fitting import fitting
from torchlock.check.fix.plan import planned
from torchlock.finding import Remedy
from torchlock.knowledge.names import history, instead_of, near, refused_calls, release_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.check.fix.plan import Plan
    from torchlock.finding import Finding

# How many releases are tried, the nearest first: each is a search of the solver.
_MOST = 4


def release_with(context: CheckContext, finding: Finding) -> Remedy:
    """The nearest releases that have the name, in the installed build, and what to write instead.

    The first of ``finding.lacks`` is the name, the others are what the code takes from it.
    """
    name = finding.lacks[0]
    instead = "; ".join(dict.fromkeys(filter(None, map(instead_of, finding.lacks[1:])))) or _instead(context, name)
    owner = next((each for each, _ in finding.packages if each not in STACK), "")
    change = f"use a release of {owner} that does not need it" if owner else _change(name, instead)
    plan = _nearest(context, name)
    if plan is not None:
        remedy = fitting(context, plan)
        words, _, doubt = remedy.summary.rstrip(".").partition("; ")
        doubt = f" ({doubt})" if doubt else ""
        remedy.summary = f"{words}, {_have(plan, name)}{doubt}; or {change}."
        return remedy
    return Remedy(f"{change[0].upper()}{change[1:]}{_releases(context, name)}.")


def _instead(context: CheckContext, name: str) -> str:
    """What to write instead of a name: what documents say, or the name that it is a slip for."""
    pin, known = context.pins.get(name.partition(".")[0]), history(name)
    if (instead := instead_of(name)) or pin is None or pin.unversioned or known is None or known.having:
        return instead
    meant = near(name, pin.version.public)
    return f"use {meant}, which has a name like it" if meant else ""


def _change(name: str, instead: str) -> str:
    return f"change that line: {instead}" if instead else f"change the line that uses {name}"


def _have(plan: Plan, name: str) -> str:
    """That the releases have the name, or accept the call that the installed release refuses."""
    is_call = any(refused == name for _, refused, _ in refused_calls())
    one, many = ("accepts", "accept") if is_call else ("has", "have")
    return f"which {many if len(plan.versions) > 1 else one} it"


def _nearest(context: CheckContext, name: str) -> Plan | None:
    """The plan for the nearest release with a name; None if none is known to work here."""
    package = name.partition(".")[0]
    pin, known = context.pins.get(package), history(name)
    if known is None or pin is None or pin.unversioned:
        return None
    here = Version(release_of(pin.version.public))
    earlier = [each for each in reversed(known.having) if Version(each) < here]
    later = [each for each in known.having if Version(each) > here]
    for release in (earlier or later)[:_MOST]:
        plan = planned(context, asked=[f"{package}=={release}.*"])
        if plan is not None:
            return plan
    return None


def _releases(context: CheckContext, name: str) -> str:
    """Which releases have a name, if none of them can be installed here."""
    known = history(name)
    package = name.partition(".")[0]
    if known is None:
        return f"; it is not known which release of {package} has it"
    if not known.having:
        return ""
    first, last = known.having[0], known.having[-1]
    span = f"{package} {first} to {last}" if first != last else f"{package} {first}"
    where = f" on Python {context.target.python}" if context.target else ""
    have = f"; {span} {'has' if first == last else 'have'} {name}"
    return f"{have}, but none of them is known to work{where} with what is installed"
