"""An environment as what a lock is installed into: its packages, read from their own records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.inspect.build import read_build
from torchlock.inspect.distributions import installed
from torchlock.knowledge.build_labels import cuda_label, is_published, kind_of
from torchlock.knowledge.stack import FAMILY
from torchlock.lock.installed_base import Base
from torchlock.solve.kept import KeptPackage
from torchlock.standards.core_metadata import dependency_of
from torchlock.standards.versions import version_of

if TYPE_CHECKING:
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.environment import Environment

_KIND = "environment"


def base_of_environment(environment: Environment, name: str) -> Base:
    """The packages of an environment; ``name`` is how the user named it."""
    packages: dict[str, KeptPackage] = {}
    gaps = []
    for distribution in installed(environment).distributions:
        if distribution.name in packages:  # the first on the path is the one that Python finds
            continue
        packages[distribution.name] = _package(distribution, environment, f"{_KIND} {name}")
        if distribution.metadata.problem:
            gaps.append(f"what {distribution.name} in {name} requires is unknown: {distribution.metadata.problem}")
    torch = packages.get("torch")
    build = torch.build if torch is not None and isinstance(torch.build, str) else ""
    return Base(_KIND, name, packages, _vendor(torch), build, gaps=tuple(gaps))


def _package(distribution: Distribution, environment: Environment, owner: str) -> KeptPackage:
    version = distribution.version if version_of(distribution.version) is not None else ""
    declared = [dependency_of(line) for line in distribution.metadata.requires]
    return KeptPackage(
        distribution.name,
        version,
        owner,
        _build(distribution, environment) if distribution.name in FAMILY else None,
        tuple(filter(None, declared)),
        distribution.tags[0] if distribution.tags else "py3-none-any",
    )


def _build(distribution: Distribution, environment: Environment) -> str | Unknown | None:
    """The build of a member of the torch family: its label, or what ``version.py`` of torch says."""
    label = distribution.label
    if label:
        return label if kind_of(label) else Unknown(f"+{label} is a label of a vendor")
    found = read_build(str(Path(distribution.entry.path) / distribution.name), environment.tree)
    if found is None:
        return Unknown(f"no file of {distribution.name} states its build")
    if found.label and kind_of(found.label):
        return found.label
    if found.cuda:
        return cuda_label(found.cuda)
    if found.hip:
        return "rocm" + ".".join(found.hip.split(".")[:2])
    if distribution.name == "torch" and found.cuda == "" and not found.xpu:
        return "cpu"
    return Unknown(f"{found.path} does not state the build")


def _vendor(torch: KeptPackage | None) -> str:
    """Who built a torch that the PyTorch index does not have; "" for one that it may have."""
    if torch is None or not torch.version:
        return ""
    public, _, label = torch.version.partition("+")
    version = version_of(public)
    is_final = version is not None and not version.is_prerelease
    return "" if is_final and (not label or is_published(label)) else "somebody else"
