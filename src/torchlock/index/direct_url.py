"""Requirements that name a URL or a folder: read their metadata as far as possible without a build.

A wheel states everything; an archive states its name, its version and sometimes its requirements; a folder has
project files; a repository states nothing. Unknown facts are reported, never guessed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from torchlock.answers import Unknown
from torchlock.errors import InputError, MetadataError, TorchlockError
from torchlock.knowledge.stack import FAMILY
from torchlock.patterns import pattern
from torchlock.standards.dependency import Dependency
from torchlock.standards.filenames import is_variant, tags_of
from torchlock.standards.index_file import File
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.knowledge.rules import Statement
    from torchlock.terms import ParsedRequirement

UNKNOWN_VERSION = "0"
_EXTRAS = pattern(r"\[([^\[\]]*)\]$")
_VARIANT = (
    "is a variant wheel (PEP 825): pip cannot install it, and uv only with --preview-features wheel-variants"
)


class DirectRelease:
    """The only release of a project that the user names by URL (a ``Release`` for the solver).

    ``unversioned``: its version is unknown, so every requirement on it counts as satisfied. ``notes`` say what
    could not be found out.
    """

    yanked: str | None = None
    date = ""
    invalid: Sequence[str] = ()

    shape = None
    kind = None

    def __init__(self, name: str, file: File, dependencies: list[Dependency], *, version: str = "") -> None:
        self.live = False
        self.name = name
        self.unversioned = not version
        self.version = version or UNKNOWN_VERSION
        self.has_sdist = not file.filename.endswith(".whl")
        self.tags: Sequence[str] = () if self.has_sdist else [tags_of(file.filename)]
        self.notes = [f"{file.filename} {_VARIANT}"] if is_variant(file.filename) else []
        self._file = file
        self._dependencies = dependencies
        self._requires_python = ""

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        return [rank(tags) for tags in self.tags]

    def declare(self, dependencies: list[Dependency], requires_python: str, extras: Sequence[str]) -> None:
        """Take in what the file declares, its extras asked for counted as plain requirements."""
        self._requires_python = requires_python
        own = [Dependency(self.name, extras=tuple(extras))] if extras else []
        self._dependencies = dependencies + own

    def requires_python(self, wheel: int) -> str:
        return self._requires_python

    def build(self, wheel: int) -> str | Unknown | None:
        label = self.version.partition("+")[2]
        if label:
            from torchlock.index.wheel_build import of_label

            return of_label(label)
        if self.name not in FAMILY or (self.tags and self.tags[0].endswith("-any")):
            return None
        return Unknown("its URL does not name its build")

    def unproven(self, wheel: int) -> Unknown | None:
        return None  # the user asked for this very one

    def statements(self, wheel: int) -> Sequence[Statement]:
        return ()

    def dependencies(self, wheel: int) -> list[Dependency]:
        return self._dependencies

    def origin(self, wheel: int) -> str:
        return ""

    def files(self) -> list[File]:
        return [self._file]


def read_direct(written: ParsedRequirement, metadata: Callable[[File], str]) -> DirectRelease | None:
    """The release that a URL requirement names; None if not even the project name can be known.

    ``metadata`` returns the METADATA text of a file, or raises a TorchlockError.

    Raises:
        InputError: the path does not exist, or the file is not a wheel.
    """
    address = written.url or ""
    path = _local_path(address, written)
    name = None if written.requirement is None else written.requirement.name
    if path is not None and path.is_dir():
        return _folder(name, path, written)
    bare = _EXTRAS.sub("", address.partition("#")[0])
    filename = path.name if path else unquote(re.split(r"[/\\]", bare.partition("?")[0])[-1])
    file = File(filename, path.resolve().as_uri() if path else bare, _hashes(address, written))
    return _archive(name, file, written, metadata)


def _local_path(address: str, written: ParsedRequirement) -> Path | None:
    bare = _EXTRAS.sub("", address.partition("#")[0])
    if bare.startswith("file:"):
        from urllib.request import url2pathname

        path = Path(url2pathname(urlsplit(bare).path if bare.startswith("file:/") else bare[len("file:") :]))
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", bare):
        return None
    else:
        from torchlock.index.addresses import expand_home

        path = expand_home(bare)
        origin = written.origin.path
        if not path.is_absolute() and not path.exists() and origin not in (None, "-"):
            path = Path(str(origin)).parent / path
    if not path.exists():
        raise InputError(f"{address}: there is no such file", path=written.origin.path, line=written.origin.line)
    return path


def _hashes(address: str, written: ParsedRequirement) -> dict[str, str]:
    found = dict(re.findall(r"[#&](sha256|sha384|sha512)=([0-9a-fA-F]+)", address))
    for value in written.hashes:
        algorithm, _, digest = value.partition(":")
        found[algorithm] = digest
    return found


def _folder(name: str | None, path: Path, written: ParsedRequirement) -> DirectRelease | None:
    """A source tree: what its static metadata states."""
    from torchlock.index.sdist import metadata_of_tree, project_of_tree, tree_files
    from torchlock.standards.core_metadata import parse_metadata

    files = tree_files(path)
    stated_name, version = project_of_tree(files)
    name = name or stated_name
    if name is None:
        return None
    release = DirectRelease(normalise(name), File(path.name, path.resolve().as_uri(), {}), [], version=version)
    text = metadata_of_tree(files, release.name, version or UNKNOWN_VERSION)
    if isinstance(text, Unknown):
        release.notes.append(f"{written.origin}: the requirements of {path} are unknown without a build ({text})")
        return release
    declared = parse_metadata(text)
    if isinstance(declared, Unknown):
        raise _wrong(written, f"{path}: {declared.because}")
    if declared.invalid:
        raise _wrong(written, f"{path} declares an invalid requirement: {declared.invalid[0]}")
    release.declare(declared.dependencies, declared.requires_python, _extras_of(written))
    release.notes += _passed_over(release.name, path, written)
    return release


def _passed_over(name: str, path: Path, written: ParsedRequirement) -> list[str]:
    """A note on the sources that a source tree sets for its requirements; they are ignored."""
    from torchlock.manifests.selection import read_inputs

    project = path / "pyproject.toml"
    try:
        stated = read_inputs(str(project)).requirements if project.is_file() else []
    except InputError:
        return []
    found = [item.requirement.name for item in stated if item.requirement and item.sources]
    sourced = [other for other in found if normalise(other) != name]
    names = ", ".join(sourced)
    return [f"{written.origin}: the sources that {path} names for {names} are ignored"] if sourced else []


def _extras_of(written: ParsedRequirement) -> list[str]:
    """The extras in brackets after a path."""
    asked = _EXTRAS.search((written.url or "").partition("#")[0])
    return sorted({normalise(extra.strip()) for extra in asked[1].split(",") if extra.strip()}) if asked else []


def _archive(
    name: str | None, file: File, written: ParsedRequirement, metadata: Callable[[File], str]
) -> DirectRelease | None:
    from torchlock.standards import filenames

    parsed = filenames.parse(file.filename)
    if parsed is not None:
        if name is not None and normalise(name) != parsed[0]:
            raise _wrong(written, f"{file.filename} is a file of {parsed[0]}, not of {name}")
        name = parsed[0]
    if name is None:
        return None
    release = DirectRelease(normalise(name), file, [], version=str(parsed[1]) if parsed else "")
    if re.match(r"(git|hg|svn|bzr)\+", written.url or ""):
        problem = "a repository"
    else:
        problem = _declare(release, file, written, metadata)
    if problem:
        release.notes.append(
            f"{written.origin}: the requirements of {name} are unknown without a build ({problem})"
        )
    return release


def _declare(
    release: DirectRelease, file: File, written: ParsedRequirement, metadata: Callable[[File], str]
) -> str:
    """Give the release what its file declares; what kept that from being read, or an empty string.

    Raises:
        InputError: a wheel of this machine is damaged.
    """
    from torchlock.standards.core_metadata import parse_metadata

    try:
        declared = parse_metadata(metadata(file))
        if isinstance(declared, Unknown):
            raise MetadataError(declared.because)
    except TorchlockError as error:
        if file.url.startswith("file:") and file.filename.endswith(".whl"):
            raise _wrong(written, f"{file.filename} is not a readable wheel ({error.message})") from error
        return error.message
    if declared.invalid:
        raise _wrong(written, f"{file.filename} declares an invalid requirement: {declared.invalid[0]}")
    release.declare(declared.dependencies, declared.requires_python, _extras_of(written))
    return ""


def _wrong(written: ParsedRequirement, message: str) -> InputError:
    return InputError(message, path=written.origin.path, line=written.origin.line)
