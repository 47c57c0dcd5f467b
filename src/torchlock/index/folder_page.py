"""The live pages of the PyTorch index: which of the listed files belong to a folder, and what they hold.

A page lists more than the files of its folder: links of the root page, which are old. So a file counts only if its
path, its label or the table says that it belongs to the folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from packaging.version import Version

from torchlock.errors import NetworkError, UnknownPackage
from torchlock.index.build_releases import FolderRelease, is_foreign
from torchlock.knowledge.build_files import index_address
from torchlock.knowledge.build_labels import parse_label
from torchlock.standards import filenames

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from torchlock.index import Index
    from torchlock.knowledge.releases import CatalogueRelease
    from torchlock.standards.index_file import File


class Contradiction(NamedTuple):
    """A file of which the page and the table state different hashes."""

    page: str
    table: str


class FolderPages:
    """Reads the pages of one folder, or of the root for ``label`` "".

    ``root`` is the address of the index, ``opened`` opens the index at an address. ``contradictions`` collects the
    files, by name, of which page and table state different hashes.
    """

    def __init__(self, label: str, root: str, opened: Callable[[str], Index]) -> None:
        self.label = label
        self.address = f"{root}/{label}" if label else root
        self.contradictions: dict[str, Contradiction] = {}
        self._root = root
        self._opened = opened
        self._indexes: dict[str, Index] = {}

    @property
    def notes(self) -> list[str]:
        """Remarks from asking."""
        return [note for index in self._indexes.values() for note in index.notes]

    def releases(
        self, name: str, build: str, table: Sequence[CatalogueRelease], as_of: str, covered: Collection[str]
    ) -> list[FolderRelease]:
        """The releases of a project as its page lists them today, oldest first.

        ``build`` is the build of its wheels, ``table`` what is known of them as of a date; ``covered`` are the
        releases (without labels) that the data have in any build.

        Raises:
            UnknownPackage: the index has no page for it.
            NetworkError: the index failed.
        """
        from torchlock.index import releases

        listed = [(row, wheel, file) for row in table for wheel, file in enumerate(row.files())]
        known = {file.filename: file for _, _, file in listed}
        passed = {file.filename for row, wheel, file in listed if self.label and is_foreign(row, wheel, build)}

        def taken(file: File) -> File | None:
            if file.filename in passed or not self._belongs(name, file, known.get(file.filename)):
                return None
            passed.add(file.filename)  # The page of the root may list a name once for each folder.
            return self._completed(file, known.get(file.filename))

        rows = {row.version: row for row in table}
        found = releases(self._index(self.address), name, taken)
        return [
            FolderRelease(
                each,
                rows.get(each.version),
                build,
                as_of,
                covered=each.version in rows or each.version.partition("+")[0] in covered,
            )
            for each in found
        ]

    def _belongs(self, name: str, file: File, row: File | None) -> bool:
        """Whether a listed file is one of the folder: by its path, else by the table, its label, or its age."""
        if not self.label:
            return True
        parsed = filenames.parse(file.filename)
        if parsed is None:
            return False
        local, parent = parsed[1].local or "", _parent(file.url)
        if parent == self.label:
            return local in ("", self.label) or row is not None
        if parent == _parent(f"{self._root}/") or parse_label(parent):
            return row is not None and "/" not in row.url and not parse_label(parent)
        if local or row is not None:
            return local == self.label or row is not None
        return parsed[1] > self._newest_of_root(name)

    def _newest_of_root(self, name: str) -> Version:
        """The newest release that the root page lists. Without an answer, no release is newer."""
        from torchlock.index import releases

        try:
            return max(
                (Version(each.version) for each in releases(self._index(self._root), name)), default=_OLDEST
            )
        except UnknownPackage:
            return _OLDEST
        except NetworkError:
            return _NEWEST

    def _completed(self, file: File, row: File | None) -> File:
        """The file with the hash that the table knows, where the page has none; differences are noted."""
        if row is None:
            return file
        mine, theirs = row.hashes.get("sha256", ""), file.hashes.get("sha256", "")
        if mine and theirs and mine != theirs:
            self.contradictions[file.filename] = Contradiction(theirs, mine)
        elif mine and not theirs:
            file = file._replace(hashes=row.hashes)
        # A mirror may keep the file elsewhere; the index itself has several hosts, and the lock names one of them.
        url = f"{self._root}/{row.url}" if self._root == index_address() else file.url
        return file._replace(url=url, size=file.size or row.size, uploaded=file.uploaded or row.uploaded)

    def _index(self, url: str) -> Index:
        if url not in self._indexes:
            self._indexes[url] = self._opened(url)
        return self._indexes[url]


def _parent(url: str) -> str:
    """The name of the folder that a file is in."""
    return "".join(urlsplit(url).path.split("/")[-2:-1])


_OLDEST, _NEWEST = Version("0"), Version("9999")
