"""How many steps a regular expression takes on a text: a matcher that goes back as Python's own does, and counts.

A step is one character looked at, one way tried, or one place begun at. No clock is read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from support.regex.tree import (
    Anchor,
    Atomic,
    Branch,
    Char,
    Condition,
    Group,
    Look,
    Node,
    Pattern,
    Reference,
    Repeat,
    Sequence,
    in_category,
    parsed,
)

_Go = Callable[[int], bool]


class TooManySteps(Exception):
    """The budget of steps is spent."""


class Matcher:
    """A pattern ready to be matched against texts of its own letters."""

    def __init__(self, pattern: Pattern, budget: int = 1_000_000) -> None:
        self.steps = 0
        self._budget = budget
        self._text = ""
        self._ends: list[tuple[int, int] | None] = [None] * pattern.groups
        self._whole = False
        self._end = 0
        self._start = self._made(pattern.root, self._accepted)

    def match(self, text: str, start: int = 0, whole: bool = False) -> tuple[int, int] | None:
        """Where the pattern matches from a place on, as `match` (or `fullmatch`) finds it."""
        self._text, self._whole = text, whole
        self._ends = [None] * len(self._ends)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, 50_000))
        try:
            return (start, self._end) if self._start(start) else None
        finally:
            sys.setrecursionlimit(limit)

    def all(self, text: str) -> list[tuple[int, int]]:
        """Where the pattern matches, as `finditer` finds it."""
        found: list[tuple[int, int]] = []
        at, empty = 0, False  # whether there was an empty match here, so that the next is a longer one
        while at <= len(text):
            self._step()
            here = self._beyond(text, at) if empty else self.match(text, at)
            if here is None:
                at, empty = at + 1, False
            else:
                found.append(here)
                at, empty = here[1], here[0] == here[1]
        return found

    def groups(self) -> list[tuple[int, int] | None]:
        """Where the groups of the last match lie."""
        return self._ends[1:]

    def _beyond(self, text: str, at: int) -> tuple[int, int] | None:
        """A match that is not empty."""
        self._least = at + 1
        try:
            return self.match(text, at)
        finally:
            self._least = 0

    _least = 0

    def _accepted(self, at: int) -> bool:
        if at < self._least or (self._whole and at != len(self._text)):
            return False
        self._end = at
        return True

    def _step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > self._budget:
            self.steps = self._budget + 1
            raise TooManySteps

    def _made(self, node: Node, then: _Go) -> _Go:
        """A function that matches the node at a place and goes on with the rest."""
        if isinstance(node, Char):
            return self._char(node, then)
        if isinstance(node, Sequence):
            for part in reversed(node.parts):
                then = self._made(part, then)
            return then
        if isinstance(node, Branch):
            return self._branch([self._made(part, then) for part in node.parts])
        if isinstance(node, Repeat):
            if node.kind == "possessive":
                return self._made(Atomic(Repeat(node.body, node.least, node.most)), then)
            return self._of_chars(node, then) if isinstance(node.body, Char) else self._repeat(node, then)
        if isinstance(node, Group):
            return self._group(node, then)
        if isinstance(node, Atomic):
            return self._atomic(node, then)
        if isinstance(node, Look):
            return self._look(node, then)
        if isinstance(node, Reference):
            return self._reference(node, then)
        if isinstance(node, Condition):
            yes, no = self._made(node.yes, then), self._made(node.no, then)
            return lambda at: (yes if self._ends[node.number] else no)(at)
        assert isinstance(node, Anchor)
        return lambda at: self._stands(node, at) and then(at)

    def _char(self, node: Char, then: _Go) -> _Go:
        letters = node.letters

        def go(at: int) -> bool:
            self._step()
            return at < len(self._text) and self._text[at] in letters and then(at + 1)

        return go

    def _branch(self, ways: list[_Go]) -> _Go:
        def go(at: int) -> bool:
            for way in ways:
                self._step()
                if way(at):
                    return True
            return False

        return go

    def _of_chars(self, node: Repeat, then: _Go) -> _Go:
        assert isinstance(node.body, Char)
        letters = node.body.letters

        def taken(at: int, most: int) -> int:
            text, end = self._text, at
            limit = min(len(text), at + most)
            while end < limit and text[end] in letters:
                end += 1
            self._step(end - at + 1)
            return end

        def greedy(at: int) -> bool:
            end = taken(at, node.most)
            while end - at >= node.least:
                if then(end):
                    return True
                self._step()
                end -= 1
            return False

        def lazy(at: int) -> bool:
            end = taken(at, node.least)
            if end - at < node.least:
                return False
            while not then(end):
                self._step()
                if end - at >= node.most or end >= len(self._text) or self._text[end] not in letters:
                    return False
                end += 1
            return True

        return greedy if node.kind == "greedy" else lazy

    def _repeat(self, node: Repeat, then: _Go) -> _Go:
        rounds: list[tuple[int, int]] = []  # how many rounds are behind us, and where the last one began

        def after(at: int) -> bool:
            count, begun = rounds[-1]
            if at == begun and count >= node.least:
                return on(at)  # after an empty round there is no other
            return turn(at, count + 1)

        def around(at: int, count: int) -> bool:
            rounds.append((count, at))
            try:
                return body(at)
            finally:
                rounds.pop()

        def on(at: int) -> bool:
            """Go on behind the loop, which may be entered again from there."""
            kept = rounds[:]
            del rounds[:]
            try:
                return then(at)
            finally:
                rounds[:] = kept

        def turn(at: int, count: int) -> bool:
            self._step()
            if count < node.least:
                return around(at, count)
            if node.kind == "greedy":
                return (count < node.most and around(at, count)) or on(at)
            return on(at) or (count < node.most and around(at, count))

        body = self._made(node.body, after)
        return lambda at: turn(at, 0)

    def _group(self, node: Group, then: _Go) -> _Go:
        begun: list[int] = []

        def close(at: int) -> bool:
            old, start = self._ends[node.number], begun.pop()
            self._ends[node.number] = (start, at)
            if then(at):
                return True
            self._ends[node.number] = old
            begun.append(start)
            return False

        body = self._made(node.body, close)

        def go(at: int) -> bool:
            begun.append(at)
            if body(at):
                return True
            begun.pop()
            return False

        return go

    def _atomic(self, node: Atomic, then: _Go) -> _Go:
        ends: list[int] = []

        def close(at: int) -> bool:
            ends.append(at)
            return True

        body = self._made(node.body, close)

        def go(at: int) -> bool:
            kept = self._ends[:]
            if body(at) and then(ends.pop()):
                return True
            self._ends[:] = kept
            return False

        return go

    def _look(self, node: Look, then: _Go) -> _Go:
        wanted: list[int | None] = []

        def close(at: int) -> bool:
            return wanted[-1] is None or wanted[-1] == at

        body = self._made(node.body, close)

        def seen(at: int) -> bool:
            if node.ahead:
                starts, end = [at], None
            else:
                starts, end = [at - node.width] if at >= node.width else [], at
            wanted.append(end)
            try:
                return any(body(start) for start in starts)
            finally:
                wanted.pop()

        def go(at: int) -> bool:
            self._step()
            kept = self._ends[:]
            if seen(at) != node.negative and then(at):
                return True
            self._ends[:] = kept
            return False

        return go

    def _reference(self, node: Reference, then: _Go) -> _Go:
        def go(at: int) -> bool:
            place = self._ends[node.number]
            if place is None:
                return False
            before = self._text[place[0] : place[1]]
            here = self._text[at : at + len(before)]
            self.steps += len(before)
            self._step()
            same = here.lower() == before.lower() if node.blind else here == before
            return same and then(at + len(before))

        return go

    def _stands(self, node: Anchor, at: int) -> bool:
        self._step()
        text, kind = self._text, node.kind
        if kind.startswith("BEGINNING"):
            lines = node.flags & re.MULTILINE and kind != "BEGINNING_STRING"
            return at == 0 or bool(lines and text[at - 1] == "\n")
        if kind in ("END", "END_STRING"):
            if at == len(text):
                return True
            lines = node.flags & re.MULTILINE
            return kind == "END" and text[at] == "\n" and bool(lines or at == len(text) - 1)
        around = [
            0 <= place < len(text) and in_category("WORD", node.flags, text[place]) for place in (at - 1, at)
        ]
        return (around[0] != around[1]) == (kind == "BOUNDARY")


def steps(pattern: str | bytes, text: str, flags: int = 0, how: str = "all", budget: int = 1_000_000) -> int:
    """The steps that a pattern takes on a text; ``how`` is ``match``, ``fullmatch`` or ``all`` (``finditer``)."""
    matcher = Matcher(parsed(pattern, flags), budget)
    return counted(matcher, text, how)


def counted(matcher: Matcher, text: str, how: str) -> int:
    """The steps of one call; a budget that is spent counts as itself."""
    matcher.steps = 0
    try:
        if how == "all":
            matcher.all(text)
        else:
            matcher.match(text, 0, how == "fullmatch")
    except TooManySteps:
        pass
    return matcher.steps
