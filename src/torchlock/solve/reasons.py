"""Why a need stands: what the explainer prints. Every statement carries its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torchlock.knowledge.rules import Statement
    from torchlock.standards.dependency import Dependency
    from torchlock.terms import ParsedRequirement


class Asked(NamedTuple):
    """The user wrote it."""

    written: ParsedRequirement
    constraint: bool = False


class Declared(NamedTuple):
    """The metadata of a release declares it."""

    name: str
    version: str
    dependency: Dependency


class Ruled(NamedTuple):
    """A rule says it of a release. ``dependency`` is None where the rule forbids rather than needs."""

    name: str
    version: str
    statement: Statement
    dependency: Dependency | None


class Built(NamedTuple):
    """This release of torch was built for that CUDA version (``0``: none)."""

    version: str
    cuda: str
    build: str = ""


class SameBuild(NamedTuple):
    """A release that was built for ROCm or XPU goes with a torch of that very build."""

    name: str
    version: str
    build: str


class SameRelease(NamedTuple):
    """An extra belongs to the very release that it extends."""

    name: str
    version: str


class Unreadable(NamedTuple):
    """The requirements of this release are unknown: a broken requirement or file, or an sdist that must be built.

    ``build``: a build would give them.
    """

    name: str
    version: str
    message: str
    build: bool = False
