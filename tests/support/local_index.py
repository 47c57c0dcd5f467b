"""A simple index in a folder: wheels of nothing but metadata, and the pages that list them."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def publish(
    folder: Path, name: str, version: str, requires: Sequence[str] = (), tags: str = "py3-none-any"
) -> Path:
    """Put a wheel into the index; returns its path."""
    path = folder / name / f"{name}-{version}-{tags}.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Requires-Dist: {each}" for each in requires]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{name}-{version}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tags}\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with (path.parent / "index.html").open("a") as page:
        page.write(f'<a href="{path.name}#sha256={digest}">{path.name}</a>\n')
    return path
