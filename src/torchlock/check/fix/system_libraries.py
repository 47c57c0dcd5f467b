"""Remedies for libraries of the machine: FFmpeg, libsndfile, the C and C++ libraries."""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.conda import conda_install
from torchlock.check.fix.commands import add, shell
from torchlock.check.fix.fitting import fitting
from torchlock.check.fix.plan import planned
from torchlock.check.fix.search_path import put_first
from torchlock.check.library_origins import meaning_of_missing
from torchlock.check.packaged_libraries import recorded
from torchlock.check.rules.ffmpeg import cores_of, earlier, majors_of, newest_to_come
from torchlock.check.system_packages import package_command, shipped, system_of
from torchlock.finding import Remedy
from torchlock.knowledge.systems import Library

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.check.fix.plan import Plan
    from torchlock.finding import Finding


def later_soundfile(context: CheckContext, finding: Finding) -> Remedy | None:
    """A soundfile with its own library, instead of a libsndfile of the machine that does not load (TL608)."""
    if not is_library_of_the_machine(context, finding):
        return None
    later = "Install a later soundfile, whose wheel contains libsndfile."
    return Remedy(later, commands=add(context, "soundfile", ">=0.12.1"))


def of_system(context: CheckContext, finding: Finding) -> Remedy | None:
    """The packages of the system with libraries that no wheel of the stack needs, only a build of another source.

    None for other libraries, and for those that an installed package should have brought.
    """
    if context.operating_system != "linux" or not finding.lacks:
        return None
    meanings = [meaning_of_missing(each) for each in finding.lacks]
    known = [each for each in meanings if each is not None and each.packages]
    if not known or meanings[0] not in known or any(recorded(context, each)[1] for each in finding.lacks):
        return None
    system = system_of(context)
    manager = "conda" if context.environment.conda else system.install.partition("-")[0] if system else ""
    wanted = [name for each in known for name in each.packages.get(manager, ())]
    rest = [name for name, each in zip(finding.lacks, meanings, strict=True) if each not in known]
    if system is None or not wanted:
        return Remedy(" ".join(dict.fromkeys(each.look for each in known)))
    packages = tuple(dict.fromkeys(wanted))
    more = f"; what contains {rest[0]} is not known" if rest else ""
    words = f"Install {' and '.join(packages)} of {system.title}, which this build of {finding.package} needs"
    return Remedy(f"{words}{more}.", commands=package_command(context, system, Library("", packages)))


def is_library_of_the_machine(context: CheckContext, finding: Finding) -> bool:
    """Whether a finding is about a libsndfile from outside soundfile's package."""
    copy = context.copy("soundfile")
    if finding.rule != "TL608" or copy is None or finding.package != "soundfile":
        return False
    return not finding.path.startswith(os.path.dirname(copy.path) + os.sep)


def other_ffmpeg(context: CheckContext, finding: Finding) -> Remedy:
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


def later_system(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy | None:
    """Releases for this older system, or else a later system; for libstdc++ of a conda environment, its own."""
    provider = finding.expected_error.partition(": version ")[0].rpartition(" ")[2]
    is_conda = context.environment.conda or re.search(r"[/\\](\w*conda\d?|miniforge\d?|mamba)[/\\]", provider)
    if is_conda and "GLIBC_" not in finding.expected_error:
        return _conda_libstdcxx(context, provider)
    name = finding.package
    if plan is not None and name and plan.versions.get(name, context.version(name)) != context.version(name):
        return fitting(context, plan)
    if "GLIBC_" in finding.expected_error:
        return Remedy(
            "Use a later release of the system, or an image with a later glibc. No wheel contains glibc."
        )
    return Remedy("Install a later libstdc++, which comes with GCC, or use a later release of the system.")


def _conda_libstdcxx(context: CheckContext, provider: str) -> Remedy:
    """The libstdc++ of this conda environment: make the loader find it, link it, or install a later release."""
    sites = context.environment.sites if context.environment.conda else ()
    library = os.path.dirname(os.path.dirname(sites[0].path)) if sites else ""
    names = sorted(context.environment.tree.names(library)) if library else []
    there = [each for each in names if re.fullmatch(r"libstdc\+\+\.so\.6\.0\.\d\d", each)]
    if there and "libstdc++.so.6" not in names:
        return Remedy(
            f"Link {there[-1]}, which is in this environment, to the name that the loader looks for.",
            commands=shell(context, "ln -s", there[-1], os.path.join(library, "libstdc++.so.6")),
        )
    if "libstdc++.so.6" in names and re.match(r"/(usr/)?lib(64)?/", provider):
        return put_first(context, library, "Make the loader find the libstdc++ of this environment")
    folder = posixpath.normpath(posixpath.dirname(provider))
    prefix = posixpath.dirname(folder) if posixpath.basename(folder) == "lib" else ""
    other = "" if context.environment.conda else prefix
    commands = conda_install(context, "-c conda-forge", "libstdcxx-ng", prefix=other)
    return Remedy("Install a later libstdc++ in this environment.", commands=commands)
