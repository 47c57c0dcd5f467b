"""The compiled table of cells, from the evidence, the catalogue and the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.unchanged import State
from torchlock.proving.choosing import torch_of
from torchlock.proving.compiling import compile_cells, text_of
from torchlock.proving.grouping import tags_in
from torchlock.proving.keeping import Keeper
from torchlock.proving.pairing import pythons_of, series_of
from torchlock.standards.filenames import tags_of

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Catalogue, CatalogueRelease
    from torchlock.proving.evidence import CompanionWheel, TorchWheel, Wheel
    from torchlock.proving.keeping import Known
    from torchlock.proving.pairing import Python
    from torchlock.proving.tables import Store
    from torchlock.standards.dependency import Dependency


def cells_text(
    store: Store, catalogue: Catalogue, matrix: Matrix | None = None, known: Known | None = None
) -> str:
    """The content of ``compat_data/compiled/proofs.json``; the rules are the bundled ones unless given.

    Cells of ``known`` that still follow from the evidence are not decided; the content is the same without it.
    """
    matrix = matrix or Matrix()
    facts = Facts(catalogue, store, matrix)
    date = max((each.date for each in store.wheels()), default=catalogue.date)
    keeper = None if known is None else Keeper(known, State(catalogue, matrix), store)
    return text_of(compile_cells(store, date, facts, keeper))


class Facts:
    """What the catalogue and the rules say of the wheels in a store."""

    def __init__(self, catalogue: Catalogue, store: Store, matrix: Matrix) -> None:
        self._matrix = matrix
        self._pythons: dict[Wheel, frozenset[Python]] = {}
        self._read: dict[Wheel, frozenset[Python]] = {}
        self._installable: dict[tuple[str, str, str], frozenset[Python]] = {}
        self._series: dict[Wheel, str] = {}
        self._rows: dict[tuple[str, str, str], list[TorchWheel | CompanionWheel]] = {}
        for each in (each for rows in store.tables() for each in rows):
            self._rows.setdefault(each.wheel[:3], []).append(each)
        self._releases: dict[tuple[str, str], CatalogueRelease] = {
            (name, each.version): each
            for name in {"torch", *(package for package, _ in store.companions)}
            for each in catalogue.releases(name) or []
        }

    def together(self, first: Wheel, second: Wheel) -> bool:
        """Whether some Python can install both releases on their platform."""
        return bool(self.pythons(first) & self.pythons(second))

    def pythons(self, wheel: Wheel) -> frozenset[Python]:
        """The Pythons for which a wheel stands: its own, and those whose wheels show the same.

        A wheel that was not read is assumed to show what the first one shows that requires the same torch.
        """
        if wheel not in self._pythons:
            self._pythons[wheel] = self.read(wheel) | pythons_of(self._assumed(wheel), wheel.platform)
        return self._pythons[wheel]

    def read(self, wheel: Wheel) -> frozenset[Python]:
        """The Pythons of a wheel, and of those that were read and show the same."""
        release, mine = self._releases.get((wheel.package, wheel.version)), self._row(wheel)
        wanted = {tags_in(wheel.file), *mine.alike}
        files = release.files() if release is not None else []
        tags = [tags_of(file.filename) for file in files if tags_in(file.filename) in wanted]
        return pythons_of(tags, wheel.platform)

    def _row(self, wheel: Wheel) -> TorchWheel | CompanionWheel:
        return next(each for each in self._rows[wheel[:3]] if each.wheel == wheel)

    def _assumed(self, wheel: Wheel) -> list[str]:
        """The tags of the wheels that were not read, if it is this one that stands for them."""
        release = self._releases.get((wheel.package, wheel.version))
        if release is None:
            return []
        asked = torch_of(release, _place(release, wheel))
        rows = self._rows[wheel[:3]]
        same = [each for each in rows if torch_of(release, _place(release, each.wheel)) == asked]
        first = min(same, key=lambda each: (-len(each.alike), each.wheel.file))
        read = {tags for each in rows for tags in (tags_in(each.wheel.file), *each.alike)}
        return [
            tags_of(file.filename)
            for at, file in enumerate(release.files())
            if first.wheel == wheel and tags_in(file.filename) not in read and torch_of(release, at) == asked
        ]

    def installable(self, wheel: Wheel) -> frozenset[Python]:
        """The Pythons for which the release of a wheel has any wheel on its platform."""
        key = wheel.package, wheel.version, wheel.platform
        if key not in self._installable:
            release = self._releases.get(key[:2])
            self._installable[key] = pythons_of(release.tags if release is not None else (), wheel.platform)
        return self._installable[key]

    def torches_beside(self, wheel: Wheel) -> list[str]:
        """The releases of torch in the catalogue that some Python can install with a wheel of a companion."""
        mine = self.pythons(wheel)
        return [
            version
            for (name, version), release in self._releases.items()
            if name == "torch" and mine & pythons_of(release.tags, wheel.platform)
        ]

    def series(self, wheel: Wheel) -> str:
        """The series of torch (``2.8``) that a companion was compiled with; "" if it is not known."""
        if wheel not in self._series:
            place = wheel.package, wheel.version, wheel.platform
            self._series[wheel] = series_of(*place, self._declared(wheel), self._matrix)
        return self._series[wheel]

    def torch_asked(self, wheel: Wheel) -> list[str]:
        """The releases of torch that the metadata of a wheel allow, as specifiers."""
        declared = self._declared(wheel)
        return (
            [] if isinstance(declared, Unknown) else [each.specifier for each in declared if each.name == "torch"]
        )

    def _declared(self, wheel: Wheel) -> list[Dependency] | Unknown:
        release = self._releases[wheel.package, wheel.version]
        return release.dependencies(_place(release, wheel))


def _place(release: CatalogueRelease, wheel: Wheel) -> int:
    return [each.filename for each in release.files()].index(wheel.file)
