"""The remedy for a torchcodec that does not find NPP or the video decoder of NVIDIA."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add, install
from torchlock.check.fix.plan import Plan
from torchlock.check.fix.search_path import exported, put_first
from torchlock.check.fix.torch_builds import public_build
from torchlock.check.index_wheels import likely_has_wheels
from torchlock.check.nvidia import copies_of, copies_on_machine
from torchlock.check.rules.codec_libraries import DECODER, NPP
from torchlock.finding import Command, Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

# Releases of torchcodec 0.8 open the decoder at import; the next one is for the same torch.
_WITH_DECODER, _WITHOUT_DECODER = "0.8.0", "0.8.1"
_VIDEO = "start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"
_CPU = "or install the CPU build of torchcodec, which decodes without CUDA"


def of_codec(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy for a missing library of NVIDIA; None if others are missing."""
    if finding.rule != "TL610" or finding.package != "torchcodec":
        return None
    library = next(filter(NPP.match, finding.lacks), "")
    lacks_decoder = any(map(DECODER.match, finding.lacks))
    if library and lacks_decoder:
        words = _with_npp(context, library).summary.partition("; or ")[0]
        return Remedy(f"{words}. Also {_decoder()}; {_CPU}.")
    if lacks_decoder:
        return _without_decoder(context)
    return _with_npp(context, library) if library else None


def _with_npp(context: CheckContext, library: str) -> Remedy:
    """Install NPP for the CUDA version that is asked for, and make the loader find it: no package leads there."""
    there = [*copies_of(context, library), *copies_on_machine(context, library)]
    if there:
        return put_first(context, os.path.dirname(there[0]), f"Make the loader find {library}")
    match = NPP.match(library)
    major = int(match[1]) if match else 0
    name, specifier, inner = f"nvidia-npp-cu{major}", "", "npp"
    if major > 12:
        name, specifier, inner = "nvidia-npp", f"=={major}.*", f"cu{major}"
    copy = context.copy("torchcodec")
    site = os.path.dirname(copy.path) if copy else ""
    path = exported(context, [os.path.join(site, "nvidia", inner, "lib")])
    lines = [
        Command(each.tool, f"{each.line} && {path[0].line}") for each in add(context, name, specifier) if path
    ]
    words = f"Install {name}, which contains {library}, and set LD_LIBRARY_PATH before Python starts; {_CPU}."
    return Remedy(words, commands=tuple(lines))


def without_npp(context: CheckContext, plan: Plan) -> Plan:
    """A plan with the public CPU build of torchcodec instead of a build for CUDA that links NPP.

    The builds for CUDA up to 0.12 link NPP, and no requirement installs it. A plan for other packages, too, stays
    as it is, and so it does if NPP is here.
    """
    version, target = plan.versions.get("torchcodec", ""), context.target
    links = kind_of(plan.label) == "cuda" and specifier_set("<0.13").contains(version.partition("+")[0] or "1")
    if set(plan.versions) != {"torchcodec"} or target is None or target.platform.system != "linux" or not links:
        return plan
    public = version.partition("+")[0]
    is_there = copies_of(context, "libnpp*.so.*") or (context.root and context.root.search("libnppicc.so.12"))
    if is_there or public_build("torchcodec", public, target) != "cpu":
        return plan
    return Plan({"torchcodec": public}, alone=plan.alone)


def _decoder() -> str:
    return f"install the NVIDIA driver with its video decoder, or {_VIDEO}"


def _without_decoder(context: CheckContext) -> Remedy:
    more = _VIDEO
    if not context.version("torchcodec").startswith(_WITH_DECODER) or context.target is None:
        return Remedy(f"I{_decoder()[1:]}; {_CPU}.")
    label = context.label("torchcodec") or ""
    words = f"Install torchcodec {_WITHOUT_DECODER}, which opens the decoder only to decode on the GPU; or {more}."
    known = bool(label) and likely_has_wheels("torchcodec", _WITHOUT_DECODER, label, context.target)
    plan = Plan({"torchcodec": _WITHOUT_DECODER}, label, frozenset({"torchcodec"}), alone=True)
    return Remedy(words, commands=install(context, plan) if known else ())
