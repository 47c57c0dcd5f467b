"""The remedy for an xformers that was built for another torch: the release for this torch, or the other torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add_all, install
from torchlock.check.fix.plan import Plan
from torchlock.check.index_wheels import likely_has_wheels
from torchlock.check.xformers import built_for
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.declared import newest_declaring
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY, MEMBERS

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding


def of_xformers(context: CheckContext, finding: Finding) -> Remedy | None:
    """The remedy if xformers does not work with torch; None for all other findings."""
    names = [name for name, _ in finding.packages[:2]]
    pin = context.pins.get("torch")
    if finding.rule not in ("TL609", "TL610", "TL611") or names != ["xformers", "torch"] or pin is None:
        return None
    public, label = pin.version.public, context.label("torch") or ""
    release = newest_declaring("xformers", f"torch=={public}", context.target)
    torch, _, build = built_for(context).partition("+")
    if kind_of(label) == "cpu" and torch == public and kind_of(build) == "cuda":
        return _with_cuda(context, public, build)
    if not release:
        words = f"No release of xformers is known whose wheels for this Python and platform require torch {public}"
        return Remedy(f"{words}: use a release for a later torch together with that torch, or uninstall xformers.")
    is_public = kind_of(label) != "cuda" or label.startswith(_public_cuda(release))
    page = () if is_public else (f"--index-url {page_of(label)}",)
    words = f"Install xformers {release}, which was built for torch {public}."
    return Remedy(words, commands=add_all(context, {"xformers": f"=={release}"}, "--no-deps", *page))


def _public_cuda(release: str) -> str:
    """The CUDA version of the wheels on the public index, by their cpp_lib.json: CUDA 11 up to 0.0.22."""
    return "cu11" if specifier_set("<=0.0.22").contains(release) else "cu12"


def _with_cuda(context: CheckContext, public: str, build: str) -> Remedy:
    """A torch for CUDA, with the installed companions of the same releases."""
    words = (
        f"Install torch {public} for CUDA ({build}), for which this xformers was built: its library needs CUDA."
    )
    there = {name: pin for name in FAMILY if (pin := context.pins.get(name)) and MEMBERS[name].labels}
    versions = {name: pin.version.public for name, pin in there.items() if not pin.unversioned}
    target = context.target
    known = target is not None and all(likely_has_wheels(name, versions[name], build, target) for name in versions)
    return Remedy(words, commands=install(context, Plan(versions, build, frozenset(versions))) if known else ())
