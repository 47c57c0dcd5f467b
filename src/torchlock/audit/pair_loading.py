"""Whether a companion loads beside a release of torch, in the builds that an installer takes."""

from __future__ import annotations

from functools import lru_cache

from torchlock.answers import Unknown
from torchlock.audit.rules.versions import differ_in_patch
from torchlock.audit.supplies import build_of
from torchlock.knowledge.judge import ReleaseText, violations
from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.ordering import admits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.audit.context import Knowledge
    from torchlock.audit.supplies import Supply
    from torchlock.knowledge.compatibility import CompatibilityTable


def loads(
    known: Knowledge, here: Mapping[str, Supply], name: str, index: int, torch: int, cell: int
) -> bool | Unknown:
    """Whether a release of a companion loads with one of torch, in the builds that their supplies have."""
    stack = known.stack
    if not stack.fits(name, 1 << index) & 1 << torch:
        if name in FAMILY and differ_in_patch(stack, {"torch": 1 << torch, name: 1 << index}):
            return Unknown("they differ only in the patch release of torch")
        return False
    platform = stack.coordinates(cell)[0]
    as_public = bool(stack.loads(name, 1 << index, platform) & 1 << torch)
    if name not in FAMILY:
        return as_public  # The package has no builds for accelerators.
    if _own(here[name]) and _own(here["torch"]) and not as_public:
        return False
    mine = build_of(known, name, index, platform, here[name])
    theirs = build_of(known, "torch", torch, platform, here["torch"])
    # A CPU build can need less of torch than the CUDA build of the public index, which the rules are about.
    tried = mine != "cpu" or stack.packages[name].build(index, platform) == "cpu"
    if tried and not as_public and not _versions_fit(known, name, index, mine, torch, platform):
        alike = [other for other in bits(stack.packages["torch"].everything) if _same_series(stack, torch, other)]
        if any(_versions_fit(known, name, index, mine, other, platform) for other in alike):
            return Unknown("they differ only in the patch release of torch")
        return False
    if here[name].label and here["torch"].label:
        return True  # Another rule compares the labels that the file pins.
    return _agree(known, name, index, mine, torch, theirs, platform)


def _same_series(stack: CompatibilityTable, one: int, other: int) -> bool:
    """Whether two releases of torch have the same minor version."""
    versions = stack.packages["torch"].parsed_versions
    return versions[one].release[:2] == versions[other].release[:2]


@lru_cache(maxsize=8192)
def _versions_fit(
    known: Knowledge, name: str, index: int, build: str | Unknown, torch: int, platform: int
) -> bool:
    """Whether the rules on versions allow a build of a companion beside a release of torch on a platform."""
    stack, made = known.stack, None if isinstance(build, Unknown) else build
    pins = {
        name: ReleaseText(name, stack.packages[name].versions[index], build=made),
        "torch": ReleaseText("torch", stack.packages["torch"].versions[torch]),
    }
    target = stack.target(stack.on_platform(platform).bit_length() - 1)
    found = violations(pins, target, known.matrix, complete=False)
    return not any(each.dependency is not None and each.dependency.name == "torch" for each in found)


def _own(supply: Supply) -> bool:
    """Whether a package comes from the public index, which has one build of each release."""
    return supply.offer.only_public and not supply.label


@lru_cache(maxsize=8192)
def _agree(
    known: Knowledge,
    name: str,
    index: int,
    build: str | Unknown,
    torch: int,
    torch_build: str | Unknown,
    platform: int,
) -> bool | Unknown:
    """Whether the rules on builds allow these two; unknown if one of the builds is unknown."""
    stack = known.stack
    version = stack.packages[name].versions[index]
    rules = [
        statement
        for statement in known.matrix.about(name)
        if statement.rule == "TL201" and admits(statement.when.specifier, version)
    ]
    if not rules or stack.platforms[platform].startswith("macos"):
        return True
    for made in (build, torch_build):
        if isinstance(made, Unknown):
            return made
    pins = {
        name: ReleaseText(name, version, build=str(build)),
        "torch": ReleaseText("torch", stack.packages["torch"].versions[torch], build=str(torch_build)),
    }
    target = stack.target(stack.on_platform(platform).bit_length() - 1)
    found = violations(pins, target, known.matrix, complete=False)
    return not any(each.statement is not None and each.statement.rule == "TL201" for each in found)
