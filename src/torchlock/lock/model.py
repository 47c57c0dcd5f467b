"""What a lock is, and what a conflict is: plain values that writers and the explainer read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlock.knowledge.rules import HOST_PREFIX, specifier_set

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from torchlock.answers import Unknown
    from torchlock.knowledge.rules import Statement
    from torchlock.solve.conflict_core import UserRequirement
    from torchlock.solve.universe import Universe
    from torchlock.standards.index_file import File
    from torchlock.target import Target
    from torchlock.terms import ParsedRequirement


@dataclass(frozen=True)
class Options:
    """What the user allows and prefers.

    ``unproven`` lets releases of the torch family count that no data judge (``solve.policy``).

    ``lowest`` takes the oldest release of what the user names, to see whether lower bounds hold; what those need
    stays as new as they allow, since hardly any old release of it was ever tried with them. ``preferred`` are
    the pins of an existing lock that are to be kept, by name; ``upgraded`` names those of its packages that are
    to be as new as possible.
    """

    unproven: bool = False
    pre: bool = False
    lowest: bool = False
    exclude_newer: str | None = None
    preferred: Mapping[str, str] = field(default_factory=dict)
    upgraded: Collection[str] = ()


@dataclass(frozen=True)
class Pin:
    """One package of a lock.

    ``files`` are those an installer may use on the target; ``required_by`` names what asked for it (packages,
    files, the command line) and ``rules`` the rules that did, each as (package, rule). ``marker`` is kept from
    the user's line. ``written`` is set for what is installed from an address rather than an index. ``unproven``
    says why no data judge this release of the torch family; ``built``, of what an installer has to build, where
    its requirements were read.
    """

    name: str
    version: str
    files: tuple[File, ...]
    required_by: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    marker: str = ""
    written: ParsedRequirement | None = None
    extras: tuple[str, ...] = ()
    unproven: Unknown | None = None
    built: str = ""


@dataclass(frozen=True)
class HostNote:
    """What a pin has to do with a library of the machine.

    ``kind`` is needs (it will not load without), wants (it can do more with it) or bundles (it carries its
    own). ``library`` is a host library's name, or another package's for a want; ``specifier`` its versions.
    """

    kind: str
    library: str
    specifier: str
    package: str
    version: str
    statement: Statement

    @property
    def of_the_machine(self) -> bool:
        """Whether the library is the machine's rather than another package."""
        needed = (*self.statement.needs, *self.statement.wants)
        return any(dependency.name == HOST_PREFIX + self.library for dependency in needed)

    def admits(self, version: str) -> bool:
        """Whether this version of the library serves; one that nobody knows is taken to."""
        return not version or specifier_set(self.specifier).contains(version)


@dataclass(frozen=True)
class Lock:
    """An environment that loads on ``target``; pins sorted by name."""

    target: Target
    pins: tuple[Pin, ...]
    host: tuple[HostNote, ...]
    notes: tuple[str, ...]
    visited: int


@dataclass(frozen=True)
class Conflict:
    """No environment satisfies these lines; everything the explainer needs to say why.

    ``retry`` tries the same lines on another target; ``overrides`` are the lines that replaced others.
    """

    universe: Universe
    units: tuple[UserRequirement, ...]
    retry: Callable[[Target], Lock | Conflict]
    overrides: tuple[ParsedRequirement, ...] = ()
