"""Quote words for a shell, so that it runs nothing in the name of a folder or a package."""

from __future__ import annotations

import re
import shlex

from torchlock.patterns import pattern

_PLAIN = pattern(r"(?!~)[\w./:=+@%,~-]+")
_PLAIN_ON_WINDOWS = pattern(r"[\w./:\\=+@,~-]+")
_NAME = pattern(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)


def quoted(word: str, *, windows: bool = False) -> str:
    """One word for a POSIX shell or for Windows; with double quotes if it has no special characters."""
    if windows:
        return word if _PLAIN_ON_WINDOWS.fullmatch(word) else '"' + word.replace('"', "") + '"'
    if _PLAIN.fullmatch(word):
        return word
    return shlex.quote(word) if re.search(r"""['"$`\\!]""", word) else f'"{word}"'


def is_name(name: str) -> bool:
    """Whether a name is a valid project name (PEP 508). Metadata may contain any text."""
    return bool(_NAME.fullmatch(name)) and name.isascii()


def is_one_line(words: str) -> bool:
    """Whether a command can be pasted as shown: it has no control characters."""
    return words.isprintable()
