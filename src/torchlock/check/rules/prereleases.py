"""TL903: nightlies and other pre-releases, to which rules on versions do not apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.check.rules.versions import path_of
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.judge import violations
from torchlock.knowledge.registry import group, rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CORE, FAMILY, MEMBERS, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Statement

# Nightlies of this release and of later ones are built for NumPy 2.
_FOR_NUMPY_2 = Version("2.5.0.dev20240701")


@rule("TL903")
def prereleases(context: CheckContext) -> Iterator[Finding]:
    """TL903: nightlies and other pre-releases, to which rules on versions do not apply."""
    if names := [name for name in without_rules(context) if name not in _refused(context)]:
        early = [context.named(name) for name in names]
        verb = "is a pre-release" if len(early) == 1 else "are pre-releases"
        message = f"{' and '.join(early)} {verb}: no rule says which releases work with {_them(early)}"
        yield context.finding("TL903", "note", message, *names, path=path_of(context, names[0]))
    refused = {each.package for each in context.attempts if each.role == "import" and not each.outcome.loads}
    for name in sorted(name for name in FAMILY - {"torch"} - refused if name in context.pins):
        if (why := unpaired(context, name)) is not None:
            yield context.finding(
                "TL903",
                "note",
                f"it is unknown whether {context.named(name)} works with {context.named('torch')}: {why.because}",
                name,
                "torch",
                path=path_of(context, name),
                remedy=Remedy(
                    f"Install the {name} that was built together with this torch, from where torch came."
                ),
            )


@rule("TL101", "TL102", "TL103")
def refused_beside(context: CheckContext) -> Iterator[Finding]:
    """A companion that uses what torch does not have, and is of another release: their versions say so at once."""
    for name, statement in _refused(context).items():
        mine, torch = (context.pins[each].version.base_version for each in (name, "torch"))
        yield context.finding(
            statement.rule,
            severity_of(fails=name in CORE),
            f"{context.named(name)} is of the release {mine}, and {context.named('torch')} of {torch}: they do "
            "not load together",
            name,
            "torch",
            path=path_of(context, name),
            because="it is compiled against one series of torch; a pre-release counts as the release that it "
            "leads to, and the missing symbols confirm it",
        )


def _refused(context: CheckContext) -> dict[str, Statement]:
    """The companions that lack symbols of torch, and what forbids their releases beside it."""
    lacking = {each.package for each in context.attempts if each.role == "import" and each.outcome.undefined}
    names = [name for name in sorted((FAMILY - {"torch"}) & lacking) if {name, "torch"} <= context.pins.keys()]
    # The label of a build from source names its source.
    return {name: found for name in names if _is_labelled(context, name) and (found := _broken(context, name))}


def _is_labelled(context: CheckContext, name: str) -> bool:
    """Whether labels say for what a companion and torch are built."""
    return all(parse_label(context.pins[each].version.local or "") is not None for each in (name, "torch"))


def unpaired(context: CheckContext, name: str) -> Unknown | None:
    """Why it is unknown whether a companion and torch, one of them a pre-release, work together; else None.

    Their releases do not belong together, and their labels name two builds.
    """
    if _broken(context, name) is None:
        return None
    return Unknown(
        "it belongs to another release of torch, and both are of different builds; no rule is about these"
    )


def _broken(context: CheckContext, name: str) -> Statement | None:
    """What forbids the two releases, by their numbers without the end of a pre-release; None if nothing does."""
    torch, mine, target = context.pins.get("torch"), context.pins.get(name), context.target
    if torch is None or mine is None or target is None or name not in FAMILY or not MEMBERS[name].labels:
        return None
    pair = {each.name: each for each in (torch, mine) if not each.unversioned}
    early = [each for each in pair.values() if each.version.is_prerelease]
    labels = {each.version.local for each in pair.values()}
    if len(pair) < 2 or not early or len(labels - {None}) < 2 or all(each.version.is_devrelease for each in early):
        return None
    trains = {each: pin._replace(version=Version(pin.version.base_version)) for each, pin in pair.items()}
    for each in violations(trains, target, context.matrix, complete=False):
        if each.statement is not None and each.statement.rule in group("versions"):
            return each.statement
    return None


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def has_later_numpy(context: CheckContext) -> bool:
    """Whether NumPy 2 is beside a nightly of torch that may be built for NumPy 1."""
    torch, numpy = context.pins.get("torch"), context.pins.get("numpy")
    if torch is None or numpy is None or torch.unversioned or numpy.unversioned:
        return False
    is_early = torch.version.is_devrelease and torch.version < _FOR_NUMPY_2
    return is_early and numpy.version.major >= 2


def without_rules(context: CheckContext) -> list[str]:
    """The pre-releases of the torch family, if torch and another member are installed."""
    mine = [name for name in STACK if name in FAMILY and name in context.pins]
    early = [
        name for name in mine if not context.pins[name].unversioned and context.pins[name].version.is_prerelease
    ]
    return early if "torch" in mine and len(mine) > 1 else []
