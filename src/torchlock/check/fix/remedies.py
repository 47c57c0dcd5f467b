"""The remedy of each root cause."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.fix.codec_libraries import of_codec
from torchlock.check.fix.commands import (
    add,
    compiled,
    install,
    is_nameless,
    shell,
    uninstall,
    unset,
)
from torchlock.check.fix.cuda_libraries import found_library
from torchlock.check.fix.cuda_packages import of_cuda_package
from torchlock.check.fix.dependents import compatible_release
from torchlock.check.fix.fitting import fitting, steps
from torchlock.check.fix.gpu_builds import RULES as RULES_OF_BUILDS
from torchlock.check.fix.gpu_builds import other_build
from torchlock.check.fix.nvidia_packages import required_releases
from torchlock.check.fix.plan import Plan, of_build, planned
from torchlock.check.fix.search_path import search_path
from torchlock.check.fix.vendor_builds import companion, of_vendor
from torchlock.check.rules.ffmpeg import cores_of, earlier, majors_of, newest_to_come
from torchlock.check.rules.versions import is_vendors
from torchlock.check.system_packages import package_command, shipped
from torchlock.finding import Command, Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.registry import fixed_by
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY, MEMBERS, STACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check import CheckContext
    from torchlock.finding import Finding

# Packages that are compiled against one torch and published together with it.
_BESIDE = frozenset(name for name in FAMILY - {"torch"} if MEMBERS[name].labels)


def add_remedies(context: CheckContext, findings: Sequence[Finding]) -> None:
    """Give each root cause without a remedy its remedy, unless it is a note.

    All damaged and conflicting packages share one plan, so that its command results in an environment that loads.
    """
    bad = [finding for finding in findings if finding.severity != "note" and finding.remedy is None]
    for finding in bad:
        remedy = required_releases(context, finding)
        finding.remedy = _elsewhere(context, remedy) if remedy is not None else None
    bad = [finding for finding in bad if finding.remedy is None]
    broken = [
        each
        for each in bad
        if each.rule in fixed_by("reinstall") and not _is_library_of_the_machine(context, each)
    ]
    again = {name for finding in broken for name, _ in finding.packages if name in STACK}
    built_apart = {name for finding in filter(_fits_by_version, bad) for name in _built_apart(context, finding)}
    wanted = {
        name for finding in bad if finding.rule in ("TL108", "TL305", "TL615") for name, _ in finding.packages
    }
    if any(finding.rule == "TL615" for finding in bad):
        wanted.add("torch")
    lacking = {finding.packages[1][0] for finding in bad if _lacks_one_of_the_stack(context, finding)}
    wanted |= lacking
    plan: Plan | None = None
    if (
        lacking
        or again
        or any(finding.rule in fixed_by("versions") or _pins_another(context, finding) for finding in bad)
    ):
        plan = planned(context, again | built_apart, wanted) or (_same(context, again) if again else None)
    for finding in bad:
        remedy = _remedy(context, finding, plan)
        finding.remedy = _elsewhere(context, remedy) if remedy is not None else None


def _fits_by_version(finding: Finding) -> bool:
    """Whether two packages of the stack fit by their versions, and only their symbols show a conflict."""
    return finding.rule == "TL611" and finding.packages[0][0] in STACK


def _built_apart(context: CheckContext, finding: Finding) -> tuple[str, ...]:
    """The packages of which new builds are needed. A nightly companion is replaced; the release of torch stays."""
    name = finding.packages[0][0]
    pins = [context.pins.get(each) for each in ("torch", name)]
    is_early = [pin is not None and pin.version.is_prerelease for pin in pins]
    return (name,) if is_early == [False, True] else ("torch", name)


def _elsewhere(context: CheckContext, remedy: Remedy) -> Remedy:
    """Say where to run a command, if the command cannot name the environment."""
    if is_nameless(context) and any(command.tool in ("pip", "uv") for command in remedy.commands):
        remedy.summary = remedy.summary.rstrip(".") + "; run it with the Python of that environment."
    return remedy


def _lacks_one_of_the_stack(context: CheckContext, finding: Finding) -> bool:
    """Whether a package requires a member of the stack that is not installed."""
    return (
        finding.rule == "TL609" and finding.packages[1][0] in STACK and finding.packages[1][0] not in context.pins
    )


def _pins_another(context: CheckContext, finding: Finding) -> bool:
    """Whether the metadata of a member of the torch family requires another release of an installed member."""
    names = {name for name, _ in finding.packages}
    return finding.rule == "TL609" and len(names) == 2 and names <= FAMILY & set(context.pins)


def _same(context: CheckContext, names: set[str]) -> Plan | None:
    """A plan with the installed versions and builds, if the catalogue does not have them."""
    versions = {name: context.version(name) or _recorded(context, name) for name in sorted(names)}
    known = {name: version for name, version in versions.items() if version}
    label = context.label("torch") or ""
    if known and context.target is not None and kind_of(label):
        public = {name: version.removesuffix(f"+{label}") for name, version in known.items()}
        if not any("+" in version for version in public.values()):
            return of_build(public, label, context.target)
    return Plan(known) if known else None


def _recorded(context: CheckContext, name: str) -> str:
    record = context.installed.get(name)
    return record.version if record else ""


def _remedy(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    if finding.rule == "TL603":
        return Remedy("Delete it.", commands=shell(context, "rm -rf", finding.path))
    if not finding.packages:
        return None
    if plan is not None and (_lacks_one_of_the_stack(context, finding) or _pins_another(context, finding)):
        return fitting(context, plan)
    return (
        _of_rule(context, finding)
        or of_vendor(context, finding)
        or _of_dependent(context, finding)
        or _of_stack(context, finding, plan)
    )


def _of_rule(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy that depends on the rule only."""
    if (remedy := of_codec(context, finding)) is not None:
        return remedy
    if finding.rule == "TL230":
        return found_library(context, finding)
    if (remedy := of_cuda_package(context, finding)) is not None:
        return remedy
    if finding.rule == "TL606":
        return _moved(context, finding)
    if finding.rule == "TL613":
        return search_path(context, finding)
    if finding.rule == "TL609":
        return _dependency(context, finding)
    if finding.rule in RULES_OF_BUILDS:
        return other_build(context, finding)
    if finding.rule == "TL304":
        return _of_ffmpeg(context)
    if finding.rule == "TL306":
        return Remedy("Install soundfile.", commands=add(context, "soundfile"))
    if _is_library_of_the_machine(context, finding):
        later = "Install a later soundfile, whose wheel contains libsndfile."
        return Remedy(later, commands=add(context, "soundfile", ">=0.12.1"))
    return None


def _of_dependent(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for a package that uses torch."""
    if finding.rule in fixed_by("dependent"):
        return compatible_release(context, finding)
    if finding.packages[0][0] not in STACK and finding.rule in ("TL610", "TL611"):
        return _rebuilt(context, *finding.packages[0])
    if finding.packages[0][0] not in STACK and finding.rule in fixed_by("reinstall"):
        return _other_again(context, *finding.packages[0])
    return None


def _of_stack(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    """The remedy for the stack: releases that work together, or the same releases again."""
    if finding.rule in fixed_by("reinstall") and plan is not None:
        return _again(context, finding, plan)
    if finding.rule == "TL104" and plan is not None and _is_before_its_libraries(plan.versions.get("torchtext")):
        return Remedy(
            "Remove torchtext, which has no release for this torch and gets no new releases; or use torch 2.3.",
            commands=uninstall(context, ["torchtext"]),
        )
    if _fits_by_version(finding) and plan is not None and "torch" in plan.versions:
        return _of_one_source(context, finding, plan)
    if finding.rule == "TL610" and finding.packages[0][0] in _BESIDE and is_vendors(context, "torch"):
        return _nothing(context, finding)
    if finding.rule == "TL612":
        return _later_system(context, finding, plan)
    if finding.rule in fixed_by("versions"):
        return fitting(context, plan) if plan is not None else _nothing(context, finding)
    return None


def _is_library_of_the_machine(context: CheckContext, finding: Finding) -> bool:
    """Whether a finding is about a libsndfile from outside soundfile's package."""
    copy = context.copy("soundfile")
    if finding.rule != "TL608" or copy is None or finding.packages[0][0] != "soundfile":
        return False
    return not finding.path.startswith(os.path.dirname(copy.path) + os.sep)


def _rebuilt(context: CheckContext, name: str, version: str) -> Remedy:
    """A third-party extension module needs a build for this torch, from its authors or compiled here."""
    return Remedy(
        f"Install the build of {name} that was made for {context.named('torch')}, or compile it here.",
        commands=compiled(context, name, version),
    )


def _later_system(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy:
    """Releases for this older system, or else a later system."""
    if plan is not None and any(version != context.version(name) for name, version in plan.versions.items()):
        return fitting(context, plan)
    if "GLIBC_" in finding.expected_error:
        return Remedy(
            "Use a later release of the system, or an image with a later glibc. No wheel contains glibc."
        )
    if context.environment.conda:
        line = "conda install -y -c conda-forge libstdcxx-ng"
        return Remedy("Install a later libstdc++ in this environment.", commands=(Command("conda", line),))
    return Remedy("Install a later libstdc++, which comes with GCC, or use a later release of the system.")


def _is_before_its_libraries(version: str | None) -> bool:
    """Whether a torchtext is older than 0.7. Such releases accept any torch, but do not have today's API."""
    return version is not None and specifier_set("<0.7").contains(version)


def _other_again(context: CheckContext, name: str, version: str) -> Remedy:
    """Reinstall a package that the stack needs."""
    plan = Plan({name: version or _recorded(context, name)})
    commands = install(context, plan, again=True, fresh=True) if plan.versions[name] else add(context, name)
    return Remedy(f"Install {name} once more, without the installer's cache.", commands=commands)


def _again(context: CheckContext, finding: Finding, plan: Plan) -> Remedy:
    commands = install(context, plan, again=True, fresh=True)
    return Remedy(f"Install {steps(context, plan)}, without the installer's cache.", commands=commands)


def _of_ffmpeg(context: CheckContext) -> Remedy:
    """The remedy for an FFmpeg that is too new: a torchcodec for it, or else an earlier FFmpeg."""
    major = newest_to_come(context)
    plan = planned(context, libraries={"ffmpeg": f"{major}.0"})
    if plan is None or set(plan.versions) != {"torchcodec"}:
        return earlier(context, cores_of(context), major)
    remedy = fitting(context, plan)
    system, known = shipped(context, "ffmpeg")
    there = majors_of(context)
    is_lacking = isinstance(there, Unknown) or major not in there
    if is_lacking and system is not None and known is not None:
        more = "".join(each.line for each in package_command(context, system, known))
        commands = tuple(each._replace(line=f"{each.line} && {more}") for each in remedy.commands)
        return Remedy(f"{remedy.summary.rstrip('.')}, and FFmpeg {major} of {system.title}.", commands=commands)
    return remedy


def _of_one_source(context: CheckContext, finding: Finding, plan: Plan) -> Remedy:
    """Compatible releases from different builders, such as conda's torch and the public index's torchaudio."""
    name = finding.packages[0][0]
    words = (
        f"Install torch and {name} from one source: their releases are compatible, but these two builds are not."
    )
    return Remedy(f"{words} Install {steps(context, plan)}.", commands=install(context, plan))


def _nothing(context: CheckContext, finding: Finding) -> Remedy:
    if not context.installed.distributions and context.target is None:
        return Remedy("Give the path of an environment, or of its site-packages folder.")
    where = f" on Python {context.target.python}, {context.target.platform.spelled}" if context.target else ""
    name = finding.packages[0][0] if finding.packages and finding.packages[0][0] in _BESIDE else "torchaudio"
    if context.copy("torch") is not None and is_vendors(context, "torch"):
        return companion(context, name)
    return Remedy(f"No compatible releases are known{where}; use another Python.")


def _moved(context: CheckContext, finding: Finding) -> Remedy:
    """Remove the copy that hides the right package."""
    name = finding.packages[0][0]
    copies = context.copies[name]
    imported = copies.imported
    if imported is None or finding.path != imported.path:
        return _renamed(context, finding.path)
    kind = imported.entry.kind if imported.entry else ""
    if kind == "user" or (imported.entry is not None and imported.entry.is_site):
        return Remedy(
            f"Remove the copy of {name} that comes first, or run Python with -s.",
            commands=uninstall(context, [name]),
        )
    if kind == "pth" and imported.entry is not None and imported.entry.origin is not None:
        origin = imported.entry.origin
        return Remedy(f"Remove line {origin.line} of {origin.path}, which adds {imported.entry.path}.")
    if kind == "pythonpath":
        return Remedy(
            "Remove its folder from PYTHONPATH.", commands=(Command("shell", unset(context, "PYTHONPATH")),)
        )
    if os.path.isdir(imported.path):
        return Remedy(
            f"Start Python outside of the folder {os.path.dirname(imported.path)}.",
            commands=(Command("shell", "cd .."),),
        )
    return _renamed(context, imported.path)


def _renamed(context: CheckContext, path: str) -> Remedy:
    """Rename the user's own file or folder, which Python finds first."""
    name = os.path.basename(path)
    what = "folder" if os.path.isdir(path) else "file"
    other = os.path.join(os.path.dirname(path), f"my_{name}")
    return Remedy(f"Give the {what} another name than {name}.", commands=shell(context, "mv", path, other))


def _dependency(context: CheckContext, finding: Finding) -> Remedy | None:
    """Install the required package. In the stack, another version may break another requirement."""
    asking, asked = finding.packages[0][0], finding.packages[1][0]
    if asked in STACK:
        return Remedy(f"Use a release of {asking} that works with {asked} {finding.packages[1][1]}.")
    from torchlock.check.context import dependencies_of

    record = context.installed.get(asking)
    found = [item for item in dependencies_of(record) if item.name == asked] if record else []
    specifier = found[0].specifier if found else ""
    version = specifier.removeprefix("==") if specifier.startswith("==") and "," not in specifier else ""
    line = f"{asked}=={version}" if version else f"{asked}{specifier}"
    return Remedy(f"Install {line}.", commands=add(context, asked, line.removeprefix(asked)))
