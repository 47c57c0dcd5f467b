"""The statements about pairs, packed for the page that judges in a browser (``report/page/judge.js``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.answers import Unknown
from torchlock.knowledge.cuda_libraries import with_cuda
from torchlock.knowledge.judge import NamedVersion
from torchlock.knowledge.masks import bits
from torchlock.knowledge.rules import BUILD_CUDA, specifier_set
from torchlock.knowledge.stack import MEMBERS
from torchlock.matrix.judging import parsed
from torchlock.matrix.values import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torchlock.finding import Evidence
    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.knowledge.rules import Matrix, Statement
    from torchlock.standards.dependency import Dependency

# What a fact needs: a torch of some releases, a torch of its own CUDA version or major version, or nothing fits.
# NEVER with a text in its third place: it loads with that library, which a machine may have.
TORCH, CUDA, CUDA_MAJOR, NEVER = range(4)


class Pool:
    """Values that are stored once; ``add`` returns the place of a value in ``items``."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._places: dict[str, int] = {}

    def add(self, value: Any) -> int:
        """The place of a value, which is added if it is new."""
        place = self._places.setdefault(repr(value), len(self.items))
        if place == len(self.items):
            self.items.append(value)
        return place


class Facts:
    """All facts of the pairs of a stack. A fact is a row; a release on a platform names a set of rows."""

    def __init__(self, matrix: Matrix, stack: CompatibilityTable) -> None:
        self._matrix = matrix
        self._stack = stack
        self.texts, self.facts, self.sets, self.sources = Pool(), Pool(), Pool(), Pool()

    def of(self, name: str) -> list[list[Any]]:
        """For each release of a companion its set of facts on each platform; -1 if it does not install there.

        A set is a number, or ``{"p": […]}`` with a number for each Python if they differ.
        """
        package = self._stack.packages[name]
        return [
            [self._sets(name, release, platform) for platform in range(len(self._stack.platforms))]
            for release in range(len(package.versions))
        ]

    def _sets(self, name: str, release: int, platform: int) -> Any:
        package, stack = self._stack.packages[name], self._stack
        cells = package.cells[release] & stack.on_platform(platform)
        first = platform * len(stack.pythons)
        found = [
            self._set(name, release, first + python) if cells >> first + python & 1 else -1
            for python in range(len(stack.pythons))
        ]
        there = set(found) - {-1}
        return {"p": found} if len(there) > 1 else next(iter(there), -1)

    def _set(self, name: str, release: int, cell: int) -> int:
        version = self._stack.packages[name].versions[release]
        pinned = NamedVersion(name, parsed(version), build=Unknown("any"))
        rows = [
            self.facts.add(row)
            for statement in self._matrix.about_release(pinned, self._stack.target(cell))
            for row in self._rows(statement, name)
        ]
        return self.sets.add(rows)

    def _rows(self, statement: Statement, name: str) -> Iterator[list[Any]]:
        """The rows of one statement: what is needed, its value, the specifier, and the evidence."""
        is_pair = statement.rule == MEMBERS[name].rule
        evidence = [
            statement.build,
            KINDS.index(statement.kind),
            statement.rule,
            self.texts.add(statement.because),
            self.cite(statement.sources),
            int(is_pair),
        ]
        if statement.never:
            yield [NEVER, 0, with_cuda(statement.without), *evidence]
        for need in statement.needs:
            if need.name == "torch":
                yield [TORCH, spans_of(self._fitting(need)), need.specifier, *evidence]
            elif need.name == BUILD_CUDA:
                kind = CUDA_MAJOR if "{cuda_major}" in need.specifier else CUDA
                yield [kind, 0, need.specifier, *evidence]

    def _fitting(self, need: Dependency) -> int:
        allowed = specifier_set(need.specifier)
        versions = self._stack.packages["torch"].versions
        return sum(1 << index for index, text in enumerate(versions) if allowed.contains(parsed(text)))

    def cite(self, sources: Iterable[str]) -> list[int]:
        """The places of some sources."""
        return [self.sources.add(source) for source in sources]

    def cited(self, source_of: Callable[[str], Evidence]) -> list[list[str]]:
        """The sources that were named: identifier, address, kind, and date of each."""
        found = [source_of(key) for key in self.sources.items]
        return [[source.id, source.address, source.kind, source.date] for source in found]


def spans_of(mask: int) -> str:
    """A mask as text: ``0-5 7``."""
    runs: list[list[int]] = []
    for bit in bits(mask):
        if runs and runs[-1][1] == bit - 1:
            runs[-1][1] = bit
        else:
            runs.append([bit, bit])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
