"""The address of the wheels of one build, read from the installed packages: this project does not contain an index
host.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext

# Packages of the stack download models and assets from the host that also has their wheels.
_HOST = re.compile(rb"https://download\.[a-z]+\.org(?=/)")
# The SHA-256 hash of that address. A tree from an unknown origin cannot name another index to install from.
KNOWN = "c9cbadc8263555e634b842ea5fc8a235bffb1dd71ccfde82207f3f5829c3f25d"
_ASKED = (
    "utils/download.py",
    "_internal/module_utils.py",
    "cuda/__init__.py",
    "models/resnet.py",
    "pipelines/_wav2vec2/impl.py",
)


def page_address(context: CheckContext, label: str) -> str:
    """The page of the wheels of one build, on the host that installed packages name; "" if none names it."""
    for name in ("torchaudio", "torch", "torchvision"):
        copy = context.copy(name)
        for part in _ASKED if copy else ():
            try:
                text = files.read(os.path.join(copy.path, *part.split("/")), 1 << 20) if copy else b""
            except OSError:
                continue
            for found in _HOST.findall(text)[:100]:
                if hashlib.sha256(found).hexdigest() == KNOWN:
                    return f"{found.decode()}/whl/{label}"
    return ""
