"""Remedies that install releases and builds of the stack that work together, and the plan that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.commands import install, uninstall
from torchlock.check.fix.fitting import fitting, for_more_devices, steps
from torchlock.check.fix.plan import Plan, planned
from torchlock.check.fix.reinstall import same
from torchlock.check.fix.release_pairs import COMPANIONS
from torchlock.check.fix.requirements import lacks_one_of_the_stack, pins_another
from torchlock.check.fix.system_libraries import is_library_of_the_machine
from torchlock.check.fix.torch_builds import is_of_conda
from torchlock.check.fix.vendor_builds import companion
from torchlock.check.other_copies import fitting_record
from torchlock.check.vendors import is_unpublished_build, is_vendors
from torchlock.finding import Remedy
from torchlock.knowledge.registry import fixed_by
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import STACK
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torchlock.check import CheckContext
    from torchlock.finding import Finding

# Findings about packages that are not installed.
_ABSENT = ("TL108", "TL305", "TL615")


def shared_plan(context: CheckContext, bad: Sequence[Finding]) -> Plan | None:
    """One plan for all damaged and conflicting packages, so that after its command the environment loads."""
    broken = [each for each in bad if each.rule in fixed_by("reinstall")]
    broken = [each for each in broken if not is_library_of_the_machine(context, each)]
    again = {name for finding in broken for name, _ in finding.packages if name in STACK}
    built_apart = {name for finding in filter(fits_by_version, bad) for name in _built_apart(context, finding)}
    lacking = {finding.packages[1][0] for finding in bad if lacks_one_of_the_stack(context, finding)}
    wanted = {name for finding in bad if finding.rule in _ABSENT for name, _ in finding.packages} | lacking
    if any(finding.rule == "TL615" for finding in bad):
        wanted.add("torch")
    is_versions = any(each.rule in fixed_by("versions") or pins_another(context, each) for each in bad)
    if not (lacking or again or is_versions):
        return None
    asked = [f"{name}=={each}" for name in sorted(again) if (each := fitting_record(context, name))]
    plan = planned(context, again | built_apart, wanted, asked) if asked else None
    plan = plan or planned(context, again | built_apart, wanted) or (same(context, again) if again else None)
    return plan or _of_public_index(context, again | built_apart, wanted)


def _of_public_index(context: CheckContext, broken: Collection[str], wanted: Collection[str]) -> Plan | None:
    """Instead of a CPU build for which no releases are known: those of the public index, for any device."""
    if context.accelerator is not None or context.label("torch") != "cpu" or is_of_conda(context):
        return None
    return planned(replace(context, accelerator="pypi"), broken, wanted)


def fits_by_version(finding: Finding) -> bool:
    """Whether two packages of the stack fit by their versions, and only their symbols show a conflict."""
    return finding.rule == "TL611" and finding.package in STACK


def _built_apart(context: CheckContext, finding: Finding) -> tuple[str, ...]:
    """The packages of which new builds are needed. A nightly companion is replaced; the release of torch stays."""
    name = finding.package
    pins = [context.pins.get(each) for each in ("torch", name)]
    is_early = [pin is not None and pin.version.is_prerelease for pin in pins]
    return (name,) if is_early == [False, True] else ("torch", name)


def together(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy:
    """The releases of the plan, or a sentence that says why there are none."""
    return fitting(context, plan) if plan is not None else nothing(context, finding)


def without_torchtext(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    """Remove a torchtext that has no release for this torch (TL104).

    Releases before 0.7 accept any torch, but do not have today's API.
    """
    version = plan.versions.get("torchtext") if plan is not None else None
    if version is None or not specifier_set("<0.7").contains(version):
        return None
    return Remedy(
        "Remove torchtext, which has no release for this torch and gets no new releases; or use torch 2.3.",
        commands=uninstall(context, ["torchtext"]),
    )


def of_vendors_torch(context: CheckContext, finding: Finding) -> Remedy | None:
    """A companion that lacks a library beside a torch that is not a build of PyTorch (TL610)."""
    if finding.package not in COMPANIONS or not is_vendors(context, "torch"):
        return None
    return nothing(context, finding)


def of_one_source(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    """Compatible releases from different builders, such as conda's torch and the public index's torchaudio."""
    name = finding.package
    if not fits_by_version(finding) or plan is None or "torch" not in plan.versions:
        return None
    words = (
        f"Install torch and {name} from one source: their releases are compatible, but these two builds are not."
    )
    changed = f"{steps(context, plan)}{for_more_devices(context, plan)}"
    return Remedy(f"{words} Install {changed}.", commands=install(context, plan))


def nothing(context: CheckContext, finding: Finding) -> Remedy:
    """Why there is no command that installs releases which work together."""
    if context.target is None:
        return Remedy(
            "Name the interpreter with --python, or the platform with --platform. There is no command, because it "
            "is not known for which Python and platform the packages must be."
        )
    where = f" on Python {context.target.python}, {context.target.platform.spelled}"
    names = [name for name, _ in finding.packages if name in COMPANIONS]
    is_elsewhere = is_vendors(context, "torch") or is_unpublished_build(context)
    if names and context.copy("torch") is not None and is_elsewhere:
        absent = (each for each in names if finding.rule in _ABSENT and context.copy(each) is None)
        return companion(context, next(absent, names[0]))
    if is_of_conda(context):
        others = f"pytorch and {names[0]}" if names else "pytorch and all that it needs"
        return Remedy(
            f"Install {others} from one channel of conda, which installed this torch. There is no "
            "command, because the releases of the channels are not known."
        )
    return Remedy(
        f"No releases that work together and keep this build of torch are known{where}; the tables of "
        "the builds are not complete. Use another Python, or another build of torch."
    )
