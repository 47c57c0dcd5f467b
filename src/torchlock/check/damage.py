"""The kinds of damage to a library, in words: what is there instead of it, and how that comes about."""

from __future__ import annotations

from torchlock.inspect.binaries.elf_tables import MISALIGNED, NO_DYNAMIC, NO_NAMES
from torchlock.inspect.binaries.pe import NO_EXPORTS

_IN_PLACE = {
    "empty": "is empty",
    "zeros": "has only zeros in it",
    "pointer": "is a Git LFS pointer, not the library itself",
    "link": "is a text with the name of another file, not the library itself",
    "page": "is a web page, not the library itself",
    "truncated": "is truncated",
}
_WHY = {
    "empty": "a full disk or an interrupted copy leaves empty files",
    "zeros": "a full disk or a crash of the machine leaves files of zeros",
    "pointer": "Git without Git LFS writes a pointer instead of a large file (git lfs pull fetches the content)",
    "link": "a copy without symbolic links has such texts instead of the links",
    "page": "a download saves the error page of a proxy or a server under the name of the file",
    "truncated": "a full disk, an interrupted download or copy leaves a part of the file",
    MISALIGNED: "strip after patchelf or auditwheel writes such files; no release of glibc maps them",
    NO_DYNAMIC: "a full disk or a crash of the machine leaves zeros instead of a part of a file",
    NO_EXPORTS: "a full disk or a crash of the machine leaves zeros instead of a part of a file",
    NO_NAMES: "a full disk or a crash of the machine leaves zeros instead of a part of a file",
}


def in_place_of_library(kind: str) -> str:
    """What is there instead of a library, by the kind of damage: ``is empty``."""
    return _IN_PLACE[kind]


def why_damaged(kind: str) -> str:
    """How such damage, or a file that is unreadable for this reason, comes about; "" if it is unknown."""
    return _WHY.get(kind, "")
