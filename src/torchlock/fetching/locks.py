"""Read which files a lock needs: requirements with hashes, a pylock.toml (PEP 751), the lock of another tool."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.specifiers import SpecifierSet

from torchlock.errors import InputError
from torchlock.fetching.locked import Listed, LockedPackage
from torchlock.manifests.decoding import decode
from torchlock.manifests.detection import format_of
from torchlock.manifests.reader import read_as_written, read_content
from torchlock.standards.filenames import file_name, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry, IndexLine
    from torchlock.target import Target

_OTHERS = {"pipfile.lock": "pipenv requirements --hash > requirements.txt"}
_TOOLS = ("uv.lock", "poetry.lock", "pdm.lock")


class LockFile(NamedTuple):
    """A lock. ``kind`` is ``requirements``, ``pylock``, ``uv.lock``, ``poetry.lock`` or ``pdm.lock``; ``indexes``
    are the index lines of the file.

    ``notes`` name what cannot be brought, because it is not a file of an index: folders and repositories.
    ``environments`` are the markers of the targets that a pylock.toml is for, ``platforms`` those of another lock,
    and ``requires_python`` the Pythons; empty if it does not say. ``scopes`` are the extras and groups of the lock
    of another tool.
    """

    path: str
    kind: str
    text: str
    packages: tuple[LockedPackage, ...]
    indexes: tuple[IndexLine, ...] = ()
    notes: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    requires_python: str = ""
    platforms: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    def why_not(self, target: Target) -> str:
        """Why the lock is not for a target; "" if it is, or if that is unknown.

        An installer takes requirements on any target, so their files are not left out for this.
        """
        with suppress(ValueError):
            if not SpecifierSet(self.requires_python).contains(target.python.full, prereleases=True):
                return f"the lock is for Python {self.requires_python}, not for {target}"
        if self.platforms and str(target.platform) not in self.platforms:
            return f"the lock is for {', '.join(self.platforms)}, not for {target}"
        with suppress(InputError):
            if self.environments and not any(target.holds(marker) for marker in self.environments):
                return f"the environments of the lock exclude {target}"
        return ""


def read_lock_file(path: str) -> LockFile:
    """Read a lock.

    Raises:
        InputError: it cannot be read, is of another format, or has a package without a hash.
    """
    raw = read_content(path)
    text = decode(raw, path).text
    kind = format_of(path, text).kind
    if kind in _TOOLS:
        return _of_tool(text, path, kind)
    if kind not in ("requirements", "constraints", "pylock"):
        hint = "fetch takes requirements with hashes, pylock.toml, uv.lock, poetry.lock and pdm.lock"
        if kind in _OTHERS:
            hint += f"; make one with: {_OTHERS[kind]}"
        raise InputError(f"cannot be fetched: it is of the format {kind}", path=path, hint=hint)
    kind = "pylock" if kind == "pylock" else "requirements"
    document = read_as_written(path, raw, kind, os.environ)
    if stops := next((issue for issue in document.issues if issue.stops_a_lock), None):
        raise stops.error or InputError(stops.message, path=path, line=stops.place.line or None)
    notes: list[str] = []
    read = _of_pylock if kind == "pylock" else _of_requirements
    packages = tuple(read(document, notes))
    found = LockFile(path, kind, text, packages, tuple(document.indexes), tuple(notes))
    if kind == "pylock":
        return _with_environments(found)
    return found._replace(requires_python=document.python, platforms=document.platforms)


def _of_tool(text: str, path: str, kind: str) -> LockFile:
    from torchlock.fetching.tool_locks import read_tool_lock

    lock = read_tool_lock(text, path, kind)
    return LockFile(
        path,
        kind,
        text,
        lock.packages,
        lock.indexes,
        lock.notes,
        requires_python=lock.document.python,
        platforms=lock.document.platforms,
        scopes=lock.scopes,
    )


def _with_environments(lock: LockFile) -> LockFile:
    from torchlock.manifests.syntax.toml import Tree

    tree = Tree(lock.text, lock.path)
    environments = tuple(map(str, tree.array("environments")))
    return lock._replace(environments=environments, requires_python=tree.string("requires-python"))


def _of_requirements(document: Document, notes: list[str]) -> Iterator[LockedPackage]:
    bare: list[Entry] = []
    for number, entry in enumerate(entry for entry in document.entries if not entry.constraint):
        where = f"{entry.path}:{entry.place.line}"
        if entry.editable or (entry.url and not _is_file(entry.url)):
            notes.append(f"{where}: {entry.text} is not a file of an index, so it is not brought")
            continue
        if not entry.hashes and "#sha" not in (entry.url or ""):
            bare.append(entry)
            continue
        yield _entry(entry, number)
    if bare:
        names = ", ".join(entry.name or entry.text for entry in bare[:5]) + (", …" if len(bare) > 5 else "")
        raise InputError(
            f"{names}: no hash identifies a file",
            path=bare[0].path,
            line=bare[0].place.line,
            hint="torchlock lock writes hashes; so do uv pip compile --generate-hashes and pip-compile",
        )


def _entry(entry: Entry, number: int) -> LockedPackage:
    """A requirement with a version, or with the address of its file."""
    version = entry.specifier.removeprefix("==").removeprefix("=").strip()
    path, line, extras, hashes = entry.path, entry.place.line, tuple(entry.extras), entry.hashes
    if entry.url:
        url, _, fragment = entry.url.partition("#")
        stated = tuple(each.replace("=", ":") for each in fragment.split("&") if each.startswith("sha"))
        hashes = hashes or stated
        listed = Listed(file_name(url), url, hashes)
        parsed = parse(listed.filename)
        version = str(parsed[1]) if parsed else version
        return LockedPackage(entry.name, version, path, line, number, entry.marker, extras, hashes, (listed,))
    if not entry.specifier.startswith("==") or "," in entry.specifier or "*" in entry.specifier:
        said = f"{entry.text} does not name one version"
        raise InputError(said, path=path, line=line, hint="a lock pins each package with ==")
    return LockedPackage(entry.name, version, path, line, number, entry.marker, extras, hashes)


def _is_file(url: str) -> bool:
    """Whether an address is that of one file, not of a folder or a repository."""
    return parse(file_name(url)) is not None and not url.startswith(("git+", "hg+", "svn+", "bzr+"))


def _of_pylock(document: Document, notes: list[str]) -> Iterator[LockedPackage]:
    from torchlock.manifests.syntax.toml import Tree

    tree = Tree(document.text, document.path)
    for number, package in enumerate(tree.array("packages")):
        name, version = str(package.get("name", "")), str(package.get("version", ""))
        line = tree.line("packages", number, "name") or 0
        files = tuple(_pylock_files(package))
        if not files:
            notes.append(f"{document.path}:{line}: {name} is not a file of an index, so it is not brought")
            continue
        for file in files:
            if not file.hashes:
                raise InputError(f"{file.filename} has no hash", path=document.path, line=line)
            if not file.url:
                raise InputError(f"{file.filename} has no address", path=document.path, line=line)
        parsed = parse(files[0].filename)
        version = version or (str(parsed[1]) if parsed else "")
        hashes = tuple(each for file in files for each in file.hashes)
        marker = str(package.get("marker", ""))
        yield LockedPackage(name, version, document.path, line, number, marker, (), hashes, files)


def _pylock_files(package: dict[str, Any]) -> Iterator[Listed]:
    """The sdist, archive and wheels of a package."""
    for file in [package.get("sdist"), package.get("archive"), *package.get("wheels", ())]:
        if isinstance(file, dict):
            url = str(file.get("url") or file.get("path") or "")
            hashes = tuple(f"{name}:{digest}" for name, digest in file.get("hashes", {}).items())
            yield Listed(str(file.get("name") or file_name(url)), url, hashes, file.get("size"))
