"""The compatibility table: which releases of the stack work with which torch, and on which targets.

``scripts/compile_compatibility.py`` computes it with the judge and the solver's filter of candidates; this module
only looks up. A set of releases is a bit mask, oldest first. So is a set of targets: a *cell* is one Python on one
platform.
"""

from __future__ import annotations

import re
from functools import cache, cached_property, reduce
from operator import or_

from torchlock.answers import Unknown
from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY, MEMBERS
from torchlock.patterns import pattern
from torchlock.standards.ordering import clauses_of, tester
from torchlock.standards.versions import without_trailing_zeros
from torchlock.target import Platform, PythonVersion, Target
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from packaging.version import Version

# The columns of the table of pairs.
_FITS, _DECLARED, _LOADS, _WORKS = 0, 1, 2, 4
_PLAIN = pattern(r"==\s*(\d+(?:\.\d+)*)")


class Package:
    """The releases of one package. ``everything`` is the mask of all of them.

    ``unproven`` has, for releases of an update, the platforms on which it is not known what they work with.
    """

    def __init__(self, name: str, row: dict[str, Any]) -> None:
        self.name = name
        self.versions: list[str] = row["versions"]
        self.cells: list[int] = row["cells"]
        self.yanked = sum(1 << index for index in row["yanked"])
        self._builds: list[Any] = row["builds"]
        self.date: str = row["date"]
        self.unproven: dict[str, list[int]] = row["unproven"]
        self.everything = (1 << len(self.versions)) - 1
        self._masks: dict[str, int] = {}

    @cached_property
    def parsed_versions(self) -> list[Version]:
        from packaging.version import Version

        return [Version(text) for text in self.versions]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {without_trailing_zeros(text): index for index, text in enumerate(self.versions)}

    @cached_property
    def comparable(self) -> int:
        """Excludes early releases, when this name was a different library."""
        return self.everything & ~self.mask(MEMBERS[self.name].earlier or "<0")

    @cached_property
    def prereleases(self) -> int:
        """The pre-releases."""
        return sum(
            1 << index for index, text in enumerate(self.versions) if not re.fullmatch(r"[\d.]+(post\d+)?", text)
        )

    def mask(self, specifier: str) -> int:
        """The releases that a specifier set allows, with pre-releases. The answer is cached.

        Raises:
            InvalidSpecifier: the text is not a specifier set.
        """
        known = self._masks.get(specifier)
        if known is None:
            known = self._masks[specifier] = self._mask(specifier)
        return known

    def _mask(self, specifier: str) -> int:
        if not specifier:
            return self.everything
        plain = _PLAIN.fullmatch(specifier)
        if plain:
            index = self._index.get(without_trailing_zeros(plain[1]))
            return 0 if index is None else 1 << index
        if clauses_of(specifier) is not None:
            holds = tester(specifier)
            return sum(1 << index for index, text in enumerate(self.versions) if holds(text))
        from packaging.specifiers import SpecifierSet

        allowed = SpecifierSet(specifier, prereleases=True)
        return sum(1 << index for index, version in enumerate(self.parsed_versions) if allowed.contains(version))

    def build(self, index: int, platform: int) -> str | Unknown | None:
        """The build of the wheel that the public index has for a release and a platform (``cpu``, ``cu130``).

        None outside of the torch family, and for releases without compiled code.
        """
        row: str | list[str | None] | None = self._builds[index]
        build = row[platform] if isinstance(row, list) else row
        if build is not None or self.name not in FAMILY or not self.comparable >> index & 1:
            return build
        return Unknown(f"the build of {self.name} {self.versions[index]} on the public index is not recorded")

    def on(self, cells: int) -> int:
        """The releases with a wheel for any of these cells, or an sdist that can be built there."""
        known = self._on.get(cells)
        if known is None:
            known = sum(1 << index for index, there in enumerate(self.cells) if there & cells)
            self._on[cells] = known
        return known

    @cached_property
    def _on(self) -> dict[int, int]:
        return {}

    def install(self, cell: int, usable: Collection[str]) -> None:
        """Set the releases that install on one cell."""
        self._on.clear()
        for index, text in enumerate(self.versions):
            self.cells[index] = self.cells[index] | cell if text in usable else self.cells[index] & ~cell

    def cells_of(self, mask: int) -> int:
        """The cells on which any of these releases installs."""
        found = 0
        for index in bits(mask):
            found |= self.cells[index]
        return found


class CompatibilityTable:
    """torch and the packages that work with certain releases of it, with the targets of each.

    Raises:
        DataError: the table is missing or damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        place = str(path or tables.place("compiled/compatibility.json"))
        table = tables.load_json(place)
        try:
            self.pythons: list[int] = table["pythons"]
            self.platforms: list[str] = table["platforms"]
            self.packages = {name: Package(name, row) for name, row in table["packages"].items()}
            self._pairs: dict[str, list[list[Any]]] = table["pairs"]
        except (KeyError, TypeError) as error:
            raise DataError(f"damaged ({error})", path=place) from error
        self.partners = tuple(self._pairs)
        self.everywhere = (1 << len(self.pythons) * len(self.platforms)) - 1
        self._met: dict[tuple[str, int, int, int], int] = {}
        self._turned: dict[tuple[str, int, int], list[int]] = {}
        self._places: dict[int, Platform] = {}
        self._targets: dict[int, Target] = {}
        self._free: set[int] = set()
        self.markers: dict[tuple[str, str], int] = {}
        """A cache: marker and extra → the cells on which the marker holds."""

    def fits(self, name: str, releases: int) -> int:
        """The releases of torch that work with any of these releases of a companion, in some build and cell.

        Installers allow the pair, too. For what loads whatever the metadata says see ``works``.
        """
        return self._torches(name, releases, _FITS, 0)

    def works(self, name: str, releases: int) -> int:
        """As ``fits``, and pairs that installers refuse: some load with a torch that they do not declare."""
        return self._torches(name, releases, _WORKS, 0)

    def declared(self, name: str, releases: int, platform: int) -> int:
        """The releases of torch that the metadata of any of these releases allows."""
        return self._torches(name, releases, _DECLARED, platform)

    def loads(self, name: str, releases: int, platform: int) -> int:
        """The releases of torch that load with any of these releases, all in the builds of the public index."""
        return self._torches(name, releases, _LOADS, platform)

    def fits_torch(self, name: str, torches: int) -> int:
        """The releases of a companion that work with any of these releases of torch, in some build and cell."""
        found = 0
        for index in bits(torches):
            found |= self._beside(name, _FITS, 0)[index]
        return found

    def loads_beside(self, name: str, torch: int) -> int:
        """The releases of a companion that load with one torch (by index) on every cell where both install."""
        package = self.packages[name]
        found = package.everything
        for platform in range(len(self.platforms)):
            cells = self.on_platform(platform)
            if self.packages["torch"].cells[torch] & cells:
                found &= self._beside(name, _LOADS, platform)[torch] | ~package.on(cells)
        return found

    def declared_beside(self, name: str, torch: int, platform: int) -> int:
        """The releases of a companion whose metadata allows one release (by index) of torch."""
        return self._beside(name, _DECLARED, platform)[torch]

    def asks(self, name: str, index: int) -> bool:
        """Whether the metadata of a companion's release requires torch, so that an installer installs torch."""
        return bool(self._pairs[name][index][3])

    def _torches(self, name: str, releases: int, column: int, platform: int) -> int:
        key = name, releases, column, platform
        known = self._met.get(key)
        if known is None:
            partners = self._beside(name, column, platform)
            known = self._met[key] = sum(1 << torch for torch, mask in enumerate(partners) if mask & releases)
        return known

    def _beside(self, name: str, column: int, platform: int) -> list[int]:
        """Transpose a column of a companion's table: for each release of torch a mask of the companion's."""
        key = name, column, platform
        known = self._turned.get(key)
        if known is None:
            known = self._turned[key] = [0] * len(self.packages["torch"].versions)
            for index, row in enumerate(self._pairs[name]):
                mask = row[column] if isinstance(row[column], int) else row[column][platform]
                for torch in bits(mask):
                    known[torch] |= 1 << index
        return known

    def cell(self, platform: int, python: int) -> int:
        """The mask of one cell, from the indices of its platform and its Python."""
        return 1 << platform * len(self.pythons) + python

    def on_platform(self, platform: int) -> int:
        """The cells of one platform."""
        return ((1 << len(self.pythons)) - 1) << platform * len(self.pythons)

    def on_pythons(self, indices: Iterable[int]) -> int:
        """The cells of some Pythons."""
        return sum(1 << python for python in set(indices)) * self._first_of_each

    @cached_property
    def _first_of_each(self) -> int:
        """The cells of the first Python on every platform."""
        return sum(self.cell(platform, 0) for platform in range(len(self.platforms)))

    def coordinates(self, cell: int) -> tuple[int, int]:
        """The platform and the Python (as indices) of the cell with this bit number."""
        return divmod(cell, len(self.pythons))

    def place(self, platform: int) -> Platform:
        """The platform with this index, with its default floor or the floor that was set."""
        if platform not in self._places:
            self._places[platform] = Platform.parse(self.platforms[platform])
        return self._places[platform]

    def unproven(self, name: str, releases: int) -> int:
        """The cells on which it is not known what any of these releases works with."""
        package = self.packages[name]
        there = [places for text, places in package.unproven.items() if package.mask(f"=={text}") & releases]
        return reduce(or_, (self.on_platform(place) for places in there for place in places), 0)

    def set_platform_floor(self, place: Platform, usable: Callable[[str, Target], Iterable[str]]) -> None:
        """Judge a platform with another floor (libc or macOS).

        ``usable`` returns the versions of a package that install on a target.
        """
        platform = self.platforms.index(str(place))
        self._places[platform] = place
        self._targets.clear()
        for python in range(len(self.pythons)):
            cell = self.cell(platform, python)
            for package in self.packages.values():
                package.install(cell, frozenset(usable(package.name, self.target(cell.bit_length() - 1))))

    @property
    def has_free_threads(self) -> bool:
        """Whether a Python is judged by its free-threaded build."""
        return bool(self._free)

    def use_free_threaded(self, minor: int, usable: Callable[[str, Target], Iterable[str]]) -> None:
        """Judge a minor release of Python by its free-threaded build.

        For ``usable`` see ``set_platform_floor``.
        """
        self._free.add(minor)
        self._targets.clear()
        for platform in range(len(self.platforms)):
            cell = self.cell(platform, self.pythons.index(minor))
            for package in self.packages.values():
                package.install(cell, frozenset(usable(package.name, self.target(cell.bit_length() - 1))))

    def target(self, cell: int) -> Target:
        """The target of the cell with this bit number."""
        if cell not in self._targets:
            platform, python = self.coordinates(cell)
            minor = self.pythons[python]
            version = PythonVersion.parse(f"3.{minor}")._replace(free_threaded=minor in self._free)
            self._targets[cell] = Target(version, self.place(platform))
        return self._targets[cell]


@cache
def newest_beside(name: str, torch: str) -> str:
    """The newest release of a companion that works with one release of torch; "" if none is known to.

    One that works wherever both install comes before one that works in some builds only.

    Raises:
        DataError: the table is missing or damaged.
    """
    table = CompatibilityTable()
    package, mask = table.packages[name], table.packages["torch"].mask(f"=={torch}") if torch else 0
    some = table.fits_torch(name, mask) & package.comparable & ~package.prereleases & ~package.yanked
    every = some & table.loads_beside(name, mask.bit_length() - 1) if mask and not mask & (mask - 1) else 0
    fitting = list(bits(every or some))
    return package.versions[fitting[-1]] if fitting else ""


@cache
def torches_beside(name: str, version: str) -> tuple[str, ...]:
    """The final releases of torch, oldest first, for which a release of a companion is built; () if unknown.

    Raises:
        DataError: the table is missing or damaged.
    """
    return _torches_of(name, version, CompatibilityTable.fits)


@cache
def working_beside(name: str, version: str) -> tuple[str, ...]:
    """As ``torches_beside``, and those that work although the metadata of the companion excludes them.

    Raises:
        DataError: the table is missing or damaged.
    """
    return _torches_of(name, version, CompatibilityTable.works)


def _torches_of(name: str, version: str, beside: Callable[[CompatibilityTable, str, int], int]) -> tuple[str, ...]:
    table = CompatibilityTable()
    if name not in table.partners or not re.fullmatch(r"\d+(?:\.\d+)*(?:\.post\d+)?", version):
        return ()
    torch, mask = table.packages["torch"], table.packages[name].mask(f"=={version}")
    return tuple(torch.versions[each] for each in bits(beside(table, name, mask) & ~torch.prereleases))
