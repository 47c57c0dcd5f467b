"""The page of a project on the index: its releases and their files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from torchlock.errors import UnknownPackage
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.index import Index
    from torchlock.standards import index_file

_SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tgz")


def generation_of(tag: str) -> str:
    """``2`` for the tag of wheels of Python 2 alone, else ``3``."""
    return "2" if re.fullmatch(r"(?:(?:cp|py|pp)2\d*\.?)+", tag.split("-")[0]) else "3"


@dataclass(frozen=True)
class File:
    """One file of a project's page. ``python`` and ``yanked`` are as the page has them (None: not said).

    ``listed`` is the entry of the page; None for a file that a table states.
    """

    filename: str
    url: str
    sha256: str
    size: int | None
    uploaded: str | None
    python: str | None
    yanked: str | None
    listed: index_file.File | None = field(default=None, compare=False, repr=False)

    @property
    def tag(self) -> str:
        """The wheel tag as the file name has it: ``cp312-cp312-manylinux_2_28_x86_64``."""
        return "-".join(self.filename.removesuffix(".whl").split("-")[-3:])

    @property
    def platform(self) -> tuple[str, str]:
        """Operating system and machine: ``("linux", "x86_64")``; ``("any", "")`` for pure Python."""
        text = self.tag.rpartition("-")[2].split(".")[0]
        if text == "any":
            return "any", ""
        machine = re.sub(r"^(?:(?:many|musl)?linux(?:\d+|_\d+_\d+)?|macosx_\d+_\d+|win)_?", "", text)
        if text.startswith("win"):
            return "windows", machine
        return ("macos" if text.startswith("macosx") else "linux"), machine

    @property
    def build_number(self) -> str:
        """The build tag of the file name (``1`` in ``torchaudio-2.5.0-1-cp39-…``), or an empty string."""
        parts = self.filename.split("-")
        return parts[2] if len(parts) == 6 else ""

    @property
    def generation(self) -> str:
        """``2`` for wheels of Python 2 alone, else ``3``."""
        return generation_of(self.tag)

    def row(self) -> list[Any]:
        """What the ``files`` section holds of it."""
        address = urlsplit(self.url).path.lstrip("/")
        return [self.filename, self.sha256, self.size, self.uploaded, address]


@dataclass
class Release:
    """The files of one version: wheels sorted by name, and one sdist."""

    version: Version
    wheels: list[File] = field(default_factory=list)
    sdist: File | None = None

    @property
    def files(self) -> list[File]:
        return [*self.wheels, *([self.sdist] if self.sdist else [])]


@dataclass
class Project:
    """A project's page, sorted: releases oldest first, and the names of files that could not be placed."""

    name: str
    releases: list[Release]
    refused: list[str]


def read_page(index: Index, name: str) -> Project | None:
    """What the index serves under a normalised name, or None if it knows no such project.

    Raises:
        NetworkError: the page cannot be read.
    """
    try:
        listed = index.files(name)
    except UnknownPackage:
        return None
    return sort_files(name, [file for each in listed if (file := file_of(each))])


def file_of(listed: index_file.File) -> File | None:
    """One entry of a page, or None for a file without a SHA-256, which no lock could name."""
    sha256 = listed.hashes.get("sha256")
    if not sha256:
        return None
    uploaded = f"{listed.uploaded[:19]}Z" if listed.uploaded else None
    python = listed.requires_python
    return File(listed.filename, listed.url, sha256, listed.size, uploaded, python, listed.yanked, listed)


def sort_files(name: str, files: Iterable[File]) -> Project:
    """Arrange a page's files by release; neither wheel nor sdist: dropped; misnamed or not PEP 440: refused."""
    releases: dict[Version, Release] = {}
    refused = []
    for file in sorted(files, key=lambda file: file.filename):
        if not file.filename.endswith((".whl", *_SDIST_SUFFIXES)):
            continue
        version = _version_of(name, file.filename)
        if version is None:
            refused.append(file.filename)
            continue
        release = releases.setdefault(version, Release(version))
        if file.filename.endswith(".whl"):
            release.wheels.append(file)
        elif release.sdist is None or _sdist_rank(file) < _sdist_rank(release.sdist):
            release.sdist = file
    return Project(name, [releases[version] for version in sorted(releases)], refused)


def _version_of(name: str, filename: str) -> Version | None:
    """The version in a file name of this project, or None if the name follows no standard."""
    if filename.endswith(".whl"):
        parts = filename.removesuffix(".whl").split("-")
        is_one = len(parts) in (5, 6) and _are_tags("-".join(parts[-3:]))
        return _version_of_wheel(name, "-".join(parts[:-3])) if is_one else None
    stem = next(filename.removesuffix(end) for end in _SDIST_SUFFIXES if filename.endswith(end))
    for cut in (match.start() for match in re.finditer("-", stem)):
        if normalise(stem[:cut]) == name:
            try:
                return Version(stem[cut + 1 :])
            except InvalidVersion:
                return None
    return None


# Wheels share what their names have before their tags, and their tags: reading both once for all of them takes a
# fifth of the time that reading each name takes.


@lru_cache(1024)
def _version_of_wheel(name: str, start: str) -> Version | None:
    """The version in the names of the wheels of a release, which have ``start`` before their tags."""
    try:
        found, version, _, _ = parse_wheel_filename(f"{start}-py3-none-any.whl")
    except (InvalidWheelFilename, InvalidVersion):
        return None
    return version if found == name else None


@lru_cache(4096)
def _are_tags(text: str) -> bool:
    """Whether the name of a wheel may end with these tags."""
    try:
        parse_wheel_filename(f"any-1-{text}.whl")
    except InvalidWheelFilename:
        return False
    return True


def _sdist_rank(file: File) -> int:
    return next(rank for rank, end in enumerate(_SDIST_SUFFIXES) if file.filename.endswith(end))
