"""Nogoods: choices that no solution makes together, and what follows from two of them.

The values of an identifier are its candidates and one more bit, *absent*, after the last candidate. A term
(identifier, mask) is true if the value is in the mask. A nogood says that its terms are never all true. A need is
one: "p is candidate 3, and q is absent or none of these candidates". Resolution is that of PubGrub
(Weizenbaum 2018), whose ranges of versions are masks here, so that many versions make one nogood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Nogood:
    """``terms`` are never all true. ``lines`` is the mask of the user's lines that it follows from.

    ``parents`` are the nogoods that it was resolved from; a nogood without parents is a need (from ``owner``, the
    first term, on the other one), or a demand of the user.
    """

    __slots__ = ("lines", "parents", "terms")

    def __init__(self, terms: dict[str, int], lines: int = 0, parents: tuple[Nogood, ...] = ()) -> None:
        self.terms = terms
        self.lines = lines
        self.parents = parents

    def __repr__(self) -> str:
        return f"Nogood({ {name: bin(mask) for name, mask in self.terms.items()} })"


class Group:
    """What the candidates of one package need of another: the mask of candidates for each needed mask."""

    __slots__ = ("covered", "needed")

    def __init__(self) -> None:
        self.covered = 0
        self.needed: dict[int, int] = {}


def resolved(terms: dict[str, int], identifier: str, reason: Mapping[str, int], every: Mapping[str, int]) -> None:
    """Replace a term of a nogood by what made it true; ``terms`` is changed.

    ``reason`` is the nogood that removed values of the identifier. ``every`` has the mask of all
    values: a term of all values is always true, so it is left out.
    """
    joined = terms[identifier] | reason[identifier]
    for name, mask in reason.items():
        if name != identifier:
            terms[name] = terms.get(name, -1) & mask
    if every[identifier] & ~joined:
        terms[identifier] = joined
    else:
        del terms[identifier]
