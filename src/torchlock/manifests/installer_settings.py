"""Settings of installers outside of a file: they may name indexes whose content is unknown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.location import Place
from torchlock.manifests.document import IndexLine
from torchlock.manifests.syntax.installed import INDEX_VARIABLES

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

# A settings file that is copied, mounted or written, and texts of which each one has one: most files have none.
_FILES = re.compile(r"\b(pip\.(?:conf|ini)|uv\.toml|(?:PIP|UV)_CONFIG_FILE)\b")
_IN_FILES = ("pip.conf", "pip.ini", "uv.toml", "_CONFIG_FILE")
# Variables that Python code sets, which the readers of commands do not see.
_VARIABLES = re.compile(
    rf"(?:%(?:set_)?env[ \t]+|environ\W{{1,4}}|putenv\W{{1,4}})({'|'.join(INDEX_VARIABLES)})\b"
)


def apply_settings(document: Document) -> None:
    """Record the settings of pip and uv that a document of commands mentions as indexes."""
    text = document.text
    patterns = [_FILES] if any(each in text for each in _IN_FILES) else []
    if document.kind in ("python", "notebook"):
        patterns.append(_VARIABLES)
    for pattern in patterns:
        for found in pattern.finditer(text):
            start = max(text.rfind(end, 0, found.start(1)) for end in "\r\n") + 1
            if pattern is _FILES and text[start : found.start()].lstrip(" \t").startswith("#"):
                continue
            place = Place(text.count("\n", 0, start) + 1, found.start(1) - start + 1)
            document.indexes.append(IndexLine("extra", f"${found[1]}", place, document.path))
            break
