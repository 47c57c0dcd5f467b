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
from torchlock.knowledge import registry
from torchlock.knowledge.stack import CORE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.finding import Command, Finding

# Symbols of torch that only builds for one kind of accelerator have.
_OF_ONE_BUILD = re.compile(r"cuda|cudnn|cublas|nccl|hip|xpu", re.IGNORECASE)


@dataclass(slots=True)
class Verdict:
    """What a check comes to.

    ``sentence`` says what is wrong, or that nothing is; ``commands`` are the ways to spell the one command
    that fixes it; the first is the one to show; ``findings`` have the root causes first.
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
    is_bare = strength_of(finding, found) < Strength.SHOWN
    return SEVERITIES.index(finding.severity), vital, is_bare, registry.get(finding.rule).rank


def _explains(cause: Finding, effect: Finding) -> bool:
    """Whether a finding is a consequence of another: its rule may be, it is no worse, and they share packages."""
    if effect.rule not in registry.get(cause.rule).explains or "note" in (cause.severity, effect.severity):
        return False
    if SEVERITIES.index(cause.severity) > SEVERITIES.index(effect.severity):
        return False
    causing = {name for name, _ in cause.packages}
    suffering = [name for name, _ in effect.packages]
    loading, installs = registry.group("loading"), registry.group("damage", "absence")
    if effect.rule in loading and "torch" in causing and cause.rule in installs | {"TL606"}:
        return True
    if effect.rule in loading or effect.rule in installs:
        return _explains_loading(cause, effect, causing, suffering)
    if effect.rule == "TL609":
        return set(suffering) <= causing
    return bool(causing & set(suffering))


def _explains_loading(cause: Finding, effect: Finding, causing: set[str], suffering: list[str]) -> bool:
    """Whether a cause about these packages explains what one of them lacks, or the damage in it."""
    if cause.rule in registry.group("versions", "builds") and cause.packages[0][0] != "torch":
        causing = causing - {"torch"}  # The build of a companion does not explain what torch lacks.
    is_of_build = cause.rule in registry.group("builds") and effect.rule == "TL611" and effect.lacks
    if is_of_build and not any(_OF_ONE_BUILD.search(each) for each in effect.lacks):
        return False  # Every build of torch has these symbols.
    return bool(suffering) and suffering[0] in causing


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
