"""The reasons of needs, for the explanation. Each reason names its origin."""

from __future__ import annotations

from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

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
    """A rule says it about a release. ``dependency`` is None if the rule forbids."""

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
    """A release built for ROCm or XPU works with a torch of the same build."""

    name: str
    version: str
    build: str


class SameRelease(NamedTuple):
    """An extra belongs to the release that it extends."""

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
