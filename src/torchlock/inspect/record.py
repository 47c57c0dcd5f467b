"""Read RECORD and its predecessor installed-files.txt: the files that an installer says it wrote.

The format is that of the specification of recorded projects: CSV rows of path, ``algorithm=digest``, size.
"""

from __future__ import annotations

import io
import itertools
import os
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from torchlock.inspect.distributions import Distribution

# The largest of the stack, torch's with its headers, has 16,000 rows in 2 MB.
_LIMIT = 32 << 20
_ROWS = 300_000
# A record of so many characters is split at once.
_PLAIN = 4 << 20
_DIGITS = 20
# A record without these, and without a slash before its first path, names files below its folder, or with dots.
_NOT_SIMPLE = ("//", "\n/", "\\", ":", '"', "\r", "\0")


class Row(NamedTuple):
    """A recorded file. ``hash`` is ``algorithm=digest`` or empty, ``size`` None where it is not recorded."""

    path: str
    hash: str = ""
    size: int | None = None


class Record:
    """The rows, read as they are asked for; paths are relative to ``base``.

    ``problem`` says, once all have been read, why they are not all there are; it is empty where they are.
    """

    def __init__(self, base: str, content: str, is_csv: bool, whole: bool) -> None:
        self.base = base
        self.problem = "" if whole else f"larger than {_LIMIT >> 20} MB"
        self._content = content
        self._is_csv = is_csv

    def may_list(self, paths: Collection[str]) -> bool:
        """Whether one of these may be a recorded path, by the text: far cheaper than all rows."""
        return any('"' in path or path in self._content for path in paths)

    @cached_property
    def is_simple(self) -> bool:
        """Whether each recorded path is relative to ``base`` as it stands, unless it has ``./`` or ``..``."""
        content = self._content
        return self._is_csv and not (content.startswith("/") or any(sign in content for sign in _NOT_SIMPLE))

    def __iter__(self) -> Iterator[Row]:
        return self.rows()

    def rows(self, *, compiled: bool = True, endings: tuple[str, ...] = ()) -> Iterator[Row]:
        """All rows, or those of files whose names end so; ``compiled=False`` leaves out compiled Python."""
        return itertools.starmap(Row, self.fields(compiled=compiled, endings=endings))

    def fields(
        self, *, compiled: bool = True, endings: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, str, int | None]]:
        """The same, as plain tuples: far cheaper where all rows of an environment are read."""
        if endings and self._is_csv and not any(ending in self._content for ending in endings):
            return
        number = 0
        try:
            for fields in self._fields(endings):
                path = fields[0] if fields else ""
                if not path:
                    continue
                number += 1
                if number > _ROWS:
                    self.problem = f"more than {_ROWS} rows"
                    return
                if endings and not path.endswith(endings):
                    continue
                if compiled or not ("__pycache__" in path or path.endswith(".pyc")):
                    _, digest, size = fields if len(fields) == 3 else (*fields, "", "")[:3]
                    is_number = size.isdecimal() and size.isascii() and len(size) < _DIGITS
                    yield path, digest, int(size) if is_number else None
        except _Malformed as error:
            self.problem = str(error)
        if not number:
            self.problem = self.problem or "empty"

    def _fields(self, endings: tuple[str, ...]) -> Iterable[list[str]]:
        """The fields of each line, or of those at least whose paths end so.

        Raises:
            _Malformed: a line is not CSV, which shows while the lines are read.
        """
        if not self._is_csv:
            return ([line] for line in self._content.splitlines())
        if len(self._content) >= _PLAIN or any(sign in self._content for sign in '"\r\0'):
            return self._csv()
        # As nearly all records are: without quotes, a line is what is between its commas.
        lines = self._content.split("\n")
        if endings and len(lines) <= _ROWS:
            lines = [line for line in lines if any(ending in line for ending in endings)]
        return map(str.split, lines, itertools.repeat(","))

    def _csv(self) -> Iterator[list[str]]:
        import csv

        reader = csv.reader(io.StringIO(self._content, newline=""))
        try:
            yield from reader
        except csv.Error as error:
            raise _Malformed(f"line {reader.line_num} cannot be read: {error}") from error


class _Malformed(Exception):
    """A line that cannot be read, as the end of a sentence."""


def read_record(distribution: Distribution) -> Record | str:
    """The record of an installed distribution, or why there is none, as the end of a sentence."""
    if distribution.kind == "dist-info":
        base, name = distribution.entry.path, "RECORD"
    else:
        base, name = distribution.path, "installed-files.txt"
    try:
        content = files.read(os.path.join(distribution.path, name), _LIMIT + 1)
    except FileNotFoundError:
        return f"has no {name}"
    except OSError as error:
        return f"has a {name} that cannot be read: {error.strerror or error}"
    # Names that are not UTF-8 stay as the file system has them.
    text = content[:_LIMIT].decode("utf-8", "surrogateescape")
    return Record(base, text, name == "RECORD", len(content) <= _LIMIT)
