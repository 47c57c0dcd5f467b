"""The header block of METADATA, PKG-INFO and WHEEL, as the standard library's ``email`` reads it.

The core metadata specification names that parser (policy compat32), and pip reads with it. It is slow to import,
and a check reads hundreds of files: hence these lines, which do what ``email.feedparser`` does with headers.
"""

from __future__ import annotations

import re

from torchlock.patterns import pattern
from torchlock.records import NamedTuple

# Lines end as in Python's universal newlines; form feed, NEL and U+2028 are ordinary characters.
_LINE = pattern(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_NUMBERS = pattern(r"[0-9]{1,4}(\.[0-9]{1,4})*")
_HEADER = pattern(r"From |[!-9;-~]*:|[\t ]")


class Headers(NamedTuple):
    """``fields`` maps each name, in lower case, to its values as written, folds included, in their order.

    ``end`` is the offset of the end: the first line that is neither a header nor continues one.
    """

    fields: dict[str, list[str]]
    end: int

    def first(self, name: str) -> str:
        """The first value of a field in one line; empty if there is none."""
        return unfolded(next(iter(self.fields.get(name, ())), ""))

    @property
    def metadata_version(self) -> tuple[int, ...]:
        """The numbers of ``Metadata-Version``; (0,) if it is missing or invalid."""
        text = self.first("metadata-version")
        return tuple(map(int, text.split("."))) if _NUMBERS.fullmatch(text) else (0,)

    @property
    def dynamic(self) -> frozenset[str]:
        """The fields that a build may change (PEP 643), in lower case."""
        return frozenset(unfolded(value).lower() for value in self.fields.get("dynamic", ()))


def read_headers(text: str) -> Headers:
    """Read the headers at the start of a text. Nothing is an error: a text may have no headers at all."""
    fields: dict[str, list[str]] = {}
    name, parts = "", [""]
    end = 0
    for match in _LINE.finditer(text):
        line = match[0]
        if not _HEADER.match(line):
            break
        end = match.end()
        if line[0] in " \t":
            parts.append(line)
            continue
        _keep(fields, name, parts)
        # A line without a name is skipped together with its continuation; so is an envelope ("From …").
        name, _, value = ("", "", "") if line.startswith("From ") else line.partition(":")
        parts = [value]
    _keep(fields, name, parts)
    return Headers(fields, end)


def _keep(fields: dict[str, list[str]], name: str, parts: list[str]) -> None:
    if name:
        fields.setdefault(name.lower(), []).append("".join(parts).lstrip(" \t\r\n").rstrip("\r\n"))


def unfolded(value: str) -> str:
    """An unfolded value (RFC 5322, section 2.2.3)."""
    return re.sub(r"(?<![ \t])[ \t]*[\r\n][ \t\r\n]*", " ", value).strip()
