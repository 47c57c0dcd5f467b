"""Whether a pattern has two ways to match, and a text that shows it: the automaton of a pattern, and its loops.

A matcher that goes back tries every way through the automaton. Their number grows with the length of the text

- exponentially, where some word leads from a state back to itself in two ways;
- by the square or more, where some word leads from one loop to itself, from it to a second, and round the second.

A search is a loop over all characters before the pattern. (Weber and Seidl, "On the degree of ambiguity of finite
automata", 1991.)
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from support.regex.tree import (
    FOREVER,
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
)

_TRIED = 12  # texts that are made of one loop, or of a pair of them
_COPIES = 200  # so many states at most, one counted repeat is written out to


@dataclass
class Witness:
    """A text on which many ways are tried: ``before``, then ``word`` again and again, then something else."""

    before: str
    word: str
    kind: str  # "exponential" or "polynomial"


@dataclass
class _Automaton:
    """States are characters of the pattern: state ``n`` is entered by any of ``letters[n]``."""

    letters: list[frozenset[str]] = field(default_factory=list)
    next: list[dict[int, int]] = field(default_factory=list)  # which states follow, and in how many ways


def witnesses(pattern: Pattern, searched: bool, endless: int = 1000) -> Iterator[Witness]:
    """Texts that show each pair of loops with two ways through them.

    Args:
        searched: Whether the pattern is tried at every place of a text.
        endless: From how many rounds on a bounded repeat counts as one without bound.
    """
    automaton = _Builder(pattern, endless).automaton(searched)
    for found in _doubtful(automaton):
        yield found
        if searched and len(found.before) < 2:
            yield Witness("", found.word, found.kind)


class _Builder:
    def __init__(self, pattern: Pattern, endless: int) -> None:
        self._pattern = pattern
        self._endless = endless
        self._free: list[list[tuple[int, Node | None]]] = []  # the moves without a character, and their condition
        self._chars: list[tuple[int, frozenset[str], int]] = []
        self._groups: dict[int, Node] = {}
        self._classes = _classes(pattern)

    def automaton(self, searched: bool) -> _Automaton:
        start = self._point()
        self._add(self._pattern.root, start)
        before = [frozenset[str](), *(self._classes if searched else [])]  # the states before the pattern
        made = _Automaton(before[:], [{} for _ in before])
        by_source: dict[int, list[int]] = {}
        for number, (source, letters, _) in enumerate(self._chars, len(before)):
            by_source.setdefault(source, []).append(number)
            made.letters.append(letters)
            made.next.append({})
        ends = [*(start for _ in before), *(end for _, _, end in self._chars)]
        for number, end in enumerate(ends):
            made.next[number] = self._followers(made, number, end, by_source)
        for number in range(len(before)):
            made.next[number] |= dict.fromkeys(range(1, len(before)), 1)
        return made

    def _followers(
        self, made: _Automaton, state: int, point: int, by_source: dict[int, list[int]]
    ) -> dict[int, int]:
        found: dict[int, int] = {}
        last = next(iter(made.letters[state]), None)  # all letters of a state are alike for conditions
        stack: list[tuple[int, frozenset[int], tuple[Node, ...]]] = [(point, frozenset([point]), ())]
        budget = 20_000
        while stack and budget:
            budget -= 1
            here, behind, conditions = stack.pop()
            for number in by_source.get(here, ()):
                letter = next(iter(made.letters[number]))
                if all(_holds(condition, last, letter) for condition in conditions):
                    found[number] = found.get(number, 0) + 1
            for other, condition in self._free[here]:
                if other not in behind:
                    stack.append((other, behind | {other}, (*conditions, condition) if condition else conditions))
        return found

    def _point(self) -> int:
        self._free.append([])
        return len(self._free) - 1

    def _add(self, node: Node, start: int) -> int:
        """Add the states of a node behind a point; the point at its end."""
        if isinstance(node, Char):
            end = self._point()
            for letters in self._classes:
                if node.letters & letters:
                    self._chars.append((start, node.letters & letters, end))
            return end
        if isinstance(node, Sequence):
            for part in node.parts:
                start = self._add(part, start)
            return start
        if isinstance(node, Branch):
            return self._joined([self._add(part, self._beyond(start)) for part in node.parts])
        if isinstance(node, Condition):
            return self._joined([self._add(part, self._beyond(start)) for part in (node.yes, node.no)])
        if isinstance(node, Group):
            self._groups[node.number] = node.body
            return self._add(node.body, start)
        if isinstance(node, Atomic):
            return self._add(node.body, start)
        if isinstance(node, Reference):
            return self._add(self._groups[node.number], start)
        if isinstance(node, Look):
            if node.ahead:
                self._add(node.body, self._beyond(start))
            return self._beyond(start, node if isinstance(node.body, Char) else None)
        if isinstance(node, Anchor):
            return self._beyond(start, node)
        return self._repeat(node, start) if isinstance(node, Repeat) else start

    def _repeat(self, node: Repeat, start: int) -> int:
        endless = node.most >= min(self._endless, FOREVER)
        size = max(1, _size(node.body))
        least = min(node.least, max(2, _COPIES // size))
        for _ in range(least - 1 if endless else least):
            start = self._add(node.body, start)
        if endless:
            entry = self._beyond(start)
            end = self._add(node.body, entry)
            again = self._beyond(end)
            self._free[again].append((entry, None))
            return self._joined([again] if node.least else [again, start])
        ends = [start]
        for _ in range(min(node.most - node.least, max(1, _COPIES // size // 4), 3)):
            start = self._add(node.body, self._beyond(start))
            ends.append(start)
        return self._joined(ends)

    def _beyond(self, point: int, condition: Node | None = None) -> int:
        new = self._point()
        self._free[point].append((new, condition))
        return new

    def _joined(self, ends: list[int]) -> int:
        new = self._point()
        for end in ends:
            self._free[end].append((new, None))
        return new


def _classes(pattern: Pattern) -> list[frozenset[str]]:
    """The letters, in classes that no condition of the pattern tells apart."""
    conditions = [node for node in _nodes(pattern.root) if isinstance(node, (Anchor, Look))]
    known: dict[tuple[bool, ...], set[str]] = {}
    for letter in pattern.letters:
        row = [
            letter in node.body.letters
            for node in conditions
            if isinstance(node, Look) and isinstance(node.body, Char)
        ]
        if any(isinstance(node, Anchor) for node in conditions):
            row += [letter == "\n", in_category("WORD", 0, letter)]
        known.setdefault(tuple(row), set()).add(letter)
    return [frozenset(letters) for letters in known.values()]


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for part in _parts(node):
        yield from _nodes(part)


def _parts(node: Node) -> list[Node]:
    if isinstance(node, (Sequence, Branch)):
        return node.parts
    if isinstance(node, Condition):
        return [node.yes, node.no]
    return [node.body] if isinstance(node, (Repeat, Group, Atomic, Look)) else []


def _holds(condition: Node, last: str | None, letter: str) -> bool:
    """Whether a condition holds between two letters; before the first one stands none."""
    if isinstance(condition, Look):
        assert isinstance(condition.body, Char)
        there = letter if condition.ahead else last
        return (there is not None and there in condition.body.letters) != condition.negative
    assert isinstance(condition, Anchor)
    lines = bool(condition.flags & re.MULTILINE)
    if condition.kind.startswith("BEGINNING"):
        return last is None or (lines and last == "\n" and condition.kind != "BEGINNING_STRING")
    if condition.kind.startswith("END"):
        return lines and letter == "\n" and condition.kind == "END"
    of_words = [place is not None and in_category("WORD", condition.flags, place) for place in (last, letter)]
    return (of_words[0] != of_words[1]) == (condition.kind == "BOUNDARY")


def _size(node: Node) -> int:
    if isinstance(node, Char):
        return 1
    if isinstance(node, (Sequence, Branch)):
        return sum(_size(part) for part in node.parts)
    if isinstance(node, Repeat):
        return _size(node.body) * max(1, min(node.least, 200))
    if isinstance(node, (Group, Atomic, Look)):
        return _size(node.body)
    return 1


def _doubtful(automaton: _Automaton) -> Iterator[Witness]:
    loops = _loops(automaton)
    before = _ways_to(automaton)
    reach = _reach(automaton)
    for inside in loops:
        for state, way in _twice(automaton, inside):
            yield from _told(automaton, before[state], way, "exponential")
    for first in loops:
        for second in loops:
            if first is second or not second & reach[next(iter(first))]:
                continue
            between = {state for state in reach[next(iter(first))] if reach[state] & second} | first
            for state, way in _both(automaton, first, between, second):
                yield from _told(automaton, before[state], way, "polynomial")


_Way = list[frozenset[str]]  # what each letter of a word may be


def _told(automaton: _Automaton, before: _Way, word: _Way, kind: str) -> Iterator[Witness]:
    """Some of the words that a way allows."""
    for place in (0.0, 0.5, 1.0):
        yield Witness(*("".join(_chosen(letters, place) for letters in way) for way in (before, word)), kind)


def _chosen(letters: frozenset[str], place: float) -> str:
    inside = sorted(letters)
    return inside[round(place * (len(inside) - 1))]


def _loops(automaton: _Automaton) -> list[set[int]]:
    """The strongly connected parts that are loops."""
    reach = _reach(automaton)
    known: set[int] = set()
    loops: list[set[int]] = []
    for state in sorted({0}.union(*(reach[:1]))):
        if state not in known and state in reach[state]:
            loops.append({other for other in reach[state] if state in reach[other]})
            known |= loops[-1]
    return loops


def _reach(automaton: _Automaton) -> list[set[int]]:
    """For each state, which can be reached by one character or more."""
    known: list[set[int]] = []
    for state in range(len(automaton.next)):
        seen: set[int] = set()
        stack = list(automaton.next[state])
        while stack:
            here = stack.pop()
            if here not in seen:
                seen.add(here)
                stack += automaton.next[here]
        known.append(seen)
    return known


def _ways_to(automaton: _Automaton) -> dict[int, _Way]:
    """A shortest way to each state."""
    ways: dict[int, _Way] = {0: []}
    queue = deque([0])
    while queue:
        here = queue.popleft()
        for other in automaton.next[here]:
            if other not in ways:
                ways[other] = [*ways[here], automaton.letters[other]]
                queue.append(other)
    return ways


def _twice(automaton: _Automaton, inside: set[int]) -> Iterator[tuple[int, _Way]]:
    """States of a loop from which one word leads back in two ways: for each, a shortest word."""
    for state in sorted(inside):
        for other, count in automaton.next[state].items():
            if count > 1 and other in inside:
                yield state, [automaton.letters[other], *_back(automaton, other, state, inside)]
    if _parting(automaton, inside, inside):
        for state in sorted(inside)[:_TRIED]:
            found = _parting(automaton, {state}, inside)
            if found:
                yield found


def _parting(automaton: _Automaton, starts: set[int], inside: set[int]) -> tuple[int, _Way] | None:
    """A word on which two ways part from a start, and come together again in it."""
    ways: dict[tuple[int, int], tuple[int, _Way]] = {(state, state): (state, []) for state in sorted(starts)}
    queue = deque(ways)
    while queue:
        pair = queue.popleft()
        origin, way = ways[pair]
        for one in automaton.next[pair[0]].keys() & inside:
            for two in automaton.next[pair[1]].keys() & inside:
                letters = automaton.letters[one] & automaton.letters[two]
                if letters and one == two and pair[0] != pair[1]:
                    return origin, [*way, letters, *_back(automaton, one, origin, inside)]
                if letters and (one, two) not in ways:
                    ways[one, two] = (origin, [*way, letters])
                    queue.append((one, two))
    return None


def _back(automaton: _Automaton, start: int, end: int, inside: set[int]) -> _Way:
    ways: dict[int, _Way] = {start: []}
    queue = deque([start])
    while queue and end not in ways:
        here = queue.popleft()
        for other in automaton.next[here].keys() & inside:
            if other not in ways:
                ways[other] = [*ways[here], automaton.letters[other]]
                queue.append(other)
    return ways.get(end, [])


def _both(
    automaton: _Automaton, first: set[int], between: set[int], second: set[int]
) -> Iterator[tuple[int, _Way]]:
    """States of a first loop that one word leads back to, and to a state of a second loop, and round that."""
    threes = _Threes(automaton, first, between, second)
    reached = threes.ways([(state, state, other) for state in sorted(first) for other in sorted(second)])
    ends = [three for three in reached if three[1] == three[2] and three[0] in first and three[2] in second]
    tried = 0
    for state, _, other in ends:
        way = threes.ways([(state, state, other)], (state, other, other)).get((state, other, other))
        if way:
            yield state, way
            tried += 1
        if tried == _TRIED:
            return


@dataclass
class _Threes:
    """Three states that go on with the same letters: the first in one loop, the last in another."""

    automaton: _Automaton
    first: set[int]
    between: set[int]
    second: set[int]

    def ways(
        self, starts: list[tuple[int, int, int]], end: tuple[int, int, int] | None = None
    ) -> dict[tuple[int, int, int], _Way]:
        """The ways that lead from a start to each other three, up to an end."""
        letters = self.automaton.letters
        ways: dict[tuple[int, int, int], _Way] = {}
        queue: deque[tuple[tuple[int, int, int], _Way]] = deque((start, []) for start in starts)
        while queue:
            here, way = queue.popleft()
            for one in self._next(here[0], self.first):
                for last in self._next(here[2], self.second):
                    shared = letters[one] & letters[last]
                    for two in self._next(here[1], self.between) if shared else ():
                        there = (one, two, last)
                        if there not in ways and shared & letters[two]:
                            ways[there] = [*way, shared & letters[two]]
                            if there == end:
                                return ways
                            queue.append((there, ways[there]))
        return ways

    def _next(self, state: int, inside: set[int]) -> list[int]:
        known = self._known.setdefault(id(inside), {})
        if state not in known:
            known[state] = [other for other in self.automaton.next[state] if other in inside]
        return known[state]

    _known: dict[int, dict[int, list[int]]] = field(default_factory=dict)
