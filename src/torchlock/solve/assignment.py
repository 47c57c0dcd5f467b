"""The values that remain of each identifier, with a trail of all changes, so that levels can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.records import NamedTuple

if TYPE_CHECKING:
    from torchlock.solve.nogoods import Nogood


class Forward(NamedTuple):
    """Every remaining candidate of ``owner`` needs a candidate of ``mask``."""

    owner: str
    mask: int


class Backward(NamedTuple):
    """These candidates need one of ``mask`` of ``target``, and none of them remains."""

    target: str
    mask: int
    candidates: int


# Why values were removed; None for a choice.
Reason = "Forward | Backward | Nogood | None"


class Change(NamedTuple):
    """The values of an identifier before and after a removal at a level."""

    identifier: str
    before: int
    after: int
    level: int
    reason: Forward | Backward | Nogood | None


class Assignment:
    """The values of each identifier: ``now``, and ``every`` at the start.

    ``trail`` has all changes. ``level`` counts the choices.
    """

    def __init__(self) -> None:
        self.every: dict[str, int] = {}
        self.now: dict[str, int] = {}
        self.trail: list[Change] = []
        self._places: dict[str, list[int]] = {}
        self._starts: list[int] = []

    @property
    def level(self) -> int:
        return len(self._starts)

    def meet(self, identifier: str, values: int) -> None:
        """Add an identifier with all its values."""
        self.every[identifier] = self.now[identifier] = values
        self._places[identifier] = []

    def open_level(self) -> None:
        self._starts.append(len(self.trail))

    def keep(self, identifier: str, mask: int, reason: Forward | Backward | Nogood | None) -> bool:
        """Remove the values outside of the mask; return whether there were any."""
        before = self.now[identifier]
        after = before & mask
        if after == before:
            return False
        self.now[identifier] = after
        self._places[identifier].append(len(self.trail))
        self.trail.append(Change(identifier, before, after, len(self._starts), reason))
        return True

    def back_to(self, level: int) -> list[str]:
        """Take back the changes of all later levels; returns their identifiers."""
        if level >= len(self._starts):
            return []
        start = self._starts[level]
        touched = []
        while len(self.trail) > start:
            change = self.trail.pop()
            self.now[change.identifier] = change.before
            self._places[change.identifier].pop()
            touched.append(change.identifier)
        del self._starts[level:]
        return touched

    def satisfied_at(self, identifier: str, mask: int) -> int:
        """The place in the trail of the change that made a term true; -1 if it always was."""
        place = -1
        for place in reversed(self._places[identifier]):
            if self.trail[place].before & ~mask:
                return place
        return -1
