"""What two states of the data say alike: answers that follow from it need not be computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.answers import Unknown
from torchlock.standards.ordering import admits

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Catalogue, CatalogueRelease
    from torchlock.knowledge.rules import Matrix


class State(NamedTuple):
    """The releases and the rules from which a table is computed."""

    catalogue: Catalogue
    matrix: Matrix


def unchanged(name: str, before: State, after: State) -> frozenset[str]:
    """The releases of a project of which both states say the same, in the catalogue and in the rules.

    Compared is all that can be asked of a release, but for the addresses of its files: a mirror has its own.
    """
    known = {each.version: each for each in before.catalogue.releases(name) or ()}
    return frozenset(
        each.version
        for each in after.catalogue.releases(name) or ()
        if each.version in known
        and _content(known[each.version]) == _content(each)
        and _statements(before.matrix, each) == _statements(after.matrix, each)
    )


def _statements(matrix: Matrix, release: CatalogueRelease) -> list[Any]:
    return [each for each in matrix.about(release.name) if admits(each.when.specifier, release.version)]


def _content(release: CatalogueRelease) -> list[Any]:
    wheels = range(-1, len(release.tags))
    return [
        release.name,
        release.tags,
        release.yanked,
        release.date,
        release.has_sdist,
        list(release.invalid),
        dict(release.lacks),
        [(release.requires_python(each), _known(release.build(each))) for each in wheels],
        [_known(release.dependencies(each)) for each in wheels],
        [(each.filename, each.hashes, each.size) for each in release.files()],
    ]


def _known(value: Any) -> Any:
    """A value that can be compared: an unknown one by its reason."""
    return ("unknown", value.because) if isinstance(value, Unknown) else value
