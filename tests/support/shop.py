"""What an index has for a Python and a platform, by the bundled tables; and which torch a companion is for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from support.skeletons import Site
from torchlock.check.index_wheels import has_wheels
from torchlock.knowledge.build_files import build_catalogue, folders
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.judge import NamedVersion, violations
from torchlock.knowledge.releases import Catalogue, CatalogueRelease
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stack import FAMILY
from torchlock.target import Platform, PythonVersion, Target

_LABEL = re.compile(r"download\.pytorch\.org/whl/(\w[\w.]*)")


def target_of(site: Site) -> Target:
    """The machine of a site as a target."""
    return Target(PythonVersion.parse(site.python), Platform.parse(site.platform))


def label_of(address: str) -> str:
    """The build whose page this is; "" for the public index."""
    found = _LABEL.search(address)
    assert found, f"what is {address}?"
    return found[1]


def cuda_of(label: str) -> str:
    """The CUDA version in a label: ``12.4``; "" for another build."""
    found = re.fullmatch(r"cu(\d+)(\d)", label)
    return f"{found[1]}.{found[2]}" if found else ""


@cache
def _public() -> Catalogue:
    return Catalogue()


def releases(name: str, label: str) -> list[CatalogueRelease] | None:
    """The releases of a package on the public index, or on the page of a build; None if the tables lack it."""
    if label and name in FAMILY:
        return (build_catalogue(label).releases(name) or []) if label in folders() else []
    return _public().releases(name)


def wheel_of(release: CatalogueRelease, target: Target) -> int | None:
    """The best wheel of a release for a target: its place in ``tags``; None if none installs."""
    ranks = release.ranks(target.rank)
    fitting = [(rank, at) for at, rank in enumerate(ranks) if rank is not None]
    fitting = [(rank, at) for rank, at in fitting if target.python.satisfies(release.requires_python(at))]
    return min(fitting)[1] if fitting else None


def chosen(name: str, specifier: str, label: str, site: Site) -> str | None:
    """The version that an installer takes; None if the tables do not have this package.

    Raises:
        AssertionError: the index has no such version for this Python and platform.
    """
    found = releases(name, label)
    if found is None:
        return None
    target, wanted = target_of(site), SpecifierSet(specifier)
    exact = re.fullmatch(r"==([^*,]+)", specifier)
    fitting = [
        each.version for each in found if wheel_of(each, target) is not None and wanted.contains(each.version)
    ]
    if not fitting and exact and label and name in FAMILY:
        public, _, own = exact[1].partition("+")
        answer = has_wheels(name, public, label, target)  # Of some pages, only that a release is there is known.
        assert answer is not False and own in ("", label), f"{name}{specifier} is not on the page of {label}"
        known = name == "torchcodec" or build_table().published(name, public, label) is True
        assert answer is True or known, f"is {name}{specifier} on the page of {label}? {answer}"
        return f"{public}+{label}"
    assert fitting, f"the index{' of ' + label if label else ''} has no {name}{specifier} for {target}"
    return max(fitting, key=Version)


def pinned_torch(site: Site, name: str) -> str:
    """The release of torch that the metadata of a companion pins; "" if it pins none."""
    for info in site.path.glob(f"{name}-*.dist-info"):
        found = re.search(r"(?m)^Requires-Dist: torch *\(?==([\d.]+)", (info / "METADATA").read_text())
        if found:
            return found[1]
    return ""


def belongs(name: str, version: str, torch: str, site: Site) -> bool:
    """Whether rules with sources say that a companion works with a torch, where its metadata pins none."""
    if "dev" in version or "dev" in torch:
        return "dev" in version and "dev" in torch
    pins = {
        each: NamedVersion(each, Version(of)) for each, of in (("torch", torch), (name, version.partition("+")[0]))
    }
    return not violations(pins, target_of(site), Matrix(), complete=False)


def requirements(site: Site, name: str, extras: Iterable[str] = ()) -> list[Requirement]:
    """What the metadata of an installed package requires on this machine, with some of its extras."""
    target, found = target_of(site), []
    for info in site.path.glob(f"{name.replace('-', '_')}-*.dist-info"):
        for line in re.findall(r"(?m)^Requires-Dist: (.*)$", (info / "METADATA").read_text()):
            each = Requirement(line)
            named = [{**target.environment, "extra": extra} for extra in ("", *extras)]
            if each.marker is None or any(map(each.marker.evaluate, named)):
                found.append(each)
    return found
