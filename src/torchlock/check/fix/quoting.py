"""Words as a shell takes them: nothing in them is run, whatever somebody called a folder or a package."""

from __future__ import annotations

import re
import shlex

_PLAIN = re.compile(r"(?!~)[\w./:=+@%,~-]+")
_PLAIN_ON_WINDOWS = re.compile(r"[\w./:\\=+@,~-]+")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)


def quoted(word: str, *, windows: bool = False) -> str:
    """One word for a POSIX shell, or for that of Windows; in double quotes where nothing in it is special."""
    if windows:
        return word if _PLAIN_ON_WINDOWS.fullmatch(word) else '"' + word.replace('"', "") + '"'
    if _PLAIN.fullmatch(word):
        return word
    return shlex.quote(word) if re.search(r"""['"$`\\!]""", word) else f'"{word}"'


def is_name(name: str) -> bool:
    """Whether a name is one that a project may have (PEP 508): metadata says what it likes."""
    return bool(_NAME.fullmatch(name)) and name.isascii()


def is_one_line(words: str) -> bool:
    """Whether a command can be pasted as it is shown: no control character is in it."""
    return words.isprintable()
