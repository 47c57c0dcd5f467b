"""Remedies for requirements of installed packages that are not met (TL609)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.bounds import asked_range
from torchlock.check.fix.commands import add
from torchlock.check.fix.fitting import fitting
from torchlock.check.fix.plan import Plan
from torchlock.finding import Remedy
from torchlock.knowledge.stack import FAMILY, STACK

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding


def of_stack(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    """Releases that work together, for a requirement on a member of the stack.

    Any torch works with what is not compiled against it, so that this alone is installed.
    """
    if plan is not None and lacks_one_of_the_stack(context, finding):
        asked = finding.packages[1][0]
        is_alone = asked not in FAMILY and asked in plan.versions
        return fitting(context, Plan({asked: plan.versions[asked]}) if is_alone else plan)
    return fitting(context, plan) if plan is not None and pins_another(context, finding) else None


def required(context: CheckContext, finding: Finding) -> Remedy | None:
    """Install the required package. In the stack, another version may break another requirement."""
    asking, asked = finding.package, finding.packages[1][0]
    if asked in STACK:
        return Remedy(f"Use a release of {asking} that works with {asked} {finding.packages[1][1]}.")
    record = context.installed.get(asking)
    specifier = asked_range(context, record, asked) if record else ""
    version = specifier.removeprefix("==") if specifier.startswith("==") and "," not in specifier else ""
    line = f"{asked}=={version}" if version else f"{asked}{specifier}"
    return Remedy(f"Install {line}.", commands=add(context, asked, line.removeprefix(asked)))


def lacks_one_of_the_stack(context: CheckContext, finding: Finding) -> bool:
    """Whether a package requires a member of the stack that is not installed."""
    return (
        finding.rule == "TL609" and finding.packages[1][0] in STACK and finding.packages[1][0] not in context.pins
    )


def pins_another(context: CheckContext, finding: Finding) -> bool:
    """Whether the metadata of a member of the torch family requires another release of an installed member."""
    names = {name for name, _ in finding.packages}
    return finding.rule == "TL609" and len(names) == 2 and names <= FAMILY & set(context.pins)
