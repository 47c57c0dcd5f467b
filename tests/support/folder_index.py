"""A simple index in a folder: pages in HTML, and wheels of nothing but metadata."""

from __future__ import annotations

import hashlib
import html
import zipfile
from collections.abc import Sequence
from pathlib import Path


class FolderIndex:
    """Pages lie in ``<root>/index``, files in ``<root>/files``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "index"

    def add(
        self,
        name: str,
        version: str,
        requires: Sequence[str] = (),
        *,
        metadata: str | bytes | None = None,
        content: bytes | None = None,
        tag: str = "py3-none-any",
        hash: str | None = "sha256",
        python: str | None = None,
        yanked: str | None = None,
    ) -> Path:
        """A wheel and its line on the project's page.

        ``metadata`` stands in the place of METADATA, ``content`` in that of the whole wheel; ``python`` and
        ``yanked`` are what the page says.
        """
        path = self.root / "files" / f"{name}-{version}-{tag}.whl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if content is not None else self._wheel(name, version, requires, metadata))
        fragment = f"#{hash}={hashlib.new(hash, path.read_bytes()).hexdigest()}" if hash else ""
        attributes = f' data-requires-python="{html.escape(python)}"' if python else ""
        attributes += f' data-yanked="{html.escape(yanked)}"' if yanked is not None else ""
        page = self.folder / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a", encoding="utf-8") as lines:
            lines.write(f'<a href="../../files/{path.name}{fragment}"{attributes}>{path.name}</a><br>\n')
        return path

    def _wheel(self, name: str, version: str, requires: Sequence[str], metadata: str | bytes | None) -> bytes:
        path = self.root / "wheel"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata or headers(name, version, *requires))
        return path.read_bytes()


def headers(name: str, version: str, *requires: str, more: str = "") -> str:
    """A METADATA text; ``more`` stands before what it requires."""
    lines = "".join(f"Requires-Dist: {each}\n" for each in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}{lines}\n"
