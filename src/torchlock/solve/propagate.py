"""Arc consistency: remove every candidate that no solution can contain.

Two inferences, repeated until nothing changes. A candidate is removed if one of its needs has no candidates left.
And if every solution needs a package, every solution also needs what all its remaining candidates need: a
candidate that at least one of them allows. Both are sound on cyclic graphs; an empty domain of a package that must
be held proves that there is no solution.
"""

from __future__ import annotations

from torchlock.knowledge.masks import bits, full
from torchlock.records import NamedTuple
from torchlock.solve.problem import Need, Unsolvable
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.solve.problem import Problem


class DomainWipeout(Unsolvable):
    """The domain of ``identifier``, which every solution needs, became empty."""

    def __init__(self, identifier: str) -> None:
        super().__init__(identifier)
        self.identifier = identifier


class Loss(NamedTuple):
    """Why candidates were removed.

    ``cause`` is a need of the user (``by`` None), a need of the candidate for which no candidate is left (``by``
    is the identifier without candidates), or a need of the package ``by`` that every solution contains.
    """

    identifier: str
    mask: int
    by: str | None
    cause: Need | None


class Domains:
    """The remaining candidates: a mask for each visited identifier; the identifiers that every solution needs."""

    __slots__ = ("_known", "_limits", "_problem", "_undo", "_watchers", "left", "losses", "must")

    def __init__(self, problem: Problem, limits: Mapping[str, int] | None = None) -> None:
        self._problem = problem
        self._limits = dict(limits or {})
        self._watchers: dict[str, list[tuple[str, int, Need]]] = {}
        self._known: dict[tuple[str, int], int] = {}
        self._undo: list[tuple[str, int | None]] | None = None
        self.left: dict[str, int] = {}
        self.must: dict[str, None] = {}
        self.losses: list[Loss] | None = None

    def require(self, needs: Iterable[Need]) -> None:
        """Add needs of every solution, and propagate.

        Raises:
            DomainWipeout: there is no solution.
        """
        changed: dict[str, None] = {}
        needs = list(needs)
        for need in needs:  # first, so that candidates that they rule out are never visited
            self._limits[need.identifier] = self._limits.get(need.identifier, -1) & need.mask
        if self.losses is None:  # nobody asks why, so nothing has to be visited
            for need in needs:
                if not self._limits[need.identifier]:
                    raise DomainWipeout(need.identifier)
        for need in needs:
            self._meet(need.identifier, changed)
            self._hold(need, None, changed)
        self._settle(changed)

    def choose(self, identifier: str, mask: int) -> None:
        """Keep only the candidates of this mask, and propagate.

        Raises:
            DomainWipeout: there is no solution.
        """
        changed: dict[str, None] = {}
        self._hold(Need(identifier, mask), None, changed)
        self._settle(changed)

    def allows(self, identifier: str, mask: int) -> bool:
        """Whether ``choose`` would find no contradiction. Nothing is changed."""
        self._undo = []
        try:
            self.choose(identifier, mask)
        except DomainWipeout:
            return False
        finally:
            for name, before in reversed(self._undo):
                if before is None:
                    del self.must[name]
                else:
                    self.left[name] = before
            self._undo = None
        return True

    def renew(self, solution: Mapping[str, int]) -> list[str]:
        """Add the needs of these candidates that became known since, and propagate; returns who has new needs.

        Raises:
            DomainWipeout: there is no solution.
        """
        changed: dict[str, None] = {}
        renewed: list[str] = []
        for name, index in solution.items():
            if len(self._problem.needs(name, index)) != self._known[name, index]:
                changed[name] = None
                renewed.append(name)
                for target in self._watch(name, index):
                    self._meet(target, changed)
                for need in self._problem.needs(name, index):
                    changed[need.identifier] = None
        self._settle(changed)
        return renewed

    def _settle(self, changed: dict[str, None]) -> None:
        while changed:
            identifier = next(iter(changed))
            del changed[identifier]
            self._revise(identifier, changed)
            if identifier in self.must:
                self._imply(identifier, changed)

    def _meet(self, identifier: str, changed: dict[str, None]) -> None:
        """Add an identifier and all that it can reach."""
        waiting = [identifier]
        while waiting:
            name = waiting.pop()
            if name in self.left:
                continue
            everything = full(self._problem.size(name))
            self.left[name] = everything & self._limits.get(name, -1)
            changed[name] = None
            for index in bits(self.left[name]):
                waiting += self._watch(name, index)

    def _watch(self, name: str, index: int) -> list[str]:
        """Watch the needs of a candidate; returns the identifiers that it needs."""
        needs = self._problem.needs(name, index)
        self._known[name, index] = len(needs)
        for need in needs:
            watchers = self._watchers.get(need.identifier)
            if watchers is None:
                watchers = self._watchers[need.identifier] = []
            watchers.append((name, index, need))
        return [need.identifier for need in needs if need.identifier not in self.left]

    def _revise(self, identifier: str, changed: dict[str, None]) -> None:
        """Remove the candidates whose need on this identifier cannot be met any more."""
        left = self.left
        here = left[identifier]
        for name, index, need in self._watchers.get(identifier, ()):
            if not need.mask & here and left[name] >> index & 1:
                self._lose(name, 1 << index, identifier, need, changed)
                here = left[identifier]

    def _imply(self, identifier: str, changed: dict[str, None]) -> None:
        """Require what all remaining candidates of a required package need."""
        allowed: dict[str, int] | None = None
        for index in bits(self.left[identifier]):
            mine: dict[str, int] = {}
            for need in self._problem.needs(identifier, index):
                mine[need.identifier] = mine.get(need.identifier, -1) & need.mask
            if allowed is None:
                allowed = mine
            else:
                allowed = {name: mask | mine[name] for name, mask in allowed.items() if name in mine}
            if not allowed:
                return
        for name, mask in (allowed or {}).items():
            self._hold(Need(name, mask), identifier, changed)

    def _hold(self, need: Need, by: str | None, changed: dict[str, None]) -> None:
        identifier = need.identifier
        if identifier not in self.must:
            self.must[identifier] = None
            if self._undo is not None:
                self._undo.append((identifier, None))
            changed[identifier] = None
            if not self.left[identifier]:
                raise DomainWipeout(identifier)
        self._lose(identifier, self.left[identifier] & ~need.mask, by, need, changed)

    def _lose(self, identifier: str, mask: int, by: str | None, cause: Need, changed: dict[str, None]) -> None:
        if not mask:
            return
        if self._undo is not None:
            self._undo.append((identifier, self.left[identifier]))
        self.left[identifier] &= ~mask
        changed[identifier] = None
        if self.losses is not None:
            self.losses.append(Loss(identifier, mask, by, cause))
        if not self.left[identifier] and identifier in self.must:
            raise DomainWipeout(identifier)


def propagate(problem: Problem, roots: Sequence[Need], limits: Mapping[str, int]) -> Domains:
    """The domains that remain under these roots and limits.

    Raises:
        DomainWipeout: there is no solution.
    """
    domains = Domains(problem, limits)
    domains.require(roots)
    return domains


class Trace(NamedTuple):
    """How far a propagation got. ``empty`` is the identifier without a candidate; "" if there is none."""

    domains: Domains
    losses: list[Loss]
    empty: str


def traced(
    problem: Problem, roots: Sequence[Need], limits: Mapping[str, int], choice: tuple[str, int] | None = None
) -> Trace:
    """Propagate, and record why candidates were removed; ``choice`` holds one identifier to a mask."""
    domains = Domains(problem, limits)
    losses = domains.losses = []
    try:
        domains.require(roots)
        if choice is not None:
            domains.choose(*choice)
    except DomainWipeout as wipeout:
        return Trace(domains, losses, wipeout.identifier)
    return Trace(domains, losses, "")


def shave(domains: Domains, identifiers: Iterable[str]) -> None:
    """Remove the best candidates of required packages, as long as choosing them proves impossible.

    Raises:
        DomainWipeout: there is no solution.
    """
    for identifier in identifiers:
        while (left := domains.left[identifier]) & (left - 1):
            first = left & -left
            if domains.allows(identifier, first):
                break
            domains.choose(identifier, left & ~first)
