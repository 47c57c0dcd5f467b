"""Settings of installers outside of a file: they may name indexes whose content is unknown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.location import Place
from torchlock.manifests.document import IndexLine
from torchlock.manifests.syntax.installed import INDEX_VARIABLES

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

# A settings file that is copied, mounted or written.
_FILES = re.compile(
    r"^(?![ \t]*#)[^\r\n]*?(\bpip\.(?:conf|ini)\b|\buv\.toml\b|\b(?:PIP|UV)_CONFIG_FILE\b)", re.MULTILINE
)
# Variables that Python code sets, which the readers of commands do not see.
_VARIABLES = re.compile(
    rf"(?:%(?:set_)?env[ \t]+|environ\W{{1,4}}|putenv\W{{1,4}})({'|'.join(INDEX_VARIABLES)})\b"
)


def apply_settings(document: Document) -> None:
    """Record the settings of pip and uv that a document of commands mentions as indexes."""
    patterns = (_FILES, _VARIABLES) if document.kind in ("python", "notebook") else (_FILES,)
    for pattern in patterns:
        found = pattern.search(document.text)
        if found:
            start = document.text.rfind("\n", 0, found.start(1)) + 1
            place = Place(document.text.count("\n", 0, start) + 1, found.start(1) - start + 1)
            document.indexes.append(IndexLine("extra", f"${found[1]}", place, document.path))
