"""Patterns whose steps grow faster than the text: what the automaton suspects is counted on a text."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from support.amount import THOROUGH
from support.regex.paths import witnesses
from support.regex.steps import Matcher, counted
from support.regex.tree import Pattern, parsed

_BUDGET = 200_000
_ROUNDS = 16
_QUICK = 4  # ends that a quick run tries, if a pattern is suspected on many texts
_MANY = 20


@dataclass
class Slow:
    """A text on which a pattern takes too many steps, and those at one, two and three times its length."""

    before: str
    word: str
    after: str
    steps: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.before!r} + {self.word!r} * n + {self.after!r}: {self.steps}"


@cache
def slow(pattern: str | bytes, flags: int = 0, how: str = "all") -> Slow | None:
    """The text on which a pattern is slowest, if its steps grow faster than the text does."""
    tree = parsed(pattern, flags)
    suspected = dict.fromkeys((each.before, each.word) for each in witnesses(tree, how == "all"))
    ends = ["", *tree.letters, *(letter + "\n" for letter in tree.letters if letter != "\n")]
    if not THOROUGH and len(suspected) > _MANY:
        ends = random.Random(0).sample(ends, _QUICK)
    grown = (_grown(tree, before, word, how, ends) for before, word in suspected)
    return next((each for each in grown if each), None)


def _grown(tree: Pattern, before: str, word: str, how: str, ends: list[str]) -> Slow | None:
    """The steps on a witness, with the first end that costs too many; nothing where they grow as the text does."""
    matcher = Matcher(tree, _BUDGET)
    for after in ends:
        counts = [counted(matcher, before + word * (_ROUNDS * times) + after, how) for times in (1, 2, 3)]
        bend = counts[2] - 2 * counts[1] + counts[0]  # nothing for a straight line
        if bend > _ROUNDS or counts[2] >= _BUDGET:
            return Slow(before, word, after, (counts[0], counts[1], counts[2]))
    return None
