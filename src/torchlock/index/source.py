"""The releases of an index for the solver, each with its files and their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.errors import MetadataError, UnknownPackage
from torchlock.runtime.fence import breakage
from torchlock.standards import filenames
from torchlock.standards.core_metadata import CoreMetadata, parse_metadata, refusal
from torchlock.standards.names import project_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.index.client import Index
    from torchlock.standards.dependency import Dependency
    from torchlock.standards.index_file import File

_OLDEST = Version("0.dev0")
ONLY_VARIANTS = (
    "was left out: it has only variant wheels (PEP 825), which pip cannot install, and uv only with "
    "--preview-features wheel-variants"
)


class IndexRelease:
    """One release of a project on an index. The metadata of its files is fetched when needed."""

    __slots__ = ("_asked", "_declared", "date", "index", "name", "sdist", "version", "wheels", "yanked")

    def __init__(self, asked: Index, name: str, version: str, files: Sequence[File], index: str) -> None:
        self._asked = asked
        self._declared: dict[str, CoreMetadata] = {}
        self.name = name
        self.version = version
        self.wheels = [file for file in files if file.filename.endswith(".whl")]
        # Of two archives, the gzipped one follows the standard (PEP 625).
        sdists = [file for file in files if not file.filename.endswith(".whl")]
        self.sdist = min(sdists, key=lambda file: not file.filename.endswith(".tar.gz"), default=None)
        self.yanked = _yanked(files)
        self.date = min((file.uploaded[:10] for file in files if file.uploaded), default="")
        self.index = index

    def __repr__(self) -> str:
        return f"IndexRelease({self.name} {self.version}, {len(self.wheels)} wheels)"

    def declared(self, file: File) -> CoreMetadata:
        """The file's own metadata; fetched once.

        Raises:
            NeedsBuild: it is an sdist whose dependencies are known only after a build.
            MetadataError: it cannot be read, or is for another release.
            NetworkError: it cannot be fetched.
        """
        if file.url not in self._declared:
            found = _parsed(self._asked.metadata(file))
            if isinstance(found, Unknown):
                raise MetadataError(found.because)
            self._check_identity(found)
            self._declared[file.url] = found
        return self._declared[file.url]

    def _check_identity(self, found: CoreMetadata) -> None:
        """Refuse the metadata of another project or version, as pip does."""
        if project_name(found.name) != self.name or not filenames.same_version(found.version, self.version):
            raise MetadataError(f"its metadata is for {found.name} {found.version}")

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

    def requires_python(self, file: File) -> str:
        """What the index says about the file, else what the file declares if that was read; or nothing."""
        known = self._declared.get(file.url)
        return file.requires_python or (known.requires_python if known else "")

    def origin(self, file: File) -> str:
        """The file of an sdist that states its requirements; empty before they were read."""
        return self._asked.origin(file) if file.url in self._declared else ""


def _parsed(text: str) -> CoreMetadata | Unknown:
    """The metadata of one file; a bug in torchlock affects only this file."""
    try:
        return parse_metadata(text)
    except Exception as error:
        return Unknown(f"torchlock failed to read its metadata because of a bug: {breakage(error)}")


def releases(
    index: Index, name: str, taken: Callable[[File], File | None] = lambda file: file
) -> list[IndexRelease]:
    """Every release of a project, oldest first, without files whose names installers refuse.

    ``taken`` returns a file as it is used, or None for one that is left out. Variant wheels (PEP 825) are left
    out: which of them fits is decided on the machine, and by default pip and uv install none of them.

    Raises:
        UnknownPackage: no index has the project, or all its files are variant wheels.
        NetworkError: an index could not be asked.
    """
    normal = project_name(name)
    files: dict[Version, list[File]] = {}
    origins: dict[Version, str] = {}
    variants: set[Version] = set()
    for listing in index.listings(name):
        for listed in listing.files:
            parsed = filenames.parse(listed.filename)
            if not parsed or parsed[0] != normal:
                continue
            if filenames.is_variant(listed.filename):
                variants.add(parsed[1])
            elif (file := taken(listed)) is not None:
                files.setdefault(parsed[1], []).append(file)
                origins.setdefault(parsed[1], listing.source)
    if variants and max(variants) > max(files, default=_OLDEST):
        said = f"{normal} {max(variants)} {ONLY_VARIANTS}"
        if not files:
            raise UnknownPackage(name, said)
        index.notes += [said] if said not in index.notes else []
    return [IndexRelease(index, normal or name, str(v), files[v], origins[v]) for v in sorted(files)]


def _yanked(files: Sequence[File]) -> str | None:
    """A release is yanked if all its files are; its reason is the first non-empty one."""
    reasons = [file.yanked for file in files if file.yanked is not None]
    return None if len(reasons) < len(files) else next(filter(None, reasons), "")
