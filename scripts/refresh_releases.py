"""Refresh compat_data/releases: what the public package index serves, one JSON file per project.

Begins at the roots (torch, its family, soundfile, librosa) and follows every declared requirement that can
hold on some target, into the releases that its specifier admits, so that a lock never meets a project it
does not know. The form of the files is described in compat_data/README.md ("A release file").

Which wheels are read
    torch, torchaudio, torchvision, torchcodec, torchtext: the metadata of every wheel, for wheels of one
    release declare different things. All others: one for each release, operating system, machine, generation of
    Python (2 or 3) and build number, whose answer stands for its siblings.

How ``build`` is decided (one wheel per release, operating system, machine and build number, standing for its
siblings; a wheel with a build number may well be there because the one without was built wrongly)
    torch: ``cuda``, ``hip`` or ``xpu`` in its own torch/version.py; all None is ``cpu``; no such line is no
    ``build``.
    The others: whether compiled members ask the loader for a CUDA library (DT_NEEDED of ELF files, import
    names of PE files; CUDA does not exist in macOS wheels). Those that do not are ``cpu``, whatever they are
    called. For those that do, the version is, in this order: the local label in their version.py
    (``__version__ = '2.11.0+cu130'``), the version in the name of the CUDA runtime that they ask for, where
    it has one (``libcudart.so.10.2``), the build of the torch release that they pin, ``MEASURED_BUILDS``.
    If none of these tells, or the label says ``cpu``, there is no ``build``. Wheels for any platform have
    none.

Whatever was read from a wheel is kept under the cache directory by the wheel's SHA-256, so an interrupted
run goes on where it stopped, and a later run asks only for new wheels.
"""

from __future__ import annotations

import argparse
import functools
import io
import itertools
import json
import os
import re
import struct
import sys
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from packaging.markers import Marker, UndefinedComparison
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from torchlock.standards.core_metadata import dependency_of
from torchlock.standards.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

FAMILY = ("torch", "torchaudio", "torchvision", "torchcodec", "torchtext")
ROOTS = (*FAMILY, "soundfile", "librosa")

# Extras that bring in what a user of the package runs with; those for its developers are left alone.
RUNTIME_EXTRAS = {
    "librosa": {"display"},
    "soundfile": {"numpy"},
    "torch": {"opt-einsum", "optree", "pyyaml"},
    "torchvision": {"gdown", "scipy"},
}

# CUDA builds whose wheels do not say which CUDA. Their machine code holds one constant that can be a CUDA
# version: 12040, in libtorchaudio.so and _C.so; the x86-64 wheels of both releases are labelled cu124. Wheels
# with build number 1 replaced them by CPU builds.
MEASURED_BUILDS = {
    ("torchaudio", "2.5.0", "aarch64"): "cu124",
    ("torchvision", "0.20.0", "aarch64"): "cu124",
}

# The targets that a requirement's marker is tried against: all that `torchlock lock` can be asked for.
_PYTHONS = tuple(f"3.{minor}" for minor in range(6, 17))
_PATCHES = ("0", "20")
_SYSTEMS = (
    ("linux", "posix", "Linux", "x86_64"),
    ("linux", "posix", "Linux", "aarch64"),
    ("darwin", "posix", "Darwin", "arm64"),
    ("darwin", "posix", "Darwin", "x86_64"),
    ("win32", "nt", "Windows", "AMD64"),
    ("win32", "nt", "Windows", "ARM64"),
)

_ACCEPT = "application/vnd.pypi.simple.v1+json"
_RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE_STATUSES = frozenset({403, 404, 410, 451})
_ATTEMPTS = 6
_TAIL = 65536
_CHUNK = 262144
_WHOLE_AT_MOST = 64 << 20  # a server without byte ranges may send this much, not more
_MEMBER_AT_MOST = 128 << 20

_SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tgz")
_CUDA_LIBRARY = re.compile(r"(lib)?(torch_cuda|c10_cuda|caffe2_gpu|cudart)[-_.\w]*", re.IGNORECASE)
# The names of CUDA 9 and 10 hold the minor version; from 11 on all of a major version have one name.
_CUDA_RUNTIME = re.compile(r"(?:libcudart[-.\w]*\.so\.|cudart64_)(9|10)\.?(\d)(?:\.dll)?")
_PE_IMPORT = re.compile(rb"(?<![\w.-])(?:torch_cuda|c10_cuda|cudart64)[-\w]*\.dll\0", re.IGNORECASE)
_VERSION_LINE = re.compile(r"""^__version__\s*(?::[^:=\n]+)?=\s*['"]([^'"]+)['"]""", re.MULTILINE)
_ACCELERATOR_LINE = re.compile(r"^(cuda|hip|xpu)\s*(?::[^:=\n]+)?=\s*(?:None|['\"]([^'\"]*)['\"])", re.MULTILINE)


class RefreshError(Exception):
    """The run cannot go on; what it has read stays in the cache."""


class Unreadable(Exception):
    """One wheel has no metadata that could be read."""


# --- the index -----------------------------------------------------------------------------------------------


class Web:
    """HTTP GET with patience, usable from several threads."""

    def __init__(self, pause: float = 1.0) -> None:
        self._local = threading.local()
        self._pause = pause

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """The answer to a GET: 200, 206 or one of the statuses that say the thing is not there.

        Raises:
            RefreshError: no such answer after several attempts.
        """
        trouble = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(self._pause * 2 ** (attempt - 1))
            try:
                response = self._session().get(url, headers=headers, timeout=60)
            except (requests.RequestException, OSError) as error:
                trouble = type(error).__name__
                continue
            if response.status_code in (200, 206) or response.status_code in _GONE_STATUSES:
                return response
            trouble = f"status {response.status_code}"
            if response.status_code not in _RETRY_STATUSES:
                break
        raise RefreshError(f"{urlsplit(url).path}: {trouble}")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        return session


class RemoteFile(io.RawIOBase):
    """A file on a server that answers byte ranges, read a stretch at a time, its tail first."""

    def __init__(self, web: Web, url: str) -> None:
        super().__init__()
        self._web = web
        self._url = url
        self._at = 0
        response = self._ask(f"bytes=-{_TAIL}")
        self._tail = self._chunk = response.content
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        self.size = int(total) if total.isdigit() else len(self._tail)
        self._tail_at = self._chunk_at = self.size - len(self._tail)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")  # what zipfile expects of a file too short to be an archive
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self._at + size)
        if self._at >= end:
            return b""
        data = self._stretch(self._at, end)
        self._at += len(data)
        return data

    def _stretch(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end``, from what is at hand if possible, else fetched with some more."""
        for held, held_at in ((self._tail, self._tail_at), (self._chunk, self._chunk_at)):
            if held_at <= start and end <= held_at + len(held):
                return held[start - held_at : end - held_at]
        last = min(self.size, max(end, start + _CHUNK)) - 1
        self._chunk = self._ask(f"bytes={start}-{last}").content
        self._chunk_at = start
        return self._chunk[: end - start]

    def _ask(self, stretch: str) -> requests.Response:
        response = self._web.get(self._url, {"Range": stretch, "Accept-Encoding": "identity"})
        if response.status_code in _GONE_STATUSES:
            raise Unreadable(f"status {response.status_code}")
        if response.status_code == 200 and len(response.content) > _WHOLE_AT_MOST:
            raise Unreadable("the server knows no byte ranges")
        return response


@dataclass(frozen=True)
class File:
    """One file of a project's page. ``python`` and ``yanked`` are as the page has them (None: not said)."""

    filename: str
    url: str
    sha256: str
    size: int | None
    uploaded: str | None
    python: str | None
    yanked: str | None

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
        python = self.tag.split("-")[0]
        return "2" if re.fullmatch(r"(?:(?:cp|py|pp)2\d*\.?)+", python) else "3"

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


def read_page(web: Web, index: str, name: str) -> Project | None:
    """What the index serves under a normalised name, or None if it knows no such project."""
    url = f"{index.rstrip('/')}/{name}/"
    response = web.get(url, {"Accept": _ACCEPT})
    if response.status_code in _GONE_STATUSES:
        return None
    try:
        rows = response.json()["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise RefreshError(f"{name}: the index's page makes no sense ({type(error).__name__})") from error
    return sort_files(name, [file for row in rows if (file := _file_from(row, url))])


def _file_from(row: dict[str, Any], page: str) -> File | None:
    """One entry of a page, or None for a file without a SHA-256, which no lock could name."""
    sha256 = row.get("hashes", {}).get("sha256")
    if not sha256:
        return None
    yanked = row.get("yanked", False)
    uploaded = row.get("upload-time")
    return File(
        filename=row["filename"],
        url=urljoin(page, row["url"]),
        sha256=sha256,
        size=row.get("size"),
        uploaded=f"{uploaded[:19]}Z" if uploaded else None,
        python=row.get("requires-python") or None,
        yanked=None if yanked is False else "" if yanked is True else str(yanked),
    )


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
        try:
            found, version, _, _ = parse_wheel_filename(filename)
        except (InvalidWheelFilename, InvalidVersion):
            return None
        return version if found == name else None
    stem = next(filename.removesuffix(end) for end in _SDIST_SUFFIXES if filename.endswith(end))
    for cut in (match.start() for match in re.finditer("-", stem)):
        if canonicalize_name(stem[:cut]) == name:
            try:
                return Version(stem[cut + 1 :])
            except InvalidVersion:
                return None
    return None


def _sdist_rank(file: File) -> int:
    return next(rank for rank, end in enumerate(_SDIST_SUFFIXES) if file.filename.endswith(end))


# --- inside a wheel ------------------------------------------------------------------------------------------


def read_metadata(web: Web, wheel: File) -> dict[str, list[str]]:
    """Requires-Dist and Provides-Extra of a wheel, from the metadata file beside it or from within.

    Raises:
        Unreadable: the wheel is gone, or damaged.
    """
    response = web.get(f"{wheel.url}.metadata")
    raw = response.content if response.status_code == 200 else _metadata_within(web, wheel)
    headers = read_headers(raw.decode("utf-8", "replace"))
    if not headers.first("name") or not headers.first("version"):
        raise Unreadable("its metadata names no project, or no version")
    return {
        "requires": headers.fields.get("requires-dist", []),
        "extras": headers.fields.get("provides-extra", []),
    }


def _metadata_within(web: Web, wheel: File) -> bytes:
    with open_wheel(web, wheel) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
                return _member(archive, name)
    raise Unreadable("no METADATA")


def open_wheel(web: Web, wheel: File) -> zipfile.ZipFile:
    """The wheel as a zip archive of which only what is looked at gets fetched."""
    try:
        return zipfile.ZipFile(RemoteFile(web, wheel.url))
    except zipfile.BadZipFile as error:
        raise Unreadable("no zip archive") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise Unreadable(f"{name} is damaged") from error


def read_build(web: Web, project: str, wheel: File) -> dict[str, Any]:
    """What a wheel of the torch family shows of its build.

    ``declared`` is torch's own word on what it was built for; ``label`` the local part of ``__version__``;
    ``linked`` the CUDA libraries that its compiled members ask for (None for torch, which declares it).
    """
    with open_wheel(web, wheel) as archive:
        version_py = f"{project}/version.py"
        text = ""
        if version_py in archive.namelist():
            text = _member(archive, version_py).decode("utf-8", "replace")
        if project == "torch":
            return {"declared": declared_build(text), "label": local_label(text), "linked": None}
        return {"declared": None, "label": local_label(text), "linked": _linked(archive)}


def declared_build(text: str) -> str | None:
    """``cu121``, ``rocm6.1``, ``xpu`` or ``cpu``, from torch/version.py; None where it has no such line."""
    values = {match[1]: match[2] for match in _ACCELERATOR_LINE.finditer(text)}
    if not values:
        return None
    if values.get("cuda"):
        return "cu" + "".join(values["cuda"].split(".")[:2])
    if values.get("hip"):
        return "rocm" + ".".join(values["hip"].split(".")[:2])
    return "xpu" if values.get("xpu") else "cpu"


def local_label(text: str) -> str | None:
    """The local part of ``__version__`` (``cu130``), or None."""
    match = _VERSION_LINE.search(text)
    return (match[1].partition("+")[2] or None) if match else None


def _linked(archive: zipfile.ZipFile) -> list[str]:
    """CUDA libraries that the wheel's own compiled members ask for, not counting what was copied in."""
    names = [
        info.filename
        for info in archive.infolist()
        if re.search(r"^(?![^/]+\.libs/).*\.(?:so|pyd|dll)$", info.filename) and info.file_size < _MEMBER_AT_MOST
    ]
    return sorted({library for name in names for library in cuda_libraries(_member(archive, name))})


def cuda_libraries(binary: bytes) -> list[str]:
    """The CUDA libraries among those that an ELF or PE file asks the loader for."""
    if binary[:4] == b"\x7fELF":
        return [name for name in elf_needed(binary) if _CUDA_LIBRARY.fullmatch(name)]
    if binary[:2] == b"MZ":
        return [match[0].rstrip(b"\0").decode() for match in _PE_IMPORT.finditer(binary)]
    return []


def elf_needed(binary: bytes) -> list[str]:
    """DT_NEEDED of a 64-bit little-endian ELF file; empty for any other."""
    if binary[:6] != b"\x7fELF\x02\x01":
        return []
    try:
        (table,) = struct.unpack_from("<Q", binary, 32)
        entry, count = struct.unpack_from("<HH", binary, 54)
        segments = [struct.unpack_from("<IIQQQQ", binary, table + entry * number) for number in range(count)]
        dynamic = next((segment for segment in segments if segment[0] == 2), None)
        if dynamic is None:
            return []
        entries = list(_dynamic_entries(binary, dynamic[2], dynamic[5]))
        strings = _file_offset(segments, next(value for key, value in entries if key == 5))
        return [_c_string(binary, strings + value) for key, value in entries if key == 1]
    except (struct.error, LookupError, ValueError, StopIteration):
        return []


def _dynamic_entries(binary: bytes, offset: int, size: int) -> Iterator[tuple[int, int]]:
    for at in range(offset, offset + size, 16):
        key, value = struct.unpack_from("<QQ", binary, at)
        if key == 0:
            return
        yield key, value


def _file_offset(segments: Sequence[tuple[int, ...]], address: int) -> int:
    """Where in the file the loaded address lies (PT_LOAD: offset, address, …, size in the file)."""
    for kind, _, offset, start, _, size in segments:
        if kind == 1 and start <= address < start + size:
            return offset + address - start
    raise LookupError(address)


def _c_string(binary: bytes, offset: int) -> str:
    return binary[offset : binary.index(b"\0", offset)].decode("utf-8", "replace")


def decide_build(facts: Mapping[str, Any] | None, otherwise: str | None = None) -> str | None:
    """The ``build`` of one wheel: see the head of this file.

    ``facts`` is what ``read_build`` gave, None for a wheel that was not read; ``otherwise`` a CUDA build
    known from elsewhere, for a wheel that is one but does not tell its version.
    """
    if not facts:
        return None
    if facts["declared"]:
        return str(facts["declared"])
    if facts["linked"] is None:
        return None
    if not facts["linked"]:
        return "cpu"
    label = facts["label"] or ""
    if re.fullmatch(r"cu\d+", label):
        return label
    if label == "cpu":
        return None
    runtimes = [match for name in facts["linked"] if (match := _CUDA_RUNTIME.fullmatch(name))]
    if runtimes:
        return f"cu{runtimes[0][1]}{runtimes[0][2]}"
    return otherwise


# --- requirements --------------------------------------------------------------------------------------------

Row = tuple[str, str, str, tuple[str, ...]]


@functools.cache
def parse_row(text: str) -> Row | None:
    """A Requires-Dist text as (name, specifier, marker, extras), or None if no installer can use it.

    Requirements by address are among the latter: an index may not serve them.
    """
    row = dependency_of(text)
    return None if row is None or row.address else (row[0], row[1], row[2], row[3])


def compact_row(row: Row) -> list[Any]:
    """The row as it is written: trailing empties left out."""
    cells: list[Any] = [*row[:3], list(row[3])]
    while not cells[-1]:
        cells.pop()
    return cells


@functools.cache
def may_hold(marker: str, extra: str) -> bool:
    """Whether the marker holds on any target, with this extra ("": none)."""
    if not marker:
        return True
    parsed = Marker(marker)
    return any(_holds(parsed, {**target, "extra": extra}) for target in _targets())


def _holds(marker: Marker, environment: dict[str, str]) -> bool:
    try:
        return marker.evaluate(environment)
    except UndefinedComparison:
        return True


@functools.cache
def _targets() -> list[dict[str, str]]:
    return [
        {
            "python_version": python,
            "python_full_version": f"{python}.{patch}",
            "implementation_version": f"{python}.{patch}",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "sys_platform": system[0],
            "os_name": system[1],
            "platform_system": system[2],
            "platform_machine": system[3],
            "platform_release": "",
            "platform_version": "",
        }
        for python, patch, system in itertools.product(_PYTHONS, _PATCHES, _SYSTEMS)
    ]


# --- one project's file --------------------------------------------------------------------------------------


@dataclass
class Table:
    """All that is known of one project: its page, and what was read from its wheels by their SHA-256.

    ``metadata`` and ``builds`` map a wheel to what ``read_metadata`` and ``read_build`` gave; a wheel that
    could not be read, or was not looked at, is absent.
    """

    project: Project
    metadata: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.project.name

    def rows(self, release: Release) -> set[Row]:
        """Every requirement that the release's wheels for Python 3 declare."""
        speakers = metadata_sample(self.name, release).values()
        read = {wheel.sha256 for wheel in speakers if wheel.generation == "3"} & self.metadata.keys()
        texts = {text for sha256 in read for text in self.metadata[sha256]["requires"]}
        return {row for text in texts if (row := parse_row(text))}

    def invalid_texts(self) -> set[str]:
        return {text for known in self.metadata.values() for text in known["requires"] if not parse_row(text)}


def metadata_sample(name: str, release: Release) -> dict[str, File]:
    """For each wheel (by SHA-256) the wheel whose metadata speaks for it."""
    if name in FAMILY:
        return {wheel.sha256: wheel for wheel in release.wheels}
    return _speakers(release.wheels, lambda wheel: (wheel.platform, wheel.generation, wheel.build_number))


def build_sample(name: str, release: Release) -> dict[str, File]:
    """For each wheel (by SHA-256) the wheel whose build speaks for it; none outside the torch family."""
    if name not in FAMILY:
        return {}
    wheels = [wheel for wheel in release.wheels if wheel.platform[0] != "any"]
    return _speakers(wheels, lambda wheel: (wheel.platform, wheel.build_number))


def _speakers(wheels: Sequence[File], kind: Callable[[File], Any]) -> dict[str, File]:
    """The last wheel of each kind, for every wheel of that kind (by SHA-256)."""
    speaker = {kind(wheel): wheel for wheel in wheels}
    return {wheel.sha256: speaker[kind(wheel)] for wheel in wheels}


def requirement_sets(table: Table, release: Release) -> list[tuple[Row, ...] | None]:
    """The declared requirements of each wheel, sorted; None where they could not be read."""
    speakers = metadata_sample(table.name, release)
    sets: list[tuple[Row, ...] | None] = []
    for wheel in release.wheels:
        known = table.metadata.get(speakers[wheel.sha256].sha256)
        rows = {row for text in known["requires"] if (row := parse_row(text))} if known else set()
        sets.append(tuple(sorted(rows)) if known else None)
    return sets


TorchBuilds = dict[tuple[Version, tuple[str, str]], str]


def torch_builds(torch: Table | None) -> TorchBuilds:
    """What each torch release was built for, by version and platform."""
    if torch is None:
        return {}
    return {
        (release.version, wheel.platform): build
        for release in torch.project.releases
        for wheel in build_sample("torch", release).values()
        if (build := decide_build(torch.builds.get(wheel.sha256)))
    }


def build_values(table: Table, release: Release, torch: TorchBuilds) -> list[str | None]:
    """The ``build`` of each wheel; None where it is not known."""
    speakers = build_sample(table.name, release)
    values = []
    for wheel, rows in zip(release.wheels, requirement_sets(table, release), strict=True):
        speaker = speakers.get(wheel.sha256)
        pin = _pinned_torch(rows)
        pinned = torch.get((pin, wheel.platform), "") if pin else ""
        measured = MEASURED_BUILDS.get((table.name, str(release.version), wheel.platform[1]))
        otherwise = pinned if pinned.startswith("cu") else measured
        values.append(decide_build(table.builds.get(speaker.sha256), otherwise) if speaker else None)
    return values


def _pinned_torch(rows: tuple[Row, ...] | None) -> Version | None:
    """The one torch release that the requirements allow, if they name it exactly."""
    for name, specifier, _, _ in rows or ():
        if name == "torch" and (match := re.fullmatch(r"===?([^*,]+)", specifier)):
            return Version(match[1])
    return None


def one_or_all(values: Sequence[Any]) -> Any:
    """The one value if all agree (None for none at all), else the list."""
    if not values:
        return None
    return values[0] if all(value == values[0] for value in values) else list(values)


def make_record(
    table: Table,
    release: Release,
    tags: Mapping[str, int],
    sets: Mapping[tuple[Row, ...], int],
    torch: TorchBuilds,
) -> dict[str, Any]:
    """One release as ``releases`` holds it; ``tags`` and ``sets`` give the indices."""
    files = release.files
    dates = [file.uploaded for file in files if file.uploaded]
    pythons = [file.python for file in release.wheels or files]
    required = [None if one is None else sets[one] for one in requirement_sets(table, release)]
    record = {
        "wheels": [tags[wheel.tag] for wheel in release.wheels],
        "date": min(dates)[:10] if dates else None,
        "python": one_or_all(pythons),
        "requires": one_or_all(required),
        "build": one_or_all(build_values(table, release, torch)),
        "yanked": files[0].yanked if all(file.yanked is not None for file in files) else None,
        "sdist": True if release.sdist else None,
        "extras": _extras(table, release) or None,
        "invalid": _invalid(table, release) or None,
    }
    return {key: value for key, value in record.items() if value is not None}


def _known_metadata(table: Table, release: Release) -> list[dict[str, list[str]]]:
    """The metadata read of this release's wheels, each once, in order of upload."""
    speakers = {file.sha256: file for file in metadata_sample(table.name, release).values()}
    known = [file for file in speakers.values() if file.sha256 in table.metadata]
    known.sort(key=lambda file: (file.uploaded or "", file.filename))
    return [table.metadata[file.sha256] for file in known]


def _extras(table: Table, release: Release) -> list[str]:
    known = _known_metadata(table, release)
    return sorted({canonicalize_name(extra) for extra in known[-1]["extras"]}) if known else []


def _invalid(table: Table, release: Release) -> list[str]:
    texts = {text for known in _known_metadata(table, release) for text in known["requires"]}
    return sorted(text for text in texts if parse_row(text) is None)


def render(table: Table, torch: TorchBuilds) -> bytes:
    """The project's file, byte for byte; equal knowledge gives equal bytes."""
    releases = table.project.releases
    tags = sorted({wheel.tag for release in releases for wheel in release.wheels})
    found = {one for release in releases for one in requirement_sets(table, release) if one is not None}
    rows = sorted({row for one in found for row in one})
    row_at = {row: at for at, row in enumerate(rows)}
    ordered = sorted(found, key=lambda one: [row_at[row] for row in one])
    tag_at = {tag: at for at, tag in enumerate(tags)}
    set_at = {one: at for at, one in enumerate(ordered)}
    records = {str(release.version): make_record(table, release, tag_at, set_at, torch) for release in releases}
    files = {str(release.version): [file.row() for file in release.files] for release in releases}
    parts = [
        f'"name": {_compact(table.name)}',
        f'"tags": {_compact(tags)}',
        f'"requirements": {_lines("[]", map(_compact, map(compact_row, rows)))}',
        f'"requires": {_lines("[]", (_compact([row_at[row] for row in one]) for one in ordered))}',
        f'"releases": {_lines("{}", _entries(records))}',
        f'"files": {_lines("{}", _entries(files))}',
    ]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _entries(mapping: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_compact(key)}: {_compact(value)}" for key, value in mapping.items())


def _lines(brackets: str, items: Iterable[str]) -> str:
    body = ",\n".join(items)
    return f"{brackets[0]}\n{body}\n{brackets[1]}" if body else f"{brackets[0]}\n{brackets[1]}"


def write_if_changed(path: Path, content: bytes, *, dry: bool) -> bool:
    """Put the content in place unless it is there already; returns whether it was not. ``dry``: only tell."""
    if path.exists() and path.read_bytes() == content:
        return False
    if not dry:
        _replace(path, content)
    return True


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    beside.write_bytes(content)
    beside.replace(path)


# --- the run -------------------------------------------------------------------------------------------------


class Cache:
    """What was read from wheels, by kind and SHA-256; may be shared by threads, may be deleted at any time."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def load(self, kind: str, sha256: str) -> dict[str, Any] | None:
        try:
            known: dict[str, Any] = json.loads(self._path(kind, sha256).read_bytes())
        except (OSError, ValueError):
            return None
        return known

    def store(self, kind: str, sha256: str, value: dict[str, Any]) -> None:
        _replace(self._path(kind, sha256), _compact(value).encode())

    def _path(self, kind: str, sha256: str) -> Path:
        return self._root / kind / sha256[:2] / f"{sha256}.json"


class Refresh:
    """One run: reads pages and wheels, remembers what is worth telling at the end."""

    def __init__(self, web: Web, index: str, cache: Cache, jobs: int) -> None:
        self.web = web
        self.index = index
        self.cache = cache
        self.jobs = jobs
        self.tables: dict[str, Table] = {}
        self.unknown: set[str] = set()
        self.unreadable: list[str] = []
        self.asked = 0

    def load(self, names: Iterable[str]) -> list[Table]:
        """Read these projects, pages afresh and wheels once ever; returns those that the index knows."""
        wanted = sorted(names)
        pages = self._parallel("pages", lambda name: read_page(self.web, self.index, name), wanted)
        self.unknown.update(name for name, page in zip(wanted, pages, strict=True) if page is None)
        tables = [Table(page) for page in pages if page is not None]
        self._read_wheels(tables)
        self.tables.update((table.name, table) for table in tables)
        return tables

    def _read_wheels(self, tables: Sequence[Table]) -> None:
        """Fill the tables' ``metadata`` and ``builds``."""
        tasks = [
            (table, kind, wheel)
            for table in tables
            for kind, sample in (("metadata", metadata_sample), ("builds", build_sample))
            for release in table.project.releases
            for wheel in {file.sha256: file for file in sample(table.name, release).values()}.values()
        ]
        answers = self._parallel("wheels", lambda task: self._read_wheel(*task), tasks)
        for (table, kind, wheel), answer in zip(tasks, answers, strict=True):
            if answer is not None:
                getattr(table, kind)[wheel.sha256] = answer

    def _read_wheel(self, table: Table, kind: str, wheel: File) -> dict[str, Any] | None:
        known = self.cache.load(kind, wheel.sha256)
        if known is not None:
            return known
        self.asked += 1
        try:
            if kind == "metadata":
                known = read_metadata(self.web, wheel)
            else:
                known = read_build(self.web, table.name, wheel)
        except Unreadable as error:
            self.unreadable.append(f"{wheel.filename}: {error}")
            return None
        self.cache.store(kind, wheel.sha256, known)
        return known

    def _parallel(self, what: str, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """``map`` over threads, with a line of progress now and then; the first error ends it."""
        told = time.monotonic()
        answers = []
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                for answer in pool.map(work, items):
                    answers.append(answer)
                    if time.monotonic() - told > 5:
                        told = time.monotonic()
                        _tell(f"  {what}: {len(answers)} of {len(items)}")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return answers

    def missing(self) -> set[str]:
        """Names that the projects read so far can reach, and that were not asked for yet."""
        return reach(self.tables) - self.tables.keys() - self.unknown


def reach(tables: Mapping[str, Table]) -> set[str]:
    """Every name that the roots lead to, as far as the tables know.

    Followed are the requirements of releases that something reached admits, with the extras it requests.
    """
    walk = _Walk(tables)
    for root in ROOTS:
        walk.arrive(root, "", {"", *RUNTIME_EXTRAS.get(root, ())})
    while walk.todo:
        walk.leave(*walk.todo.pop())
    return walk.names


class _Walk:
    """The state of ``reach``: ``todo`` holds steps from (name, place of a release, extra), each made once."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.names: set[str] = set()
        self.todo: list[tuple[str, int, str]] = []
        self._tables = tables
        self._rows = {name: list(map(table.rows, table.project.releases)) for name, table in tables.items()}
        self._asked: set[tuple[str, str, str]] = set()
        self._seen: set[tuple[str, int, str]] = set()

    def arrive(self, name: str, specifier: str, extras: Iterable[str]) -> None:
        """Note that something reached requires this, with these extras ("": the project itself)."""
        self.names.add(name)
        for extra in extras:
            if name in self._tables and (name, specifier, extra) not in self._asked:
                self._asked.add((name, specifier, extra))
                steps = {(name, place, extra) for place in self._admitted(name, specifier)} - self._seen
                self._seen |= steps
                self.todo += steps

    def leave(self, name: str, place: int, extra: str) -> None:
        """Follow what this release requires."""
        for target, specifier, marker, extras in self._rows[name][place]:
            if may_hold(marker, extra):
                self.arrive(target, specifier, {"", *extras})

    def _admitted(self, name: str, specifier: str) -> list[int]:
        allowed = SpecifierSet(specifier)
        releases = self._tables[name].project.releases
        return [at for at, one in enumerate(releases) if allowed.contains(one.version, prereleases=True)]


def refresh(run: Refresh, output: Path, only: str | None, *, dry: bool) -> list[str]:
    """Bring the files up to date; returns the names of those that differed. ``dry`` writes nothing."""
    changed: list[str] = []
    names = {only, *({"torch"} if only in FAMILY else ())} if only else set(ROOTS)
    while names:
        _tell(f"reading {len(names)} projects")
        tables = run.load(name for name in names if name)
        torch = torch_builds(run.tables.get("torch"))
        for table in tables:
            if only in (None, table.name) and write_if_changed(
                output / f"{table.name}.json", render(table, torch), dry=dry
            ):
                changed.append(table.name)
        names = set() if only else run.missing()
    if not only and not dry:
        (output / "DATE").write_text(datetime.now(timezone.utc).strftime("%Y-%m-%d\n"), encoding="ascii")
    return changed


def report(run: Refresh, changed: Sequence[str], output: Path) -> None:
    """Tell on stderr what happened, and what a person should look at."""
    _tell(f"{len(run.tables)} projects, {run.asked} wheels asked for, {len(changed)} files differ")
    stale = {path.stem for path in output.glob("*.json")} - run.tables.keys()
    refused = [name for table in run.tables.values() for name in table.project.refused]
    invalid = [f"{t.name}: {text}" for t in run.tables.values() for text in sorted(t.invalid_texts())]
    for title, items in (
        ("changed", changed),
        ("not on the index", run.unknown),
        ("no longer reached", stale if len(run.tables) > 2 else ()),
        ("unreadable wheels", run.unreadable),
        ("file names that follow no standard", refused),
        ("requirements that no installer can read", invalid),
    ):
        if items:
            _tell(f"{title} ({len(items)}):")
            for item in sorted(items):
                _tell(f"  {item}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Refresh compat_data/releases from the public package index.")
    parser.add_argument("--only", metavar="NAME", help="refresh this project alone")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--jobs", type=int, default=8, metavar="N", help="requests at a time (default: 8)")
    parser.add_argument("--cache", type=Path, default=root / ".refresh", metavar="DIR")
    parser.add_argument("--output", type=Path, default=root / "compat_data" / "releases", metavar="DIR")
    parser.add_argument("--index", default=PYPI_SIMPLE_ENDPOINT, metavar="URL", help="simple API to ask")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 if --check found a difference, 2 if the index could not be read."""
    options = parse_arguments(argv)
    run = Refresh(Web(), options.index, Cache(options.cache), max(1, options.jobs))
    only = canonicalize_name(options.only) if options.only else None
    try:
        changed = refresh(run, options.output, only, dry=options.check)
    except RefreshError as error:
        _tell(f"{error}; run again to go on")
        return 2
    report(run, changed, options.output)
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
