"""The packages of uv.lock, poetry.lock and pdm.lock: their files, and the parts of a project that need them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError
from torchlock.fetching.locked import Listed, LockedPackage
from torchlock.location import Place
from torchlock.manifests.document import IndexLine
from torchlock.manifests.formats import pdm_lock, poetry_lock, uv_lock
from torchlock.manifests.syntax.lock_markers import scope_marker
from torchlock.manifests.syntax.markers import both, either
from torchlock.standards.filenames import file_name, is_distribution

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.manifests.document import Document, Entry

READERS = {"uv.lock": uv_lock.read, "poetry.lock": poetry_lock.read, "pdm.lock": pdm_lock.read}


class ToolLock(NamedTuple):
    """What fetch takes from such a lock: packages, indexes, extras and groups (``extra:NAME``), and notes."""

    document: Document
    packages: tuple[LockedPackage, ...]
    indexes: tuple[IndexLine, ...]
    scopes: tuple[str, ...]
    notes: tuple[str, ...]


def read_tool_lock(text: str, path: str, kind: str) -> ToolLock:
    """Read a lock of one of ``READERS``.

    Raises:
        InputError: it has an error, or a package without a hash.
    """
    document = READERS[kind](text, path, whole=True)
    if wrong := next((issue for issue in document.issues if issue.severity == "error"), None):
        raise InputError(wrong.message, path=path, line=wrong.place.line or None)
    notes: list[str] = []
    packages = tuple(_packages(document, notes))
    addresses = dict.fromkeys(entry.index for entry in document.entries if entry.index)
    indexes = tuple(IndexLine("extra", address, Place(), path) for address in addresses)
    scopes = tuple(dict.fromkeys(entry.scope for entry in document.entries if entry.scope))
    return ToolLock(document, packages, indexes, scopes, tuple(notes))


def _packages(document: Document, notes: list[str]) -> Iterator[LockedPackage]:
    """One package for each that the lock has: its entries differ in scope and marker only."""
    key = lambda entry: (entry.place.line, entry.name, entry.specifier)  # noqa: E731 - one use
    for number, (_, same) in enumerate(groupby(document.entries, key)):
        entries = list(same)
        first = entries[0]
        where = f"{document.path}:{first.place.line}"
        if not first.hashes:
            if first.url is None or is_distribution(file_name(first.url)):
                hint = "lock again from an index that states hashes"
                raise InputError(
                    f"{first.text}: no hash identifies a file",
                    path=document.path,
                    line=first.place.line,
                    hint=hint,
                )
            notes.append(f"{where}: {first.text} is not a file of an index, so it is not brought")
            continue
        version = first.specifier.removeprefix("==")
        files = _files(first)
        marker = _marker(entries)
        yield LockedPackage(
            first.name, version, document.path, first.place.line, number, marker, (), first.hashes, files
        )


def _files(entry: Entry) -> tuple[Listed, ...]:
    """The files whose addresses the lock states; empty if an index has to be asked."""
    if entry.url is not None and is_distribution(file_name(entry.url)):
        return (Listed(file_name(entry.url), entry.url.partition("#")[0], entry.hashes),)
    named = [(written, digest) for written, digest in entry.file_hashes if "/" in written or "\\" in written]
    if len(named) < len(entry.hashes):
        return ()
    return tuple(Listed(file_name(written), written, (digest,)) for written, digest in named)


def _marker(entries: Sequence[Entry]) -> str:
    """The marker of a package in a pylock.toml, which names extras and groups."""
    return either(*(both(entry.marker, scope_marker([entry.scope] if entry.scope else [])) for entry in entries))
