"""From findings to a verdict: the root cause first, its consequences under it, one sentence and one command.

Of two roots as bad as each other the one that rests on stronger evidence comes first. What bears out a weaker one,
as an undefined symbol confirms a rule, gives the rule its own strength.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlock.finding import SEVERITIES, Strength
from torchlock.knowledge.stack import CORE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.finding import Command, Finding

# From what causes to what is caused. Of two findings about the same packages the earlier is the root.
_ORDER = (
    "TL615",
    "TL108",
    "TL606",
    "TL604",
    "TL607",
    "TL601",
    "TL605",
    "TL602",
    "TL608",
    "TL401",
    "TL612",
    "TL403",
    "TL107",
    "TL101",
    "TL103",
    "TL104",
    "TL102",
    "TL105",
    "TL106",
    "TL201",
    "TL203",
    "TL202",
    "TL613",
    "TL610",
    "TL611",
    "TL609",
    "TL614",
)
_VERSIONS = frozenset({"TL101", "TL102", "TL103", "TL104", "TL105", "TL106", "TL107"})
_BUILDS = frozenset({"TL201", "TL202", "TL203"})
_LOADING = frozenset({"TL610", "TL611", "TL614"})
_INSTALLS = frozenset({"TL601", "TL602", "TL604", "TL605", "TL607", "TL608", "TL615", "TL108"})
# Symbols of torch that only builds for one kind of accelerator have.
_OF_ONE_BUILD = re.compile(r"cuda|cudnn|cublas|nccl|hip|xpu", re.IGNORECASE)
# Which rules a root cause explains, where the two share a package.
_EXPLAINS: dict[str, frozenset[str]] = {
    "TL606": _VERSIONS | _BUILDS | _LOADING | _INSTALLS | {"TL609"},
    "TL612": _LOADING,
    "TL613": _LOADING,
    "TL610": frozenset({"TL614", "TL611"}),
    "TL611": frozenset({"TL614"}),
    "TL609": frozenset({"TL614"}),
    **{rule: _INSTALLS | _LOADING | {"TL609", "TL301"} for rule in _INSTALLS},
    **{rule: _LOADING | _BUILDS | {"TL609"} for rule in _VERSIONS},
    **{rule: _LOADING | _BUILDS | {"TL609"} for rule in _BUILDS},
}


@dataclass(slots=True)
class Verdict:
    """What a check comes to.

    ``sentence`` says what is wrong, or that nothing is; ``commands`` are the ways to spell the one command
    that mends it, the first being the one to show; ``findings`` have the root causes first.
    """

    sentence: str
    commands: tuple[Command, ...] = ()
    findings: list[Finding] = field(default_factory=list)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Root causes from bad to harmless, each with its consequences in it."""
    found = list(findings)
    ordered = sorted(found, key=lambda finding: _rank(finding, found))
    roots: list[Finding] = []
    hung: defaultdict[int, list[Finding]] = defaultdict(list)
    for finding in ordered:
        # What a consequence brings with it is one of the same root.
        causes = (root for root in roots for each in (root, *hung[id(root)]) if _explains(each, finding))
        cause = next(causes, None)
        if cause is None:
            roots.append(finding)
        else:
            hung[id(cause)].append(finding)
    for root in roots:
        root.consequences = (*root.consequences, *hung[id(root)])
    return roots


def strength_of(finding: Finding, found: Iterable[Finding]) -> Strength:
    """What a finding rests on, with what bears it out: its own effects among those found, or hung below it."""
    borne_out = (each for each in found if each is not finding and _explains(finding, each))
    return max([finding.strength, *(each.strength for each in (*finding.consequences, *borne_out))])


def _rank(finding: Finding, found: Iterable[Finding]) -> tuple[int, int, bool, int]:
    """Errors first; what is the matter with torch and torchaudio before what is with others; what was shown before
    what a rule says; causes first."""
    vital = 0 if any(name in CORE for name, _ in finding.packages[:1]) or not finding.packages else 1
    order = _ORDER.index(finding.rule) if finding.rule in _ORDER else len(_ORDER)
    is_bare = strength_of(finding, found) < Strength.SHOWN
    return SEVERITIES.index(finding.severity), vital, is_bare, order


def _explains(cause: Finding, effect: Finding) -> bool:
    if effect.rule not in _EXPLAINS.get(cause.rule, ()) or "note" in (cause.severity, effect.severity):
        return False
    if SEVERITIES.index(cause.severity) > SEVERITIES.index(effect.severity):
        return False
    causing = {name for name, _ in cause.packages}
    suffering = [name for name, _ in effect.packages]
    if effect.rule in _LOADING and "torch" in causing and cause.rule in _INSTALLS | {"TL606"}:
        return True
    if effect.rule in _LOADING or effect.rule in _INSTALLS:
        # What a companion was built for explains nothing that torch itself lacks.
        if cause.rule in _VERSIONS | _BUILDS and cause.packages[0][0] != "torch":
            causing.discard("torch")
        # Nor does a build for another CUDA explain symbols that every build of torch has.
        if cause.rule in _BUILDS and effect.rule == "TL611" and effect.lacks:
            return suffering[0] in causing and any(_OF_ONE_BUILD.search(each) for each in effect.lacks)
        return bool(suffering) and suffering[0] in causing
    if effect.rule == "TL609":
        return set(suffering) <= causing
    return bool(causing & set(suffering))


def verdict(findings: Sequence[Finding], healthy: str) -> Verdict:
    """The sentence and the command of the first root cause; ``healthy`` is said where nothing is wrong."""
    bad = [finding for finding in findings if finding.severity != "note"]
    if not bad:
        return Verdict(healthy, (), list(findings))
    first = bad[0]
    commands = first.remedy.commands if first.remedy else ()
    return Verdict(sentence_of(first), commands, list(findings))


def sentence_of(finding: Finding) -> str:
    """What is wrong, and what shows it: the message, and the first thing that the loader misses."""
    shown = next((effect for effect in finding.consequences if effect.rule in ("TL610", "TL611")), None)
    return f"{finding.message} ({shown.message})" if shown else finding.message
