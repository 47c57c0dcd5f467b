"""The files of one release by their hash: on the pages of the PyTorch index, and on the public index."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.knowledge.build_files import build_catalogue, evidence_of, folders
from torchlock.standards.filenames import cell_of, tags_of

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Catalogue

# The public index, where a folder of the PyTorch index may be named.
PUBLIC = ""


class KnownFile(NamedTuple):
    """A file in a folder of the PyTorch index; the folder "" is the public index."""

    folder: str
    name: str

    @property
    def label(self) -> str:
        """The label in the name of the wheel."""
        return self.name.split("-")[1].partition("+")[2] if self.name.count("-") > 1 else ""

    @property
    def target(self) -> tuple[str, str]:
        """What the wheel is for: its platform and its Python."""
        return cell_of(tags_of(self.name))


class HashTable:
    """The known hashes of one release, of all its builds. ``public`` is the catalogue of the public index.

    Raises:
        DataError: a table is damaged.
    """

    def __init__(self, package: str, version: str, public: Catalogue) -> None:
        self._hashes: dict[KnownFile, str] = {}
        self._files: dict[str, list[KnownFile]] = {}
        self._labelled: set[tuple[str, tuple[str, str]]] = set()
        self._take(PUBLIC, public.rows(package, version))
        for folder in folders():
            catalogue = build_catalogue(folder)
            for text in (version, f"{version}+{folder}"):
                self._take(folder, catalogue.rows(package, text))

    def _take(self, folder: str, rows: list[list[object]]) -> None:
        for name, sha256, *_ in rows:
            file = KnownFile(folder, str(name))
            if file.label:
                self._labelled.add((folder, file.target))
            if sha256:
                self._hashes[file] = str(sha256)
                self._files.setdefault(str(sha256), []).append(file)

    def files(self, sha256: str) -> tuple[KnownFile, ...]:
        """The files that are known to have this hash; empty if no file is."""
        return tuple(self._files.get(sha256, ()))

    def hash_of(self, folder: str, name: str) -> str | Unknown:
        """The hash of a file in a folder, as the table states it."""
        found = self._hashes.get(KnownFile(folder, name))
        return Unknown(f"no hash is known of {name} in {folder or 'the public index'}") if found is None else found

    def may_be_in(self, folder: str, sha256: str, label: str = "") -> bool:
        """Whether a file in this folder, with this label if one is given, may have this hash.

        False only if the hash is known, all its files are elsewhere, and the folder has other files in their
        place. A hash that no known file has may be that of any file.
        """
        known = self.files(sha256)
        return not known or any(self._may_be(folder, file, sha256, label) for file in known)

    def may_be(self, folder: str, name: str, sha256: str) -> bool:
        """Whether a file in a folder may have this hash; False only if it is known, and of other files alone."""
        stated = self.hash_of(folder, name)
        if isinstance(stated, Unknown) or stated == sha256 or sha256 in _disputed(folder, name):
            return True
        return not self.files(sha256)

    def _may_be(self, folder: str, file: KnownFile, sha256: str, label: str) -> bool:
        """Whether a folder may have this file. Its name is part of its contents, so that the label decides."""
        if label and file.label != label:
            return False
        if file.folder == folder:
            return True
        if file.label:
            return file.label == folder
        if (folder, file.target) in self._labelled:
            return False  # There the wheel for this target has a label.
        stated = self.hash_of(folder, file.name)
        return isinstance(stated, Unknown) or sha256 in _disputed(folder, file.name)


def is_second_class(file: KnownFile) -> bool:
    """Whether only a text that quotes it states the hash of a file, and no lock does."""
    evidence = evidence_of(file.folder, file.name) if file.folder else None
    return evidence is not None and evidence.grade == "excerpt"


def _disputed(folder: str, name: str) -> set[str]:
    """Other hashes that sources state for a file in a folder."""
    evidence = evidence_of(folder, name) if folder else None
    return {sha256 for sha256, _ in evidence.others} if evidence is not None else set()
