"""The remedy of each root cause: which functions are asked for it, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from torchlock.check.fix.afresh import afresh, of_rest, one_of_two, with_library
from torchlock.check.fix.application import of_application
from torchlock.check.fix.codec_libraries import of_codec
from torchlock.check.fix.commands import where_to_run
from torchlock.check.fix.cuda_libraries import beside_later_cuda, found_library
from torchlock.check.fix.cuda_packages import of_cuda_package
from torchlock.check.fix.dependents import compatible_release
from torchlock.check.fix.gpu_builds import for_cuda, for_driver, for_gpu, of_torchcodec
from torchlock.check.fix.import_path import deleted, moved
from torchlock.check.fix.left_libraries import without_left
from torchlock.check.fix.nvidia_packages import of_library, of_release, of_symbols, separated
from torchlock.check.fix.packaged_libraries import of_other_folder
from torchlock.check.fix.partners import other_release
from torchlock.check.fix.reinstall import again, complete, rebuilt, what_conda_lost
from torchlock.check.fix.releases import of_one_source, of_vendors_torch, shared_plan, together, without_torchtext
from torchlock.check.fix.requirements import of_stack, required
from torchlock.check.fix.search_path import search_path
from torchlock.check.fix.system_libraries import later_soundfile, later_system, of_system, other_ffmpeg
from torchlock.check.fix.torch_backends import of_backend
from torchlock.check.fix.unmet_packages import of_xpu
from torchlock.check.fix.vendor_builds import of_machines_rocm, of_source, of_vendor
from torchlock.check.fix.vendor_cuda import of_machines_cuda
from torchlock.check.fix.xformers import of_xformers
from torchlock.check.library_origins import meaning_of_missing
from torchlock.finding import Remedy
from torchlock.knowledge.registry import fixed_by

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.check.fix.plan import Plan
    from torchlock.finding import Finding

_Alone = Callable[["CheckContext", "Finding"], Remedy | None]
_WithPlan = Callable[["CheckContext", "Finding", "Plan | None"], Remedy | None]


def _alone(function: _Alone) -> _WithPlan:
    """A function that does not need the shared plan."""
    return lambda context, finding, _: function(context, finding)


# The functions that are asked for the remedy of a rule, in this order; the first answer counts.
_BY_RULE: Mapping[str, tuple[_WithPlan, ...]] = {
    **dict.fromkeys(("TL208", "TL222", "TL223"), (_alone(for_gpu),)),
    "TL202": (_alone(for_driver),),
    "TL207": (_alone(beside_later_cuda),),
    "TL209": (_alone(for_cuda),),
    "TL210": (_alone(of_torchcodec),),
    "TL104": (without_torchtext,),
    "TL230": (_alone(found_library),),
    **dict.fromkeys(("TL231", "TL232", "TL233"), (_alone(of_cuda_package),)),
    "TL304": (_alone(other_ffmpeg),),
    "TL603": (afresh, _alone(deleted)),
    "TL604": (of_rest,),
    "TL605": (afresh,),
    "TL606": (_alone(moved),),
    "TL608": (_alone(later_soundfile),),
    "TL609": (_alone(of_xformers), of_stack, _alone(required)),
    "TL610": (
        _alone(of_backend),
        *map(_alone, (without_left, of_codec, of_other_folder, of_xpu, of_xformers, of_system)),
        *map(_alone, (what_conda_lost, of_machines_cuda, of_machines_rocm, of_vendor)),
        *map(_alone, (rebuilt, of_vendors_torch, complete)),
    ),
    "TL611": (*map(_alone, (of_backend, without_left, of_source, of_xformers, of_vendor, rebuilt)), of_one_source),
    "TL612": (_alone(of_backend), later_system),
    "TL613": (_alone(search_path),),
    "TL620": (_alone(one_of_two),),
}
# Those about packages of NVIDIA, which are asked before a plan is made.
_OF_NVIDIA: Mapping[str, _Alone] = {
    "TL610": of_library,
    "TL611": of_symbols,
    "TL616": of_release,
    "TL617": separated,
}
# Those for all rules of one kind (``remedy`` in compat_data/rules), which are asked after those of the rule.
_BY_KIND: Mapping[str, tuple[_WithPlan, ...]] = {
    "dependent": (_alone(compatible_release),),
    "partner": (_alone(other_release),),
    "reinstall": (_alone(without_left), again),
    "versions": (_alone(of_vendor), together),
}
# Rules about the machine or about torchlock itself: nothing can be installed.
_NOTHING_TO_INSTALL = "There is no command for this, because no package is known whose installation repairs it."


def add_remedies(context: CheckContext, findings: Sequence[Finding]) -> None:
    """Give each root cause without a remedy its remedy, unless it is a note.

    An error or a warning for which nothing can be done gets a sentence that says so.
    """
    bad = [finding for finding in findings if finding.severity != "note" and finding.remedy is None]
    found = {id(finding): _of_nvidia(context, finding) for finding in bad}
    plan = shared_plan(context, [finding for finding in bad if found[id(finding)] is None])
    for finding in bad:
        finding.remedy = found[id(finding)] or _remedy(context, finding, plan)
    for finding in findings:
        if finding.remedy is not None and context.environment.frozen is not None:
            finding.remedy = of_application(context, finding, finding.remedy)
        elif finding.remedy is not None and finding.severity != "note":
            where_to_run(context, finding.remedy)


def _of_nvidia(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for a finding about packages of NVIDIA; None for all other findings."""
    function = _OF_NVIDIA.get(finding.rule)
    return function(context, finding) if function is not None else None


def _remedy(context: CheckContext, finding: Finding, plan: Plan | None) -> Remedy:
    """The first remedy that a function knows; else the sentence that there is none."""
    plan = with_library(context, finding, plan) if finding.packages else plan
    functions = list(_BY_RULE.get(finding.rule, ()))
    functions += [each for kind, those in _BY_KIND.items() if finding.rule in fixed_by(kind) for each in those]
    for function in functions if finding.packages or finding.path else ():
        if (remedy := function(context, finding, plan)) is not None:
            return remedy
    return without_command(finding)


def without_command(finding: Finding) -> Remedy:
    """A sentence for a finding that no command repairs."""
    if finding.lacks and finding.rule == "TL610":
        known = meaning_of_missing(finding.lacks[0])
        if known is not None and known.look:
            return Remedy(known.look)
        return Remedy(
            f"Install what contains {finding.lacks[0]}, or add its folder to the search path of the loader. There "
            "is no command, because no package with this library is known."
        )
    return Remedy(_NOTHING_TO_INSTALL)
