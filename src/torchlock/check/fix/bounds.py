"""The versions of a package that the rules and the other installed packages allow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.check.context import dependencies_of
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.inspect.distributions import Distribution


def within_bounds(context: CheckContext, name: str, wanted: str) -> str | None:
    """A specifier with the bounds that are kept now; None if no version satisfies all of them."""
    joined = ",".join(filter(None, [wanted, *(bound for _, bound in kept_bounds(context, name))]))
    return shortest(joined) if is_satisfiable(joined) else None


def despite_bounds(context: CheckContext, name: str, wanted: str) -> str:
    """A specifier with those of the bounds that are kept now which do not exclude it."""
    kept = wanted
    for _, bound in kept_bounds(context, name):
        kept = f"{kept},{bound}" if is_satisfiable(f"{kept},{bound}") else kept
    return shortest(kept)


def opposed(context: CheckContext, name: str, wanted: str) -> tuple[str, str] | None:
    """The first package whose bound excludes a specifier, and this bound; None if none does it alone."""
    return next((each for each in kept_bounds(context, name) if not is_satisfiable(f"{wanted},{each[1]}")), None)


def kept_bounds(context: CheckContext, name: str) -> list[tuple[str, str]]:
    """The bounds on a package that its installed version satisfies, each with the package that sets it."""
    pin = context.pins.get(name)
    if pin is None or pin.unversioned or context.target is None:
        return []
    bounds = [*_declared(context, name), *_of_rules(context, name)]
    return [each for each in bounds if specifier_set(each[1]).contains(pin.version)]


def asked_range(context: CheckContext, asking: Distribution, name: str) -> str:
    """The versions of a package that another one requires here, by all lines of its metadata; "" for any version.

    A release may require one package in several lines: numba 0.65.1 has ``numpy>=1.22`` and ``numpy<2.5,>=1.22``.
    """
    mine = (each for each in dependencies_of(asking) if each.name == name and each.specifier)
    held = [each.specifier for each in mine if context.target is None or context.target.holds(each.marker)]
    return shortest(",".join(held)) if held else ""


def _declared(context: CheckContext, name: str) -> Iterator[tuple[str, str]]:
    for distribution in context.installed.distributions:
        for each in dependencies_of(distribution):
            if each.name == name and each.specifier and context.target and context.target.holds(each.marker):
                yield distribution.name, each.specifier


def _of_rules(context: CheckContext, name: str) -> Iterator[tuple[str, str]]:
    for user, pin in context.pins.items():
        if pin.unversioned or context.target is None:
            continue
        for statement in context.matrix.statements_for(pin, context.target):
            for each in statement.forbids:
                start = re.fullmatch(r">=(\d[\w.]*)", each.specifier) if each.name == name else None
                if start and context.target.holds(each.marker):
                    yield user, f"<{start[1]}"


def is_satisfiable(specifier: str) -> bool:
    """Whether some version satisfies all parts: if any does, the end of a part does, or what comes next to it."""
    whole = specifier_set(specifier)
    ends = [each.version.removesuffix(".*") for each in whole if each.operator != "==="]
    finals = [Version(end).base_version for end in ("0", *ends)]
    return any(whole.contains(Version(each)) for end in finals for each in (end, f"{end}.0.0.1")) or any(
        whole.contains(Version(each)) for each in ends
    )


def shortest(specifier: str) -> str:
    """The same versions with one lower and one upper end."""
    parts = list(SpecifierSet(specifier))
    lower = [each for each in parts if each.operator in (">", ">=")]
    upper = [each for each in parts if each.operator in ("<", "<=")]
    ends = [
        *sorted(lower, key=lambda each: (Version(each.version), each.operator == ">"))[-1:],
        *sorted(upper, key=lambda each: (Version(each.version), each.operator == "<="))[:1],
    ]
    return ",".join([*map(str, ends), *sorted(str(each) for each in parts if each not in (*lower, *upper))])


def below_next_major(version: Version) -> str:
    """From a version on, within its major release."""
    return f">={version},<{version.major + 1}"
