"""Releases of one build: from the bundled table of its folder, and from the live page of that folder.

The folder says which build a wheel is. A label in the name of the wheel repeats it, and may be missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.index.live_releases import LiveRelease
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.filenames import cell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from torchlock.index import IndexRelease
    from torchlock.knowledge.releases import CatalogueRelease
    from torchlock.knowledge.rules import Statement
    from torchlock.standards.dependency import Dependency
    from torchlock.standards.index_file import File

NO_FILE = "none of its files is known"
ASK = "run without --offline, where the index can be asked"
OFFLINE = "the data have no requirements of this wheel; run without --offline to read them from the index"


class TableRelease:
    """A release as the table of a folder has it (the seam ``solve.Release``).

    ``label`` is the build of the folder, or "" for a project without builds. ``served`` returns the release as the
    folder's page has it today, for wheels whose requirements the table does not know; None offline.
    ``root`` is what the address of a file begins with. Wheels for the ``hidden`` cells (``cell_of``) are left out.
    """

    shape = None
    kind = None
    unversioned = False

    def __init__(
        self,
        row: CatalogueRelease,
        label: str,
        root: str,
        served: Callable[[str, str], FolderRelease | Unknown] | None,
        hidden: Collection[tuple[str, str]] = (),
    ) -> None:
        self._row = row
        self._hidden = hidden
        self._label = label
        self._root = root
        self._served = served
        self._files: list[File] | None = None
        self.name = row.name
        self.version = row.version

    @property
    def live(self) -> bool:
        """Whether the index has to be asked for the requirements of a wheel."""
        return self._served is not None and any(
            isinstance(self._row.dependencies(wheel), Unknown) for wheel in range(len(self.tags))
        )

    @property
    def tags(self) -> Sequence[str]:
        return self._row.tags

    @property
    def yanked(self) -> str | None:
        return self._row.yanked

    @property
    def date(self) -> str:
        return self._row.date

    @property
    def has_sdist(self) -> bool:
        return False

    @property
    def invalid(self) -> Sequence[str]:
        return self._row.invalid

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        """The rank of each wheel of this build, also of one whose requirements are not known."""
        ranks = self._row.ranks(rank)
        if ranks.count(None) == len(ranks):
            return ranks
        return [None if found is None or self._is_left_out(wheel) else found for wheel, found in enumerate(ranks)]

    def _is_left_out(self, wheel: int) -> bool:
        return is_foreign(self._row, wheel, self._label) or (
            bool(self._hidden) and cell_of(self.tags[wheel]) in self._hidden
        )

    def requires_python(self, wheel: int) -> str:
        return self._row.requires_python(wheel)

    def build(self, wheel: int) -> str | None:
        """The build of the folder; None for a wheel without compiled code."""
        return _build(self.name, self._label, self.tags[wheel])

    def unproven(self, wheel: int) -> Unknown | None:
        return None

    def statements(self, wheel: int) -> Sequence[Statement]:
        return ()

    def dependencies(self, wheel: int) -> list[Dependency] | Unknown:
        """Requires-Dist of a wheel: of the table, else of today's page.

        Raises:
            TorchlockError: the index fails while its metadata is read.
        """
        known = self._row.dependencies(wheel)
        if not isinstance(known, Unknown):
            return known
        if self._served is None:
            return Unknown(OFFLINE)
        today = self._served(self.name, self.version)
        if isinstance(today, Unknown):
            return today
        filename = self.files()[wheel].filename
        there = next((at for at, file in enumerate(today.files()) if file.filename == filename), None)
        if there is None:
            return Unknown(f"the data have no requirements of {filename}, and the index no longer has it")
        return today.dependencies(there)

    def origin(self, wheel: int) -> str:
        return ""

    def files(self) -> list[File]:
        """Every wheel, in the order of ``tags``, with its whole address."""
        if self._files is None:
            self._files = [file._replace(url=self._root + file.url) for file in self._row.files()]
        return self._files


class DeclaredRelease(TableRelease):
    """A release of which documents say that the build exists, and of which no file is known.

    ``row`` is the release of the public index, which has wheels for the same Pythons and platforms. Of a companion
    of torch, they also declare what this one requires: its builds differ in their code alone.
    """

    def __init__(self, row: CatalogueRelease, label: str, exists: Callable[[str, str], Unknown | None]) -> None:
        """``exists`` says of a platform and a Python why the build is known there; None where it is not."""
        super().__init__(row, label, "", None)
        self.version = f"{row.version}+{label}"
        self._exists = exists
        self._unproven: dict[int, Unknown | None] = {}

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        """The rank of each wheel that exists according to the documents."""
        ranks = self._row.ranks(rank)
        return [
            found if found is not None and self.unproven(wheel) is not None else None
            for wheel, found in enumerate(ranks)
        ]

    def unproven(self, wheel: int) -> Unknown | None:
        """Which document says that the build exists."""
        if wheel not in self._unproven:
            self._unproven[wheel] = self._exists(*cell_of(self.tags[wheel]))
        return self._unproven[wheel]

    def dependencies(self, wheel: int) -> list[Dependency] | Unknown:
        """Requires-Dist of a companion; that of torch is not known."""
        if self.name != "torch":
            return self._row.dependencies(wheel)
        why = self.unproven(wheel)
        return Unknown(f"{NO_FILE if why is None else why.because}; {ASK}")

    def files(self) -> list[File]:
        return []


def is_foreign(row: CatalogueRelease, wheel: int, label: str) -> bool:
    """Whether a wheel in the folder of a build is known to be another build: old folders have some CPU builds."""
    build = row.build(wheel)
    return row.name in FAMILY and isinstance(build, str) and build != label


class FolderRelease(LiveRelease):
    """A release as the page of a folder lists it: the folder says its build.

    ``covered``: the data have this release, in this build or another, so the rules are about it.
    """

    def __init__(
        self,
        release: IndexRelease,
        bundled: CatalogueRelease | None,
        label: str,
        as_of: str,
        *,
        covered: bool,
    ) -> None:
        super().__init__(release, bundled, as_of)
        self._label = label
        self._covered = covered

    def unproven(self, wheel: int) -> Unknown | None:
        """Why the data do not cover this release in any build; None if they do."""
        return None if self._covered else super().unproven(wheel)

    def statements(self, wheel: int) -> Sequence[Statement]:
        """As in ``LiveRelease``, for a release that the rules do not cover."""
        return () if self._covered else super().statements(wheel)

    def build(self, wheel: int) -> str | None:
        return _build(self.name, self._label, self.tags[wheel])


def _build(name: str, label: str, tags: str) -> str | None:
    return None if name not in FAMILY or tags.endswith("-any") else label
