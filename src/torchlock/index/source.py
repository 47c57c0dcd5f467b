"""The releases of an index for the solver, each with its files and their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.errors import MetadataError, UnknownPackage
from torchlock.index.project_page import ReleaseFiles
from torchlock.runtime.fence import breakage
from torchlock.standards import filenames
from torchlock.standards.core_metadata import CoreMetadata, parse_metadata, refusal
from torchlock.standards.names import project_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.index.client import Index
    from torchlock.index.project_page import ProjectPage
    from torchlock.standards.dependency import Dependency
    from torchlock.standards.index_file import File

_OLDEST = Version("0.dev0")
ONLY_VARIANTS = (
    "was left out: it has only variant wheels (PEP 825), which pip cannot install, and uv only with "
    "--preview-features wheel-variants"
)


class IndexRelease:
    """One release of a project on an index. The metadata of its files is fetched when needed."""

    __slots__ = ("_asked", "_declared", "_held", "index", "name")

    def __init__(self, asked: Index, name: str, held: ReleaseFiles, index: str) -> None:
        self._asked = asked
        self._declared: dict[str, CoreMetadata] = {}
        self._held = held
        self.name = name
        self.index = index

    def __repr__(self) -> str:
        return f"IndexRelease({self.name} {self.version}, {len(self.tags)} wheels)"

    @property
    def version(self) -> str:
        return self._held.version

    @property
    def tags(self) -> Sequence[str]:
        """The tags of each of the wheels."""
        return self._held.tags

    @property
    def yanked(self) -> str | None:
        """None, or the reason (possibly empty) why all files were withdrawn (PEP 592)."""
        return self._held.yanked

    @property
    def has_sdist(self) -> bool:
        return self._held.has_sdist

    @property
    def date(self) -> str:
        """The day of the first upload (YYYY-MM-DD); "" if it is unknown."""
        return min((file.uploaded[:10] for file in self._held.files() if file.uploaded), default="")

    @property
    def wheels(self) -> list[File]:
        return self._held.files()[: len(self.tags)]

    @property
    def sdist(self) -> File | None:
        """The source distribution that installers take; None without one."""
        return self._held.files()[len(self.tags)] if self.has_sdist else None

    def file(self, number: int) -> File:
        """A wheel by its number, or the source distribution (-1)."""
        return self._held.files()[number if number >= 0 else len(self.tags)]

    def expect(self, number: int) -> None:
        """Begin to fetch the metadata of a wheel, which will probably be asked for."""
        file = self.file(number)
        if self._remembered(file) is None:
            self._asked.expect_metadata(file)

    def declared(self, file: File) -> CoreMetadata:
        """The file's own metadata; fetched once.

        Raises:
            NeedsBuild: it is an sdist whose dependencies are known only after a build.
            MetadataError: it cannot be read, or is for another release.
            NetworkError: it cannot be fetched.
        """
        known = self._remembered(file)
        if known is not None:
            return known
        found = _parsed(self._asked.metadata(file))
        if isinstance(found, Unknown):
            raise MetadataError(found.because)
        if not self._is_of(found):  # as pip does
            raise MetadataError(f"its metadata is for {found.name} {found.version}")
        self._asked.declarations.keep(file, found)
        self._declared[file.url] = found
        return found

    def _remembered(self, file: File) -> CoreMetadata | None:
        """The file's metadata, if this run or an earlier one has read them."""
        if file.url not in self._declared:
            found = self._asked.declarations.get(file)
            if found is None or not self._is_of(found):
                return None
            self._declared[file.url] = found
        return self._declared[file.url]

    def _is_of(self, found: CoreMetadata) -> bool:
        """Whether metadata are of this project and version."""
        return project_name(found.name) == self.name and filenames.same_version(found.version, self.version)

    def dependencies(self, file: File) -> list[Dependency]:
        """Requires-Dist of the file, in its order.

        Raises:
            MetadataError: one of them is ``invalid``, besides what ``declared`` raises.
        """
        if invalid := self.invalid(file):
            raise MetadataError(refusal(invalid[0]))
        return self.declared(file).dependencies

    def invalid(self, file: File) -> list[str]:
        """Requires-Dist values that are not requirements. Raises like ``declared``."""
        return self.declared(file).invalid

    def extras(self, file: File) -> list[str]:
        """The extras that the file provides, normalised and sorted. Raises like ``declared``."""
        return self.declared(file).extras

    def members(self, file: File, names: Sequence[str]) -> dict[str, str]:
        """The texts of those of these members that a wheel has. Raises NetworkError."""
        return self._asked.members(file, names)

    def requires_python(self, number: int) -> str:
        """What the index says about a file, else what the file declares if that was read; or nothing."""
        listed = self._held.pythons[number]
        if listed or not self._declared:
            return listed
        known = self._declared.get(self.file(number).url)
        return known.requires_python if known else ""

    def origin(self, file: File) -> str:
        """The file of an sdist that states its requirements; empty before they were read."""
        return self._asked.origin(file) if file.url in self._declared else ""


def _parsed(text: str) -> CoreMetadata | Unknown:
    """The metadata of one file; a bug in torchlock affects only this file."""
    try:
        return parse_metadata(text)
    except Exception as error:
        return Unknown(f"torchlock failed to read its metadata because of a bug: {breakage(error)}")


def releases(index: Index, name: str, taken: Callable[[File], File | None] | None = None) -> list[IndexRelease]:
    """Every release of a project, oldest first, without files whose names installers refuse.

    ``taken`` returns a file as it is used, or None for one that is left out. Variant wheels (PEP 825) are left
    out: which of them fits is decided on the machine, and by default pip and uv install none of them.

    Raises:
        UnknownPackage: no index has the project, or all its files are variant wheels.
        NetworkError: an index could not be asked.
    """
    normal = project_name(name) or name
    listings = index.listings(name)
    _tell_variants(index, normal, [page for _, page in listings])
    if taken is None and len(listings) == 1:
        source, page = listings[0]
        return [IndexRelease(index, normal, held, source) for held in page.releases(normal)]
    files: dict[Version, list[File]] = {}
    origins: dict[Version, str] = {}
    for listing in listings:
        for held in listing.page.releases(normal):
            found = list(filter(None, map(taken, held.files()))) if taken else held.files()
            if found:
                version = Version(held.version)
                files.setdefault(version, []).extend(found)
                origins.setdefault(version, listing.source)
    return [
        IndexRelease(index, normal, ReleaseFiles.of(str(version), files[version]), origins[version])
        for version in sorted(files)
    ]


def _tell_variants(index: Index, name: str, pages: Sequence[ProjectPage]) -> None:
    """A note on the newest release of a project if all its files are variant wheels.

    Raises:
        UnknownPackage: all files of the project are.
    """
    variants = [Version(release.version) for page in pages for release in page.variants(name)]
    if not variants:
        return
    newest = max(variants)
    held = [Version(release.version) for page in pages for release in page.releases(name)]
    if newest <= max(held, default=_OLDEST):
        return
    said = f"{name} {newest} {ONLY_VARIANTS}"
    if not held:
        raise UnknownPackage(name, said)
    index.notes += [said] if said not in index.notes else []
