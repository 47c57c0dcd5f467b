"""Conditions of ``if`` in shell commands that the text decides, such as the system of a machine in a workflow."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.manifests.syntax.shell import Word

# The variable that a workflow sets for every shell. Others can change while a script runs.
_FIXED = pattern(r"\$(?:RUNNER_OS\b|\{RUNNER_OS\})")


class Branch(NamedTuple):
    """One branch of ``if`` or ``case``: where it begins, and whether it runs (None: that is not known).

    ``earlier``: whether an earlier branch of the same ``if`` runs.
    """

    place: int
    runs: bool | None = None
    earlier: bool | None = False

    def next(self, place: int, held: bool | None) -> Branch:
        """The branch behind ``else`` or ``elif``, whose condition holds, does not hold, or is not known."""
        before = {self.runs, self.earlier}
        earlier = True if True in before else None if None in before else False
        runs = False if earlier or held is False else None if earlier is None else held
        return Branch(place, runs, earlier)


def holds(words: Sequence[Word], text: str) -> bool | None:
    """Whether a test such as ``[ "$RUNNER_OS" = Windows ]`` holds; None if the text does not decide it."""
    values = [word.value for word in words]
    if len(values) not in (4, 5) or (values[0], values[-1]) not in (("[", "]"), ("[[", "]]")):
        return None
    if any(word.unknown or "$" in _FIXED.sub("", text[word.start : word.end]) for word in words):
        return None
    if len(values) == 4:
        return bool(values[2]) is (values[1] == "-n") if values[1] in ("-n", "-z") else None
    left, operator, right = values[1:4]
    if operator not in ("=", "==", "!="):
        return None
    literal = values[0] == "[" or "*" not in right
    same = left == right if literal else fnmatchcase(left, right)
    return same is (operator != "!=")
