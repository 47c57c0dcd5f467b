"""The tables of an update as one file, for machines that may not ask an index.

A bundle is a zip file with ``manifest.json`` and the tables. It holds JSON alone; nothing of it is ever run. It is
taken only with the digest that its reader states, and only by the torchlock, and beside the bundled data, that it
was built for.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.errors import InputError
from torchlock.gathering.installing import new_set
from torchlock.index.archives import ArchiveError, archive_errors, open_member, open_zip
from torchlock.knowledge import tables
from torchlock.knowledge.overlay import LARGEST, SETS, Overlay, digest_of, overlay_of

if TYPE_CHECKING:
    from pathlib import Path

_MANIFEST = "manifest.json"
# The largest bundle.
LIMIT = 64 << 20


def pack(overlay: Overlay, manifest: dict[str, Any]) -> bytes:
    """A bundle of these tables; equal tables give equal bytes.

    Raises:
        OSError: a table cannot be read.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        text = json.dumps(manifest, indent=1, sort_keys=True).encode()
        tables_of = {table: (overlay.folder / table).read_bytes() for table in sorted(overlay.files)}
        for name, content in {_MANIFEST: text, **tables_of}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def install(folder: Path, content: bytes, sha256: str, source: str) -> Overlay:
    """Put the tables of a bundle into the data folder.

    Args:
        folder: the data folder.
        content: the bundle.
        sha256: its digest, as its reader states it.
        source: where it is from, without credentials.

    Raises:
        InputError: it is another file than the digest says, no bundle, or made for another torchlock; or the
            folder cannot be written. The folder is as before.
    """
    if hashlib.sha256(content).hexdigest() != sha256.lower():
        raise InputError(
            f"{source} is not the file that --sha256 says: its SHA-256 is {hashlib.sha256(content).hexdigest()}",
            hint="check the digest, or get the bundle again",
        )
    damaged: tuple[type[Exception], ...] = (*archive_errors(), ArchiveError, KeyError, TypeError, AttributeError)
    try:
        with open_zip(io.BytesIO(content)) as archive:
            manifest = json.loads(_member(archive, _MANIFEST, LARGEST))
            found = overlay_of(manifest, folder / SETS)
            if not isinstance(found, Overlay):
                raise InputError(f"{source} was made by another release of torchlock")
            _check_origin(manifest, source)
            read = {table: _member(archive, table, size) for table, (_, size) in found.files.items()}
    except damaged as error:
        raise InputError(
            f"{source} is not a bundle of torchlock data", hint="use a file that torchlock data export wrote"
        ) from error
    for table, (digest, _) in found.files.items():
        if hashlib.sha256(read[table]).hexdigest() != digest:
            raise InputError(
                f"{source}: {table} is not what the manifest of the bundle says", hint="export the bundle again"
            )
        _check_json(table, read[table], source)
    kept = {key: manifest[key] for key in ("date", "dates", "adds", "unproven")}
    with new_set(folder, {**kept, "source": source}) as made:
        for table, text in read.items():
            made.put(table, text)
    return made.overlay


def _check_origin(manifest: dict[str, Any], source: str) -> None:
    made_by = manifest["torchlock"]
    if made_by != __version__:
        raise InputError(
            f"{source} was made by torchlock {made_by}, and this is torchlock {__version__}",
            hint="use a bundle for this release, or run torchlock data update",
        )
    if manifest["bundled"]["digest"] != digest_of(tables.ROOT):
        raise InputError(
            f"{source} was made for other bundled data (of {manifest['bundled']['date']})",
            hint="use a bundle for this release, or run torchlock data update",
        )


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """The content of a member that is not longer than stated."""
    if limit > LARGEST:
        raise ValueError("too large")
    with open_member(archive, archive.getinfo(name)) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError("longer than stated")
    return content


def _check_json(table: str, content: bytes, source: str) -> None:
    try:
        if not isinstance(json.loads(content), dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: {table} is damaged ({error})", hint="export the bundle again") from error
