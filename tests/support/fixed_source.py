"""A source of releases that asks no index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torchlock.errors import TorchlockError
from torchlock.knowledge.releases import Provenance, Release
from torchlock.standards.index_file import File


class FixedSource:
    """Answers names with what a function returns for them."""

    def __init__(self, releases: Callable[[str], Sequence[Release]]) -> None:
        self._releases = releases

    def releases(self, name: str) -> Sequence[Release]:
        return self._releases(name)

    def metadata(self, file: File) -> str:
        raise TorchlockError(f"no metadata of {file.filename}")

    def is_local(self, name: str) -> bool:
        return True

    def begin(self) -> None:
        pass

    def expect(self, names: Iterable[str]) -> None:
        pass

    def may_renew(self) -> bool:
        return False

    def renew(self, names: Iterable[str]) -> bool:
        return False

    def provenance(self, name: str) -> Provenance:
        return Provenance()
