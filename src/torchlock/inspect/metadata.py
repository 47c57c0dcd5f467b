"""Read the few headers of installed metadata that a check needs, within limits.

The format is that of the core metadata specification, and of ``WHEEL`` in the wheel specification (PEP 427).
"""

from __future__ import annotations

import os
from typing import NamedTuple

from torchlock.runtime import files
from torchlock.standards.headers import Headers, read_headers, unfolded

# The headers come before the description; a megabyte of them is not metadata.
_HEADERS = 1 << 20
_FIRST = 16 << 10
# Very many requirement lines are an attack on the parser.
_REQUIREMENTS = 5000


class Metadata(NamedTuple):
    """Headers as written. ``requires`` are the ``Requires-Dist`` lines, or those of ``requires.txt``.

    ``problem`` says why they could not be read, or not to the end; it is empty where all is well.
    """

    name: str = ""
    version: str = ""
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    extras: tuple[str, ...] = ()
    problem: str = ""


def read_metadata(path: str) -> Metadata:
    """Read the headers of METADATA or PKG-INFO. Nothing is an error."""
    try:
        headers, problem = _headers(path)
    except FileNotFoundError:
        return Metadata(problem="missing")
    except OSError as error:
        return Metadata(problem=error.strerror or str(error))
    return Metadata(
        headers.first("name"),
        headers.first("version"),
        _lines(headers, "requires-dist"),
        headers.first("requires-python"),
        _lines(headers, "provides-extra"),
        problem,
    )


def _headers(path: str) -> tuple[Headers, str]:
    """The header block of a file, and what is wrong with it; the rest of the file is not read."""
    limit = _FIRST
    while True:
        data = files.read(path, limit)
        text = data.decode("utf-8-sig", "replace")
        headers = read_headers(text)
        rest = text[headers.end :]
        whole = len(data) < limit or "\n" in rest or "\r" in rest
        if whole or limit >= _HEADERS:
            break
        limit *= 8
    if not whole:
        return headers, f"more than {_HEADERS >> 20} MB of headers"
    if not headers.first("name"):
        return headers, "names no project" if headers.fields or text.strip("\r\n") else "empty"
    return headers, ""


def _lines(headers: Headers, name: str) -> tuple[str, ...]:
    return tuple(map(unfolded, headers.fields.get(name, ())[:_REQUIREMENTS]))


def read_egg_requires(folder: str) -> tuple[str, ...]:
    """``requires.txt`` of an egg-info folder as ``Requires-Dist`` lines; empty if it is missing or malformed."""
    from torchlock.standards import requires_txt

    content = files.text(os.path.join(folder, "requires.txt"), _HEADERS)
    try:
        return tuple(requires_txt.parse(content)[0][:_REQUIREMENTS]) if content else ()
    except requires_txt.Malformed:
        return ()
