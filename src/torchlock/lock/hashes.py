"""The hashes of a lock: those that installers accept, or our own if an index has none of these."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlock.answers import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchlock.lock.results import Lock
    from torchlock.words import File

# What pip's --hash knows, with the number of digits; it refuses a file of requirements that names another.
ACCEPTED = {"sha256": 64, "sha384": 96, "sha512": 128}


def with_hashes(lock: Lock, sha256: Callable[[File], str | Unknown]) -> Lock:
    """The lock with hashes that installers take alone. ``sha256`` is asked for files that have none of them.

    Files whose hash it does not know either have none: the writer of the lock has to say so.
    """
    pins = (replace(pin, files=tuple(_hashed(file, sha256) for file in pin.files)) for pin in lock.pins)
    return replace(lock, pins=tuple(pins))


def _hashed(file: File, sha256: Callable[[File], str | Unknown]) -> File:
    taken = {name: digest for name, digest in file.hashes.items() if len(digest) == ACCEPTED.get(name)}
    if not taken:
        found = sha256(file)
        taken = {} if isinstance(found, Unknown) else {"sha256": found}
    return file if taken == file.hashes else file._replace(hashes=taken)
