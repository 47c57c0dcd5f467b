"""From findings to a verdict: root causes first, each with its consequences; one sentence and one command.

Of two equally bad root causes, the one with stronger evidence comes first. If a consequence confirms a weaker one,
as an undefined symbol confirms a rule, the cause gets the consequence's strength.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlock.finding import SEVERITIES, Strength
from torchlock.knowledge import registry
from torchlock.knowledge.stack import CORE
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.finding import Command, Finding

# Symbols of torch that exist only in builds for one kind of accelerator.
_OF_ONE_BUILD = pattern(r"cuda|cudnn|cublas|nccl|hip|xpu", re.IGNORECASE)


@dataclass(slots=True)
class Verdict:
    """The result of a check.

    ``sentence`` says what is wrong, or that nothing is. ``commands`` are variants of the command that fixes it;
    show the first one. ``findings`` have the root causes first. ``is_open``: nothing was found, and either a log
    shows a failure that is not explained, or the environment has nothing that was examined.
    """

    sentence: str
    commands: tuple[Command, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    is_open: bool = False


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The root causes, the worst first, each with its consequences."""
    found = list(findings)
    ordered = sorted(found, key=lambda finding: _rank(finding, found))
    roots: list[Finding] = []
    hung: defaultdict[int, list[Finding]] = defaultdict(list)
    for finding in ordered:
        # The consequence of a consequence has the same root cause.
        causes = (root for root in roots for each in (root, *hung[id(root)]) if explains(each, finding))
        cause = next(causes, None)
        if cause is None:
            roots.append(finding)
        elif (cause.rule, cause.path) != (finding.rule, finding.path):  # Otherwise the cause says it.
            hung[id(cause)].append(finding)
    for root in roots:
        root.consequences = (*root.consequences, *hung[id(root)])
    return roots


def strength_of(finding: Finding, found: Iterable[Finding]) -> Strength:
    """The strength of a finding and of its consequences, the strongest of them."""
    borne_out = (each for each in found if each is not finding and explains(finding, each))
    return max([finding.strength, *(each.strength for each in (*finding.consequences, *borne_out))])


def _rank(finding: Finding, found: Iterable[Finding]) -> tuple[int, int, bool, int]:
    """Errors first; torch and torchaudio before others; shown faults before rules; causes first."""
    vital = 0 if any(name in CORE for name, _ in finding.packages[:1]) or not finding.packages else 1
    is_bare = strength_of(finding, found) < Strength.SHOWN
    return SEVERITIES.index(finding.severity), vital, is_bare, registry.get(finding.rule).rank


def explains(cause: Finding, effect: Finding) -> bool:
    """Whether a finding is a consequence of another: its rule allows it, it is not worse, they share packages."""
    if effect.rule not in registry.get(cause.rule).explains or "note" in (cause.severity, effect.severity):
        return False
    if SEVERITIES.index(cause.severity) > SEVERITIES.index(effect.severity):
        return False
    causing = {name for name, _ in cause.packages}
    suffering = [name for name, _ in effect.packages]
    loading, installs = registry.group("loading"), registry.group("damage", "absence")
    if effect.rule in loading and "torch" in causing and cause.rule in installs | {"TL606"}:
        return True
    if effect.rule in registry.group("absence"):
        return bool(causing & set(suffering))
    if effect.rule in loading or effect.rule in installs:
        return _explains_loading(cause, effect, causing, suffering)
    if effect.rule == "TL609":
        is_absent = cause.rule in registry.group("absence") and suffering[-1] in causing
        return is_absent or set(suffering) <= causing
    return bool(causing & set(suffering))


def _explains_loading(cause: Finding, effect: Finding, causing: set[str], suffering: list[str]) -> bool:
    """Whether a cause about these packages explains a missing library or symbol of one of them, or its damage."""
    if cause.rule in registry.group("versions", "builds") and cause.packages[0][0] != "torch":
        causing = causing - {"torch"}  # The build of a companion does not explain what torch itself lacks.
    is_of_build = cause.rule in registry.group("builds") and effect.rule == "TL611" and effect.lacks
    if is_of_build and not any(_OF_ONE_BUILD.search(each) for each in effect.lacks):
        return False  # Every build of torch has these symbols.
    return bool(suffering) and suffering[0] in causing


def verdict(findings: Sequence[Finding], healthy: str, *, is_open: bool = False) -> Verdict:
    """The sentence and the command of the first root cause; ``healthy`` is the sentence if nothing is wrong."""
    bad = [finding for finding in findings if finding.severity != "note"]
    if not bad:
        return Verdict(healthy, (), list(findings), is_open)
    first = bad[0]
    commands = first.remedy.commands if first.remedy else ()
    return Verdict(sentence_of(first), commands, list(findings))


def sentence_of(finding: Finding) -> str:
    """The message of a finding, and the first missing library or symbol that shows it."""
    shown = next((effect for effect in finding.consequences if effect.rule in ("TL610", "TL611")), None)
    return f"{finding.message} ({shown.message})" if shown else finding.message
