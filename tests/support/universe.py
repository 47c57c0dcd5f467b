"""A small universe of packages for the solver."""

from __future__ import annotations

from torchlock.solve.problem import Need


class Universe:
    """A problem written out: identifier → its candidates, best first → what each needs."""

    def __init__(self, candidates: dict[str, list[list[Need]]]) -> None:
        self.candidates = candidates
        self.visited: set[tuple[str, int]] = set()

    def size(self, identifier: str) -> int:
        return len(self.candidates[identifier])

    def needs(self, identifier: str, index: int) -> list[Need]:
        self.visited.add((identifier, index))
        return self.candidates[identifier][index]

    def learn(self, solution: dict[str, int]) -> bool:
        return False
