"""The system that the name of a file is for: ``environment-cpu-osx.yml``, ``requirements-mac.txt``."""

from __future__ import annotations

import re

from torchlock.manifests.paths import name_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

_KINDS = ("requirements", "constraints", "conda")
_MAC, _LINUX, _WINDOWS = ("macos-arm64", "macos-x86_64"), ("linux-x86_64", "linux-aarch64"), ("windows-amd64",)
_SYSTEMS = {
    **dict.fromkeys(("osx", "macos", "mac", "darwin"), _MAC),
    "linux": _LINUX,
    **dict.fromkeys(("windows", "win", "win64"), _WINDOWS),
}


def assume_platforms(document: Document) -> None:
    """Give a file that declares no platforms those of the one system in its name."""
    if document.platforms or document.locked or document.kind not in _KINDS:
        return
    platforms = platforms_in(document.path)
    if platforms:
        document.platforms, document.assumed = platforms, True


def platforms_in(path: str) -> tuple[str, ...]:
    """The platforms of the one system in the name of a file; none if it names no system, or several."""
    words = re.split(r"[\W_]+", name_of(path).lower())
    named = {_SYSTEMS[word] for word in words if word in _SYSTEMS}
    return named.pop() if len(named) == 1 else ()
