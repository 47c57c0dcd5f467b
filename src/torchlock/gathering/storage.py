"""Files on this machine: the release files, and the cache of what was read in wheels."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from torchlock.gathering.rendering import compact


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
        _replace(self._path(kind, sha256), compact(value).encode())

    def _path(self, kind: str, sha256: str) -> Path:
        return self._root / kind / sha256[:2] / f"{sha256}.json"
