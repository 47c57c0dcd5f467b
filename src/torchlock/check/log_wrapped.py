"""Messages that a terminal, a notebook or the author of an issue wrapped over lines."""

from __future__ import annotations

import re
from functools import lru_cache

# Between two words: blanks, or the break of a line with the frame or the indent of the next one.
_GAP = r"(?:[ \t]{1,4}|[ \t│|]{0,8}\r?\n(?:E(?= ))?[ \t│|>]{0,40})"
# The messages whose last part is a symbol, a library, a module or a path, and those with a fixed end.
_PHRASES = (
    r"(?:\.so[\d.]{0,12}: )?(?:undefined symbol:? \w|cannot open shared object file"
    r"|version [`']?(?:GLIBC|GLIBCXX|CXXABI)_[\d.]{1,12}['\"]? not found)",
    r"\.so[\d.]{0,12}: (?:invalid|file too short)",
    r"symbol not found:? [\w(]",
    r"library not loaded: [@/\w]",
    r"(?:no module named|cannot import name) ['\"\w]",
    r"(?:(?:could not|cannot) load (?:this )?library:?|error loading|while importing) ['\"\w/]",
    r"specified (?:module|procedure) could not be found",
)
_WRAPPED = re.compile("|".join(_PHRASES).replace(" ", _GAP), re.IGNORECASE)
# A line may be cut behind one of these.
_ENDS = (
    ":", "'", "undefined", "symbol", "not", "found", "library", "this", "no", "module", "named", "cannot",
    "import", "name", "could", "load", "error", "loading", "while", "importing", "open", "shared", "object", "be",
    "specified", "procedure", "version",
)  # fmt: skip
# A message is cut into so many lines at most.
_LONGEST = 4
_BREAK = re.compile(_GAP)
# Stands for a break that was taken out; from the private area of Unicode.
_TAKEN = "\ue0ff"


def unwrapped(text: str) -> str:
    """A text in which each known message that was cut stands in one line.

    The lines that it took are empty, so that all lines keep their numbers.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line[-40:].rstrip(" \t\r│|").lower().endswith(_ENDS):
            near = lines[number : number + _LONGEST]
            lines[number : number + _LONGEST] = _whole("\n".join(near))
    return "\n".join(lines)


@lru_cache(maxsize=1 << 10)
def _whole(near: str) -> tuple[str, ...]:
    """The lines of a few in which a message is cut."""
    joined = _WRAPPED.sub(_joined, near).split("\n")
    return tuple(part for line in joined for part in (line.replace(_TAKEN, ""), *[""] * line.count(_TAKEN)))


def _joined(match: re.Match[str]) -> str:
    return _BREAK.sub(lambda gap: f" {_TAKEN}" if "\n" in gap[0] else gap[0], match[0])
