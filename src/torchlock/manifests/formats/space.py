"""The front matter of a README.md that describes a Space of Hugging Face, and what the Space installs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.paths import beside, is_there
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

_MATTER = pattern(r"\A\ufeff?---[ \t]*\r?\n(?P<body>.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_PAIR = pattern(r"^(?P<key>\w+):[ \t]*[\"']?(?P<value>[^\s\"'#]+)", re.MULTILINE)
# What a Space installs, in this order. The machines of Spaces are Linux on x86_64.
_FILES = ("pre-requirements.txt", "requirements.txt")
_PLATFORM = "linux-x86_64"


def read(text: str, path: str) -> Document:
    """Read the Python version, and the files of requirements beside the README."""
    builder = DocumentBuilder(text, path, "space")
    matter = _MATTER.match(text)
    if matter is None:
        return builder.document
    builder.document.platforms = (_PLATFORM,)
    pairs = {match["key"]: match for match in _PAIR.finditer(text, *matter.span("body"))}
    stated = pairs.get("python_version")
    if stated is not None and re.fullmatch(r"3\.\d+(?:\.\d+)?", stated["value"]):
        minor = ".".join(stated["value"].split(".")[:2])
        builder.python(f"=={minor}.*", stated.start("value"))
    at = (stated or pairs["sdk"]).start()
    for step, name in enumerate(_FILES, 1):
        if is_there(beside(path, name)):
            builder.add(replace(entry, step=step) for entry in builder.include(name, at))
    return builder.document
