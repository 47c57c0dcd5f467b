"""Compute the SHA-256 of a file if the index has no hash that installers accept."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.errors import NetworkError
from torchlock.index import addresses, cache
from torchlock.index.metadata import WHOLE_LIMIT, verify
from torchlock.standards.filenames import is_distribution

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchlock.index.transport import Transport
    from torchlock.standards.index_file import File


def local_sha256(file: File) -> str | Unknown:
    """Hash a file of this machine; a folder has no hash."""
    path = addresses.local_path(file.url)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    except OSError as error:
        return Unknown(f"{path} cannot be read ({error.strerror or error})")
    return digest.hexdigest()


class Hasher:
    """Hashes files on servers. ``transport`` is called when the network is needed, or is None offline."""

    def __init__(
        self, transport: Callable[[], Transport] | None, store: cache.Cache, report: Callable[[str], None]
    ) -> None:
        self._transport = transport
        self._store = store
        self._report = report

    def sha256(self, file: File) -> str | Unknown:
        """Fetch a file of at most 64 MB, compare it with the hashes that the index has, and hash it.

        Raises:
            NetworkError: it is not the file that the index describes.
        """
        if not is_distribution(file.filename) or not file.url.startswith(("https://", "http://")):
            return Unknown(f"{addresses.redact(file.url)} is not a file that can be fetched")
        # The hash of the index is weak, but identifies the content.
        weak = sorted(f"{name}={digest}" for name, digest in file.hashes.items())
        # Without a hash, the URL identifies the file, only for --offline: its content may change.
        told = weak or ["address", file.url]
        name = cache.key("sha256", addresses.origin(file.url), file.filename, *told)
        known = self._store.metadata(name) if weak or self._transport is None else None
        if known is not None:
            return known
        found = self._fetched(file)
        if isinstance(found, str):
            self._store.keep_metadata(name, found)
        return found

    def _fetched(self, file: File) -> str | Unknown:
        if self._transport is None:
            return Unknown("--offline forbids fetching the file")
        if file.size is not None and file.size > WHOLE_LIMIT:
            return Unknown(f"{file.filename} is too large to fetch for its hash")
        self._report(f"fetching {file.filename} for its hash")
        try:
            answer = self._transport().get(file.url, {"Accept-Encoding": "identity"}, WHOLE_LIMIT)
        except NetworkError as error:
            return Unknown(error.message)
        if answer.status != 200:
            return Unknown(f"{addresses.redact(file.url)} answers with status {answer.status}")
        verify(answer.body, file.hashes, file.url)
        return hashlib.sha256(answer.body).hexdigest()
