"""The few headers of an installed distribution's metadata that a check needs, however large the file is.

The format is that of the core metadata specification, and of ``WHEEL`` in the wheel specification (PEP 427).
"""

from __future__ import annotations

import os
from typing import NamedTuple

from torchlock.inspect import files

# The headers stand before the description; a megabyte of them is no longer metadata.
_HEADERS = 1 << 20
_FIRST = 16 << 10
# Many lines of nothing but requirements are an attack on whoever parses them.
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
    """Read METADATA or PKG-INFO up to the first empty line. Nothing is an error."""
    try:
        data, whole = _head(path)
    except FileNotFoundError:
        return Metadata(problem="missing")
    except OSError as error:
        return Metadata(problem=error.strerror or str(error))
    headers = parse_headers(data.decode("utf-8-sig", "replace"))
    problem = "" if whole else f"more than {_HEADERS >> 20} MB of headers"
    if not problem and not headers.get("name"):
        problem = "empty" if not data.strip() else "names no project"
    return Metadata(
        headers.get("name", [""])[0],
        headers.get("version", [""])[0],
        tuple(headers.get("requires-dist", ())[:_REQUIREMENTS]),
        headers.get("requires-python", [""])[0],
        tuple(headers.get("provides-extra", ())[:_REQUIREMENTS]),
        problem,
    )


def _head(path: str) -> tuple[bytes, bool]:
    """The file up to the end of its headers, and whether that is all of them."""
    limit = _FIRST
    while True:
        data = files.read(path, limit)
        ends = [end for mark in (b"\n\n", b"\r\n\r\n") if (end := data.find(mark)) >= 0]
        if ends:
            return data[: min(ends)], True
        if len(data) < limit or limit >= _HEADERS:
            return data, len(data) < limit
        limit *= 8


def parse_headers(text: str) -> dict[str, list[str]]:
    """The header block, names in lower case, folded lines joined; a line that is no header is passed over."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line[:1] in (" ", "\t"):
            if values:
                values[-1] += " " + line.strip()
            continue
        name, separator, value = line.partition(":")
        values = found.setdefault(name.strip().lower(), []) if separator else []
        values.append(value.strip())
    return found


def read_egg_requires(folder: str) -> tuple[str, ...]:
    """``requires.txt`` of an egg-info folder as ``Requires-Dist`` lines, its sections turned into markers."""
    content = files.text(os.path.join(folder, "requires.txt"), _HEADERS) or ""
    section, found = "", []
    for line in map(str.strip, content.split("\n")):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and not line.startswith("#"):
            found.append(line + _marker(section))
    return tuple(found[:_REQUIREMENTS])


def _marker(section: str) -> str:
    """``[extra:python_version < "3.8"]`` → ``; extra == "extra" and (python_version < "3.8")``."""
    extra, _, marker = section.partition(":")
    parts = [f'extra == "{extra}"'] if extra else []
    parts += [f"({marker})" if extra else marker] if marker else []
    return f" ; {' and '.join(parts)}" if parts else ""
