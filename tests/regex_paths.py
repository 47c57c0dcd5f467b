"""Whether a pattern has two ways to match, and a text that shows it: the automaton of a pattern, and its loops.

A matcher that goes back tries every way through the automaton. Their number grows with the length of the text

- exponentially, where some word leads from a state back to itself in two ways;
- by the square or more, where some word leads from one loop to itself, from it to a second, and round the second.

A search is a loop over all characters before the pattern. (Weber and Seidl, "On the degree of ambiguity of finite
automata", 1991.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from regex_tree import (
    FOREVER,
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
)

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

    def on(self, state: int, letter: str) -> Iterator[int]:
        return (other for other in self.next[state] if letter in self.letters[other])


def witnesses(pattern: Pattern, searched: bool, endless: int = 1000) -> list[Witness]:
    """Texts that show each pair of loops with two ways through them.

    Args:
        searched: Whether the pattern is tried at every place of a text.
        endless: From how many rounds on a bounded repeat counts as one without bound.
    """
    automaton = _Builder(pattern, endless).automaton(searched)
    found: list[Witness] = []
    for before, word, kind in _doubtful(automaton):
        found.append(Witness(before, word, kind))
    return found


class _Builder:
    def __init__(self, pattern: Pattern, endless: int) -> None:
        self._pattern = pattern
        self._endless = endless
        self._free: list[list[int]] = []  # the moves without a character
        self._chars: list[tuple[int, frozenset[str], int]] = []
        self._groups: dict[int, Node] = {}

    def automaton(self, searched: bool) -> _Automaton:
        start = self._point()
        self._add(self._pattern.root, start)
        made = _Automaton([frozenset()], [{}])
        every = frozenset(self._pattern.letters)
        by_source: dict[int, list[int]] = {}
        for number, (source, letters, _) in enumerate(self._chars, 1):
            by_source.setdefault(source, []).append(number)
            made.letters.append(letters)
            made.next.append({})
        ends = [start, *(end for _, _, end in self._chars)]
        for number, end in enumerate(ends):
            made.next[number] = self._followers(end, by_source)
        if searched:
            made.letters[0] = every
            made.next[0][0] = 1
        return made

    def _followers(self, point: int, by_source: dict[int, list[int]]) -> dict[int, int]:
        found: dict[int, int] = {}
        stack: list[tuple[int, frozenset[int]]] = [(point, frozenset([point]))]
        budget = 20_000
        while stack and budget:
            budget -= 1
            here, behind = stack.pop()
            for number in by_source.get(here, ()):
                found[number] = found.get(number, 0) + 1
            stack += [(other, behind | {other}) for other in self._free[here] if other not in behind]
        return found

    def _point(self) -> int:
        self._free.append([])
        return len(self._free) - 1

    def _add(self, node: Node, start: int) -> int:
        """Add the states of a node behind a point; the point at its end."""
        if isinstance(node, Char):
            end = self._point()
            if node.letters:
                self._chars.append((start, node.letters, end))
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
            return start
        return self._repeat(node, start) if isinstance(node, Repeat) else start

    def _repeat(self, node: Repeat, start: int) -> int:
        endless = node.most >= min(self._endless, FOREVER)
        size = max(1, _size(node.body))
        least = min(node.least, max(2, _COPIES // size))
        for _ in range(least - 1 if endless else least):
            start = self._add(node.body, start)
        if endless:
            end = self._add(node.body, self._beyond(start))
            again = self._beyond(end)
            self._free[again] += self._entry(start)
            return self._joined([again] if node.least else [again, start])
        ends = [start]
        for _ in range(min(node.most - node.least, max(1, _COPIES // size // 4), 3)):
            start = self._add(node.body, self._beyond(start))
            ends.append(start)
        return self._joined(ends)

    def _entry(self, start: int) -> list[int]:
        """The point at which the body of a loop begins that was added last behind ``start``."""
        return [self._free[start][-1]]

    def _beyond(self, point: int) -> int:
        new = self._point()
        self._free[point].append(new)
        return new

    def _joined(self, ends: list[int]) -> int:
        new = self._point()
        for end in ends:
            self._free[end].append(new)
        return new


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


def _doubtful(automaton: _Automaton) -> Iterator[tuple[str, str, str]]:
    component, loops = _components(automaton)
    before = _words_to(automaton)
    for inside in loops:
        for state, word in _twice(automaton, inside):
            if state in before:
                yield before[state], word, "exponential"
                break
    reach = _reach(automaton)
    for first in loops:
        for second in loops:
            if first is second:
                continue
            if not any(other in reach[state] for state in [next(iter(first))] for other in second):
                continue
            between = {s for s in reach[next(iter(first))] if reach[s] & second} | first
            for state, word in _both(automaton, first, between, second):
                if state in before:
                    yield before[state], word, "polynomial"


def _components(automaton: _Automaton) -> tuple[dict[int, int], list[set[int]]]:
    """The strongly connected parts that are loops."""
    reach = _reach(automaton)
    component: dict[int, int] = {}
    loops: list[set[int]] = []
    for state in range(len(automaton.next)):
        if state in component or state not in reach[state]:
            continue
        inside = {other for other in reach[state] if state in reach[other]}
        for other in inside:
            component[other] = len(loops)
        loops.append(inside)
    return component, loops


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


def _words_to(automaton: _Automaton) -> dict[int, str]:
    """A shortest text to each state."""
    words = {0: ""}
    queue = deque([0])
    while queue:
        here = queue.popleft()
        for other in automaton.next[here]:
            if other not in words and automaton.letters[other]:
                words[other] = words[here] + min(automaton.letters[other])
                queue.append(other)
    return words


def _twice(automaton: _Automaton, inside: set[int]) -> Iterator[tuple[int, str]]:
    """States of a loop from which one word leads back in two ways."""
    for state in inside:
        for other, ways in automaton.next[state].items():
            if ways > 1 and other in inside:
                back = _path(automaton, other, state, inside)
                yield state, min(automaton.letters[other]) + back
    start = {(state, state) for state in inside}
    words: dict[tuple[int, int], tuple[int, str]] = {pair: (pair[0], "") for pair in start}
    queue = deque(start)
    while queue:
        pair = queue.popleft()
        origin, word = words[pair]
        for letter in _common(automaton, pair, inside):
            for one in automaton.on(pair[0], letter):
                for two in automaton.on(pair[1], letter):
                    if one not in inside or two not in inside:
                        continue
                    if one == two and pair[0] != pair[1]:
                        yield origin, word + letter + _path(automaton, one, origin, inside)
                    if (one, two) not in words:
                        words[one, two] = (origin, word + letter)
                        queue.append((one, two))


def _common(automaton: _Automaton, states: tuple[int, ...], inside: set[int]) -> list[str]:
    sets = [
        frozenset().union(*(automaton.letters[other] for other in automaton.next[state] if other in inside))
        for state in states
    ]
    return sorted(frozenset.intersection(*sets))


def _path(automaton: _Automaton, start: int, end: int, inside: set[int]) -> str:
    words = {start: ""}
    queue = deque([start])
    while queue and end not in words:
        here = queue.popleft()
        for other in automaton.next[here]:
            if other in inside and other not in words:
                words[other] = words[here] + min(automaton.letters[other])
                queue.append(other)
    return words.get(end, "")


def _both(
    automaton: _Automaton, first: set[int], between: set[int], second: set[int]
) -> Iterator[tuple[int, str]]:
    """States of a first loop that one word leads back to, and to a state of a second loop, and round that."""
    for state in first:
        for other in second:
            words = _letters(automaton, state, other, first, second)
            words = words or _triple(automaton, state, other, first, between, second)
            if words:
                yield from ((state, word) for word in words)
                return


def _triple(
    automaton: _Automaton, state: int, other: int, first: set[int], between: set[int], second: set[int]
) -> list[str]:
    """A word of any length for the two loops."""
    start, end = (state, state, other), (state, other, other)
    words = {start: ""}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        letters: dict[str, None] = {}
        for third in automaton.next[here[2]]:
            if third in second:
                letters |= dict.fromkeys(sorted(automaton.letters[third]))
        for letter in letters:
            ones = [one for one in automaton.on(here[0], letter) if one in first]
            if not ones:
                continue
            twos = [two for two in automaton.on(here[1], letter) if two in between]
            if not twos:
                continue
            threes = [three for three in automaton.on(here[2], letter) if three in second]
            for one in ones:
                for two in twos:
                    for three in threes:
                        there = (one, two, three)
                        if there not in words:
                            words[there] = words[here] + letter
                            if there == end:
                                return [words[there]]
                            queue.append(there)
    return []


def _letters(automaton: _Automaton, state: int, other: int, first: set[int], second: set[int]) -> list[str]:
    """The words of one letter for the two loops."""
    if state not in automaton.next[state] or not automaton.next[other].keys() & {other} or other not in automaton.next[state]:
        return []
    return sorted(automaton.letters[state] & automaton.letters[other])
