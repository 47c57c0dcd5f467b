"""The entries of the matrix: every pair of releases that installs together on a target, with its judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.finding import Evidence
from torchlock.knowledge import tables
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.masks import bits, lowest
from torchlock.knowledge.proofs import proofs
from torchlock.knowledge.rules import Matrix, specifier_set
from torchlock.knowledge.stack import MEMBERS
from torchlock.matrix.fitness import fitness_of
from torchlock.matrix.judging import Pair, PairJudge
from torchlock.matrix.selection import EVERY, PUBLIC, Selection
from torchlock.matrix.values import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.matrix.values import Fitness, Judgement


class _Place(NamedTuple):
    """One platform of a request: its number, its name, and the cells (one for each Python) asked about."""

    number: int
    name: str
    cells: int


class Table:
    """The matrix over the bundled data. ``date`` is the day of the rules, ``update`` that of the data on
    this machine.

    Raises:
        DataError: a bundled table is missing or damaged.
    """

    def __init__(self) -> None:
        self.matrix = Matrix()
        self.stack = CompatibilityTable()
        self.builds = build_table()
        self.date = self.matrix.date
        self.update = self.matrix.update
        self.proofs = proofs()
        update = tables.overlay()
        self.unproven = {} if update is None else update.unproven
        self._judge = PairJudge(self.matrix, self.proofs, self.unproven)
        self._judged: dict[tuple[Pair, int], Judgement] = {}

    def entries(self, selection: Selection) -> Iterator[Entry]:
        """The entries that a selection asks for: newest torch first, then by companion, newest release first.

        Raises:
            InvalidSpecifier: a range is not a specifier set.
        """
        for platform in selection.platforms:
            number = self.stack.platforms.index(platform)
            cells = self.stack.on_platform(number)
            if selection.python is not None:
                cells &= self.stack.on_pythons([self.stack.pythons.index(selection.python)])
            yield from self._on_place(selection, _Place(number, platform, cells))

    def left_out(self, selection: Selection) -> Iterator[str]:
        """The releases of an update that are asked for and have no entry, and why: nothing of them was proven.

        Raises:
            InvalidSpecifier: a range is not a specifier set.
        """
        for name in ("torch", *selection.companions):
            asked, known = specifier_set(selection.ranges.get(name, "")), self.stack.packages[name].versions
            for version, reasons in self.unproven.get(name, {}).items():
                if version not in known and asked.contains(version):
                    because = next(iter(reasons.values()), "its wheels were not read")
                    yield f"{name} {version} is not in the matrix, because it is unproven: {because}"

    def builds_of(self, name: str, release: int, wanted: str, platform: int) -> list[str]:
        """The builds of a release (by its index) on a platform that are asked for; "" for one that is not known.

        The public index has one build of each; ``all`` are those of the PyTorch index, too.
        """
        public = self.public_build(name, release, platform)
        if wanted == PUBLIC or not MEMBERS[name].labels:
            return [public]
        version, place = self.stack.packages[name].versions[release], self.stack.platforms[platform]
        labels = {wanted}
        if wanted == EVERY:
            known = self.builds.labels(name, version)
            labels = {public} | (set() if isinstance(known, Unknown) else set(known) - {""})
        there = [label for label in labels if label == public or self._is_there(name, version, label, place)]
        return sorted(there, key=lambda label: (label != public, label))

    def public_build(self, name: str, release: int, platform: int) -> str:
        """The build that the public index has of a release (by its index) on a platform; "" if it is not known."""
        build = self.stack.packages[name].build(release, platform)
        return "" if build is None or isinstance(build, Unknown) else build

    def _is_there(self, name: str, version: str, label: str, platform: str) -> bool:
        """Whether the PyTorch index is known to have a build; a build that is not known to exist has no entry."""
        published = self.builds.published(name, version, label, platform)
        return False if isinstance(published, Unknown) else published

    def _releases(self, name: str, selection: Selection, place: _Place) -> list[int]:
        """The releases (by index, newest first) of a package that are asked for and install on a place."""
        package = self.stack.packages[name]
        mask = package.mask(selection.ranges.get(name, "")) & package.comparable & package.on(place.cells)
        return sorted(bits(mask), reverse=True)

    def _on_place(self, selection: Selection, place: _Place) -> Iterator[Entry]:
        companions = {name: self._releases(name, selection, place) for name in selection.companions}
        for torch in self._releases("torch", selection, place):
            for torch_build in self.builds_of("torch", torch, selection.build, place.number):
                fitness = self._fitness(torch, torch_build, selection, place)
                for name, releases in companions.items():
                    for release in releases:
                        found = self._of_pair(selection, place, (torch, torch_build), name, release)
                        yield from (entry._replace(fitness=fitness) for entry in found)

    def _of_pair(
        self, selection: Selection, place: _Place, torch: tuple[int, str], name: str, release: int
    ) -> Iterator[Entry]:
        """The entries of two releases on one platform: one for each build of the companion."""
        torches, package = self.stack.packages["torch"], self.stack.packages[name]
        cells = torches.cells[torch[0]] & package.cells[release] & place.cells
        if not cells:
            return
        public_torch = self.public_build("torch", torch[0], place.number)
        for build in self.builds_of(name, release, selection.build, place.number):
            public = build == self.public_build(name, release, place.number) and torch[1] == public_torch
            pair = Pair(name, package.versions[release], build, torches.versions[torch[0]], torch[1], public)
            allowed = bool(self.stack.declared_beside(name, torch[0], place.number) >> release & 1)
            yanked = bool(package.yanked >> release & 1 or torches.yanked >> torch[0] & 1)
            for judged, pythons in self._by_python(pair, cells):
                if _is_asked_for(judged, selection):
                    names = pair.package, pair.version, pair.torch, place.name, build, torch[1]
                    yield Entry(*names, public, pythons, allowed, yanked, judged)

    def _by_python(self, pair: Pair, cells: int) -> Iterator[tuple[Judgement, tuple[str, ...]]]:
        """The judgements of a pair on some cells of one platform, each with its Pythons; most often it is one."""
        found: dict[Judgement, list[str]] = {}
        first = lowest(cells)
        splits = self._judge.depends_on_python(pair, self.stack.target(first).platform)
        one = None if splits else self.judged(pair, first)
        for cell in bits(cells):
            python = f"3.{self.stack.pythons[self.stack.coordinates(cell)[1]]}"
            found.setdefault(one or self.judged(pair, cell), []).append(python)
        yield from ((judged, tuple(pythons)) for judged, pythons in found.items())

    def source(self, key: str) -> Evidence:
        """A source of a rule or of the proofs; the proofs may name the wheels themselves."""
        if self.matrix.has_source(key):
            return self.matrix.source(key)
        return Evidence(key, "the wheels that the evidence names", "measured", self.proofs.date)

    def judged(self, pair: Pair, cell: int) -> Judgement:
        """The judgement of a pair on the target with this bit number."""
        key = pair, cell
        if key not in self._judged:
            self._judged[key] = self._judge.judge(pair, self.stack.target(cell))
        return self._judged[key]

    def _fitness(self, torch: int, build: str, selection: Selection, place: _Place) -> Fitness | None:
        if selection.gpu is None and not selection.driver:
            return None
        version = self.stack.packages["torch"].versions[torch]
        return fitness_of(version, build, place.name, selection.gpu, selection.driver)


def _is_asked_for(judged: Judgement, selection: Selection) -> bool:
    of_kind = not selection.kinds or judged.kind in selection.kinds
    return of_kind and (not selection.verdicts or judged.verdict in selection.verdicts)
