"""The compiled table of cells, from the evidence, the catalogue and the rules."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from proving.choosing import torch_of
from torchlock.knowledge.rules import Matrix
from torchlock.proving.compiling import compile_cells, text_of
from torchlock.proving.pairing import pythons_of, series_of

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Catalogue, CatalogueRelease
    from torchlock.proving.evidence import Wheel
    from torchlock.proving.tables import Store


def cells_text(store: Store, catalogue: Catalogue) -> str:
    """The content of ``compat_data/compiled/proofs.json``."""
    matrix = Matrix()
    releases: dict[tuple[str, str], CatalogueRelease] = {
        (name, each.version): each
        for name in {"torch", *(package for package, _ in store.companions)}
        for each in catalogue.releases(name) or []
    }

    @cache
    def pythons(wheel: Wheel) -> frozenset[tuple[int, bool]]:
        return pythons_of(_tags(releases.get((wheel.package, wheel.version)), wheel), wheel.platform)

    def together(first: Wheel, second: Wheel) -> bool:
        return bool(pythons(first) & pythons(second))

    def series(wheel: Wheel) -> str:
        release = releases[wheel.package, wheel.version]
        declared = release.dependencies(_place(release, wheel))
        return series_of(wheel.package, wheel.version, wheel.platform, declared, matrix)

    date = max((each.date for each in store.wheels()), default=catalogue.date)
    return text_of(compile_cells(store, date, together, series))


def _place(release: CatalogueRelease, wheel: Wheel) -> int:
    return [each.filename for each in release.files()].index(wheel.file)


def _tags(release: CatalogueRelease | None, wheel: Wheel) -> list[str]:
    """The tags of the wheels for which this one was read: those that require the same torch."""
    if release is None:
        return []
    mine = torch_of(release, _place(release, wheel))
    return [tags for index, tags in enumerate(release.tags) if torch_of(release, index) == mine]
