"""The solver's own words: packages are identifiers, candidates are numbers, requirements are bitmasks.

A domain lists the candidates of one identifier, best first; bit *i* of a mask stands for candidate *i*. A
need says that the identifier must be among those of the mask once whoever has the need is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Need(NamedTuple):
    """``identifier`` must be one of ``mask``; ``reason`` is for the explainer and never looked into here."""

    identifier: str
    mask: int
    reason: Any = None


class Problem(Protocol):
    """A universe of candidates. Answers may be worked out late."""

    def size(self, identifier: str) -> int:
        """How many candidates there are."""

    def needs(self, identifier: str, index: int) -> Sequence[Need]:
        """What the candidate is known to require. Asked often: remember what is dear."""

    def learn(self, solution: Mapping[str, int]) -> bool:
        """Find out all that these candidates require; whether that added anything to what was known."""


# The chosen candidate of every identifier that is needed.
Solution = dict[str, int]


class Unsolvable(Exception):
    """No choice of candidates keeps every need. Never leaves this package: the caller gets a value."""


class GaveUp(Exception):
    """The search reached its limit without an answer."""


def bits(mask: int) -> Iterator[int]:
    """The set bits, lowest (best candidate) first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def best(mask: int) -> int:
    """The lowest set bit of a mask that is not zero."""
    return (mask & -mask).bit_length() - 1


def full(size: int) -> int:
    """The mask of all candidates of a domain."""
    return (1 << size) - 1


def straight(
    problem: Problem, roots: Sequence[Need], limits: Mapping[str, int], solution: Mapping[str, int]
) -> bool:
    """Whether every package is at the best candidate that those who need it allow.

    In an acyclic universe such a solution is unique and the newest one there is: take the packages with
    dependants before what they depend on; the first one for which another solution has something better has
    the same dependants, with the same needs, in both.
    """
    allowed: dict[str, int] = {}
    for need in roots:
        allowed[need.identifier] = allowed.get(need.identifier, -1) & need.mask
    for identifier, index in solution.items():
        for need in problem.needs(identifier, index):
            allowed[need.identifier] = allowed.get(need.identifier, -1) & need.mask
    return allowed.keys() == solution.keys() and all(
        (left := mask & limits.get(name, -1) & full(problem.size(name))) and best(left) == solution[name]
        for name, mask in allowed.items()
    )


def order(problem: Problem, roots: Sequence[Need], left: Mapping[str, int]) -> list[str]:
    """The identifiers within reach, dependants before what they depend on, else in the order of writing.

    A depth-first walk, last first, in reverse postorder; in a cycle the edge that closes it is passed over.
    """
    finished: dict[str, None] = {}
    entered: set[str] = set()
    stack = [(root.identifier, False) for root in roots]
    while stack:
        identifier, leaving = stack.pop()
        if leaving:
            finished[identifier] = None
        elif identifier not in entered:
            entered.add(identifier)
            stack.append((identifier, True))
            below = {
                need.identifier: None
                for index in bits(left[identifier])
                for need in problem.needs(identifier, index)
            }
            stack += [(name, False) for name in below if name not in entered]
    return list(reversed(finished))


def violations(
    problem: Problem, roots: Sequence[Need], limits: Mapping[str, int], solution: Mapping[str, int]
) -> Iterator[str]:
    """What is wrong with a solution, in words; nothing if it is right. Trusts no other part of the solver."""
    needed = set()
    waiting = [("the roots", need) for need in roots]
    while waiting:
        parent, need = waiting.pop()
        index = solution.get(need.identifier)
        if index is None:
            yield f"{need.identifier}, needed by {parent}, is missing"
        elif not need.mask >> index & 1:
            yield f"{need.identifier} #{index} does not satisfy {parent}"
        elif need.identifier not in needed:
            needed.add(need.identifier)
            if not limits.get(need.identifier, -1) >> index & 1:
                yield f"{need.identifier} #{index} breaks a constraint"
            waiting += [(need.identifier, further) for further in problem.needs(need.identifier, index)]
    yield from (f"{identifier} is not needed" for identifier in solution if identifier not in needed)
