"""What a path holds, as one digest: when it changes, an earlier row does not count any more."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO


def digest_of(path: str) -> str:
    """The SHA-256 of a file; of a folder, that of the names, sizes and times in it; "" if it cannot be read."""
    try:
        return _of_folder(path) if os.path.isdir(path) else _of_file(path)
    except (OSError, ValueError):
        return ""


def _of_file(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _read(file)


def _read(file: BinaryIO) -> str:
    """As ``hashlib.file_digest``, which Python 3.10 lacks."""
    digest = hashlib.sha256()
    while block := file.read(1 << 18):
        digest.update(block)
    return digest.hexdigest()


def _of_folder(path: str) -> str:
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            full = os.path.join(folder, name)
            status = os.lstat(full)
            digest.update(f"{os.path.relpath(full, path)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
