"""The compiled table of cells, from the evidence, the catalogue and the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.knowledge.rules import Matrix
from torchlock.proving.choosing import DIFFERENT, torch_of
from torchlock.proving.compiling import compile_cells, text_of
from torchlock.proving.pairing import pythons_of, series_of

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Catalogue, CatalogueRelease
    from torchlock.proving.evidence import Wheel
    from torchlock.proving.tables import Store
    from torchlock.standards.dependency import Dependency


def cells_text(store: Store, catalogue: Catalogue, matrix: Matrix | None = None) -> str:
    """The content of ``compat_data/compiled/proofs.json``; the rules are the bundled ones unless given."""
    matrix = matrix or Matrix()
    facts = Facts(catalogue, store, matrix)
    date = max((each.date for each in store.wheels()), default=catalogue.date)
    return text_of(compile_cells(store, date, facts.together, facts.series, facts.pythons))


class Facts:
    """What the catalogue and the rules say of the wheels in a store."""

    def __init__(self, catalogue: Catalogue, store: Store, matrix: Matrix) -> None:
        self._matrix = matrix
        self._pythons: dict[Wheel, frozenset[tuple[int, bool]]] = {}
        self._releases: dict[tuple[str, str], CatalogueRelease] = {
            (name, each.version): each
            for name in {"torch", *(package for package, _ in store.companions)}
            for each in catalogue.releases(name) or []
        }

    def together(self, first: Wheel, second: Wheel) -> bool:
        """Whether some Python can install both releases on their platform."""
        return bool(self._pythons_of(first) & self._pythons_of(second))

    def pythons(self, wheel: Wheel) -> tuple[str, ...]:
        """The Pythons for which a wheel was read, if the release has other wheels for others; else ()."""
        release = self._releases.get((wheel.package, wheel.version))
        tags = [] if release is None else list(release.tags)
        if pythons_of(tags, wheel.platform) == self._pythons_of(wheel):
            return ()
        return tuple(f"3.{minor}{'t' * free}" for minor, free in sorted(self._pythons_of(wheel)))

    def torches_beside(self, wheel: Wheel) -> list[str]:
        """The releases of torch in the catalogue that some Python can install with a wheel of a companion."""
        mine = self._pythons_of(wheel)
        return [
            version
            for (name, version), release in self._releases.items()
            if name == "torch" and mine & pythons_of(release.tags, wheel.platform)
        ]

    def series(self, wheel: Wheel) -> str:
        """The series of torch (``2.8``) that a companion was compiled with; "" if it is not known."""
        return series_of(wheel.package, wheel.version, wheel.platform, self._declared(wheel), self._matrix)

    def torch_asked(self, wheel: Wheel) -> list[str]:
        """The releases of torch that the metadata of a wheel allow, as specifiers."""
        declared = self._declared(wheel)
        return (
            [] if isinstance(declared, Unknown) else [each.specifier for each in declared if each.name == "torch"]
        )

    def _declared(self, wheel: Wheel) -> list[Dependency] | Unknown:
        release = self._releases[wheel.package, wheel.version]
        return release.dependencies(_place(release, wheel))

    def _pythons_of(self, wheel: Wheel) -> frozenset[tuple[int, bool]]:
        if wheel not in self._pythons:
            release = self._releases.get((wheel.package, wheel.version))
            self._pythons[wheel] = pythons_of(_tags(release, wheel), wheel.platform)
        return self._pythons[wheel]


def _place(release: CatalogueRelease, wheel: Wheel) -> int:
    return [each.filename for each in release.files()].index(wheel.file)


def _tags(release: CatalogueRelease | None, wheel: Wheel) -> list[str]:
    """The tags of the wheels for which this one was read: those that require the same torch."""
    if release is None:
        return []
    mine = torch_of(release, _place(release, wheel))
    other = DIFFERENT.get((wheel.package, wheel.version, wheel.platform), ())
    return [
        tags
        for index, tags in enumerate(release.tags)
        if torch_of(release, index) == mine and not tags.startswith(other)
    ]
