"""The libraries of a machine: this one, or the one whose root folder was unpacked here."""

from __future__ import annotations

import os
import posixpath
import re
import struct
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PRELOAD = "/etc/ld.so.preload"
_CACHE = b"glibc-ld.so.cache1.1"
_OLD_CACHE = b"ld.so-1.7.0"
_LARGEST = 32 << 20
# FLAG_ELF_LIBC6 with the ABI, as dl-cache.h has them.
_ABIS = {"x86_64": 0x0303, "aarch64": 0x0A03, "ppc64le": 0x0503, "s390x": 0x0403}
_TRIPLETS = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
_LINKS = 20
_FILES = 200
# The limit of patterns and folders in the configuration of a loader; distributions have a dozen.
_PATTERNS = 1000
_FOLDERS = 1000
# The limit of names and paths in a cache; the cache of a workstation takes a megabyte.
_LETTERS = 32 << 20


class Root:
    """One machine's file system, seen from its own root.

    ``folder`` is the path of that root here. ``environ`` are the variables that its loader reads; ``machine`` is
    the architecture of the libraries.
    """

    def __init__(
        self, folder: str = "/", environ: Mapping[str, str] | None = None, machine: str = "x86_64"
    ) -> None:
        self.folder = os.path.abspath(folder)
        self.machine = machine
        path = (environ or {}).get("LD_LIBRARY_PATH", "")
        # An empty part is the current folder of the program (ld.so(8)).
        self._preload = (environ or {}).get("LD_PRELOAD", "")
        self.library_path = tuple(part or "." for part in path.replace(";", ":").split(":")) if path else ()

    @property
    def is_here(self) -> bool:
        """Whether this is the running machine itself."""
        return self.folder == os.path.sep

    def holds(self, path: str) -> bool:
        """Whether a path of this machine is in the tree of another."""
        return not self.is_here and self._is_inside(path)

    def name(self, path: str) -> str:
        """The path on that machine of a path on this machine; a path outside of the tree stays as it is."""
        return path[len(self.folder) :] or "/" if self.holds(path) else path

    def said(self, text: str) -> str:
        """A text as that machine says it: paths below the root folder are those of that machine."""
        return text if self.is_here else text.replace(self.folder + os.sep, os.sep)

    def place(self, path: str) -> str:
        """The path on this machine of a path on that machine, as written."""
        return path if self.is_here or self._is_inside(path) else os.path.join(self.folder, path.lstrip("/"))

    def real(self, path: str) -> str:
        """The path on this machine of a path on that machine, with links followed as on that machine."""
        if self.is_here or self._is_inside(path):
            return path if self.is_here else self._followed(path[len(self.folder) :])
        return self._followed(path)

    def _is_inside(self, path: str) -> bool:
        return path == self.folder or path.startswith(self.folder + os.sep)

    def _followed(self, path: str) -> str:
        """Resolve every part of a path inside of the root; a link cannot leave it."""
        parts = [part for part in path.split("/") if part not in ("", ".")][::-1]
        done: list[str] = []
        links = 0
        while parts:
            part = parts.pop()
            if part == "..":
                done = done[:-1]
                continue
            here = os.path.join(self.folder, *done, part)
            try:
                target = os.readlink(here) if links < _LINKS else ""
            except (OSError, ValueError):
                target = ""
            if not target:
                done.append(part)
                continue
            links += 1
            if target.startswith("/"):
                done = []
                if self._is_inside(target):
                    target = target[len(self.folder) :]
            parts += [each for each in target.split("/") if each not in ("", ".")][::-1]
        return os.path.join(self.folder, *done)

    def file(self, path: str) -> str | None:
        """The path here of a file of that machine; None if it is not a regular file."""
        real = self.real(path)
        return real if files.is_file(real) else None

    @cached_property
    def cache(self) -> dict[str, list[str]]:
        """The cache of ldconfig: name → paths on that machine, in the order of preference."""
        try:
            data = files.read(self.real("/etc/ld.so.cache"), _LARGEST)
        except OSError:
            return {}
        found: dict[str, list[str]] = {}
        for name, path in _cached(data, _ABIS.get(self.machine)):
            found.setdefault(name, []).append(path)
        return found

    @cached_property
    def is_musl(self) -> bool:
        """Whether musl loads the programs of that machine, not glibc."""
        return bool(not self.glibc and files.is_file(self.real(f"/lib/ld-musl-{self.machine}.so.1")))

    @cached_property
    def is_partial(self) -> bool:
        """Whether the tree has no loader: then other files that every machine has are missing from it as well."""
        if self.is_here or self.is_musl:
            return False
        places = {"/lib64", "/lib", "/usr/lib64", "/usr/lib", *self.folders}
        return not any(
            name.startswith(("ld-linux", "ld64.so", "ld-musl"))
            for place in places
            for name in files.Tree().names(self.real(place))
        )

    @cached_property
    def glibc(self) -> str | None:
        """The path here of its libc.so.6; None if it has none."""
        found = [self.file(path) for path in self.cache.get("libc.so.6", ())]
        found += [self.file(f"{folder}/libc.so.6") for folder in self.folders]
        return next(filter(None, found), None)

    @cached_property
    def glibc_version(self) -> tuple[int, ...]:
        """The version of its glibc, by the symbol versions that this defines; () if it is unknown."""
        from torchlock.inspect.binaries import Binary, read_binary

        binary = read_binary(self.glibc) if self.glibc is not None else None
        names = binary.version_definitions if isinstance(binary, Binary) else ()
        found = (re.fullmatch(r"GLIBC_(\d{1,2})\.(\d{1,3})(?:\.\d{1,3})?", name) for name in names)
        return max(((int(match[1]), int(match[2])) for match in found if match), default=())

    @cached_property
    def preloaded(self) -> tuple[tuple[str, str], ...]:
        """The libraries that each program loads first, and what names them: LD_PRELOAD or a file (ld.so(8))."""
        listed = files.text(self.real(PRELOAD), 1 << 16) or "" if files.is_file(self.real(PRELOAD)) else ""
        named = [(each, "LD_PRELOAD") for each in re.split(r"[:\s]+", self._preload)]
        lines = (line.partition("#")[0] for line in listed.splitlines())
        named += [(each, PRELOAD) for line in lines for each in re.split(r"[:\s]+", line)]
        return tuple((each, what) for each, what in named[:_PATTERNS] if each)

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders that are searched last; without a cache, those of its configuration come first."""
        triplet = _TRIPLETS.get(self.machine, "")
        multiarch = [f"/lib/{triplet}", f"/usr/lib/{triplet}"] if triplet else []
        default = [*multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        musl = f"/etc/ld-musl-{self.machine}.path"
        if files.is_file(self.real(musl)):
            text = files.text(self.real(musl), 1 << 16) or ""
            return tuple(part for part in text.replace("\n", ":").split(":") if part)
        if files.is_file(self.real(f"/lib/ld-musl-{self.machine}.so.1")):
            return ("/lib", "/usr/local/lib", "/usr/lib")
        found = iter(()) if self.has_cache else self._configured("/etc/ld.so.conf", set(), set())
        configured = list(islice(found, _FOLDERS))
        return tuple(dict.fromkeys([*configured, *default]))

    @cached_property
    def has_cache(self) -> bool:
        return files.is_file(self.real("/etc/ld.so.cache"))

    def _configured(self, path: str, read: set[str], patterns: set[str]) -> Iterator[str]:
        """The folders of /etc/ld.so.conf and of its includes, each file and pattern once (ldconfig(8))."""
        if path in read or len(read) > _FILES or not files.is_file(self.real(path)):
            return
        read.add(path)
        text = files.text(self.real(path), 1 << 16) or ""
        for line in text.splitlines()[:1000]:
            words = line.partition("#")[0].split()
            if words[:1] == ["include"]:
                for word in words[1:]:
                    pattern = posixpath.join(posixpath.dirname(path), word)
                    if pattern in patterns or len(patterns) > _PATTERNS:
                        continue
                    patterns.add(pattern)
                    for each in self._matching(pattern):
                        yield from self._configured(each, read, patterns)
            elif words and words[0].startswith("/"):
                yield words[0]

    def _matching(self, pattern: str) -> list[str]:
        """The files of that machine that match a pattern in one folder."""
        folder, _, name = pattern.rpartition("/")
        real = self.real(folder)
        names = sorted(files.Tree().names(real))
        return [f"{folder}/{each}" for each in names[:200] if fnmatchcase(each, name)]

    def search(self, name: str) -> str | None:
        """The path here of a library that the loader finds without the help of another library."""
        for folder in self.library_path:
            if found := self.file(os.path.join(folder, name)):
                return found
        return self.common(name)

    def common(self, name: str) -> str | None:
        """As ``search``, without LD_LIBRARY_PATH: the cache, then the default folders."""
        for path in self.cache.get(name, ()):
            if found := self.file(path):
                return found
        for folder in self.folders:
            if found := self.file(f"{folder}/{name}"):
                return found
        return None


def _cached(data: bytes, abi: int | None) -> Iterator[tuple[str, str]]:
    """The entries of ld.so.cache in its new format, alone or behind the old one (dl-cache.h of glibc)."""
    start = 0
    if data.startswith(_OLD_CACHE):
        start = data.find(_CACHE)
    if start < 0 or not data.startswith(_CACHE, start) or len(data) < start + 48:
        return
    (count,) = struct.unpack_from("<I", data, start + 20)
    left = _LETTERS
    for index in range(min(count, 1 << 17)):
        at = start + 48 + 24 * index
        if at + 24 > len(data):
            return
        flags, key, value = struct.unpack_from("<III", data, at)
        if abi is None or flags == abi:
            name, path = _string(data, start + key), _string(data, start + value)
            left -= len(name) + len(path)
            if left < 0:
                return
            yield name, path


def _string(data: bytes, at: int) -> str:
    end = data.find(b"\0", at, at + 4096)
    return data[at:end].decode("utf-8", "surrogateescape") if end >= 0 else ""
