"""The seam between solving and the places that have releases."""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.knowledge.releases import Provenance, Release
    from torchlock.standards.index_file import File


class ReleaseSource(Protocol):
    """Answers the questions of a solver: ``index.sources.Sources`` does, and so does what a test makes."""

    def releases(self, name: str) -> Sequence[Release]:
        """The releases of a project by its normalised name, oldest first.

        Raises:
            UnknownPackage: no source that may be asked has the project.
            NetworkError: an index failed.
        """

    def metadata(self, file: File) -> str:
        """The METADATA text of a file that the user names by its address.

        Raises:
            TorchlockError: it cannot be read.
        """

    def is_local(self, name: str) -> bool:
        """Whether ``releases`` answers for this project without asking an index."""

    def begin(self) -> None:
        """Answer from old pages until ``renew``, which says whether an index has others."""

    def expect(self, names: Iterable[str]) -> None:
        """Prepare the releases of these projects, which will be asked for soon."""

    def may_renew(self) -> bool:
        """Whether ``renew`` may change anything, so that its names are worth working out."""

    def renew(self, names: Iterable[str]) -> bool:
        """Ask the index for those of these projects that are known from a snapshot; whether that changed anything.

        It is called before a result counts. It does not look into ``names`` if no index may be asked.
        """

    def provenance(self, name: str) -> Provenance:
        """Where the releases of a project were looked up."""


class DelegatingSource:
    """A source that asks another one; subclasses change some of the answers."""

    def __init__(self, source: ReleaseSource) -> None:
        self.source = source

    def releases(self, name: str) -> Sequence[Release]:
        return self.source.releases(name)

    def metadata(self, file: File) -> str:
        return self.source.metadata(file)

    def is_local(self, name: str) -> bool:
        return self.source.is_local(name)

    def begin(self) -> None:
        self.source.begin()

    def expect(self, names: Iterable[str]) -> None:
        self.source.expect(names)

    def may_renew(self) -> bool:
        return self.source.may_renew()

    def renew(self, names: Iterable[str]) -> bool:
        return self.source.renew(names)

    def provenance(self, name: str) -> Provenance:
        return self.source.provenance(name)
