"""Bytes to text, as pip decodes requirements files; every failure names the file."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.redaction import learn

if TYPE_CHECKING:
    from typing import BinaryIO

# No file of requirements is this large; some devices have no end.
_LIMIT = 64 << 20
_PIECE = 1 << 18
# UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
# Some encodings let these through, which no text may hold and no output can show.
SURROGATE = re.compile("[\ud800-\udfff]")
CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")


def read_text(path: str) -> str:
    """The text of a file, or of standard input for ``-``; see ``decode``.

    Raises:
        InputError: it cannot be read or decoded.
    """
    return decode(read_bytes(path), path)


def read_included(path: str) -> str:
    """The text of a file that another file names: a pipe or a device, which may have no end, is none.

    Raises:
        InputError: it cannot be read or decoded.
    """
    if is_there(path) and not (Path(path).is_file() or is_folder(path)):
        raise InputError("is not a regular file", path=path)
    return read_text(path)


def read_bytes(path: str) -> bytes:
    """The content of a file, or of standard input for ``-``.

    Raises:
        InputError: it cannot be read.
    """
    if path == "-":
        try:
            return _bounded(sys.stdin.buffer, "standard input")
        except (OSError, AttributeError) as error:  # Without a standard input sys.stdin is None.
            raise InputError("standard input cannot be read") from error
    try:
        with Path(path).open("rb") as file:
            return _bounded(file, path)
    except FileNotFoundError:
        raise InputError("there is no such file", path=path, hint=_neighbour(path)) from None
    except (OSError, ValueError) as error:
        if is_folder(path):
            raise InputError("is a folder, not a file", path=path, hint="name a file in it") from None
        if isinstance(error, PermissionError):
            raise InputError(
                "may not be read by this user", path=path, hint="its permissions say who may"
            ) from None
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path=path) from error


def _bounded(file: BinaryIO, path: str) -> bytes:
    """All of a file, in pieces: a read of the whole limit at once would take its memory for the smallest file."""
    pieces, size = [], 0
    while piece := file.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > _LIMIT:
            raise InputError(f"is larger than {_LIMIT >> 20} MB", path=path)
    return b"".join(pieces)


def decode(raw: bytes, path: str) -> str:
    """Text by its byte order mark, its coding line (PEP 263), as UTF-8, or else as the locale has it.

    Raises:
        InputError: it fits none of these, or holds NUL characters.
    """
    for bom, encoding in MARKS:
        if raw.startswith(bom):
            return _text(raw[len(bom) :], encoding, path)
    for line in raw.split(b"\n", 2)[:2]:
        coding = CODING.search(line) if line.startswith(b"#") else None
        if coding:
            return _text(raw, coding[1].decode("ascii"), path)
    try:
        return _text(raw, "utf-8", path)
    except InputError:
        import locale

        encoding = locale.getpreferredencoding(False)
        if codecs.lookup(encoding).name in ("utf-8", "ascii"):
            raise
    return _text(raw, encoding, path)


def decode_utf8(raw: bytes, path: str) -> str:
    """Text of a format that is UTF-8 by definition; a byte order mark is let through.

    Raises:
        InputError: it is not UTF-8, or holds NUL characters.
    """
    return _text(raw.removeprefix(codecs.BOM_UTF8), "utf-8", path)


def beside(path: str, name: str) -> str:
    """The path of a file that another file names; never standard input."""
    joined = str(Path(path).parent / name)
    return str(Path(joined).absolute()) if joined == "-" else joined


def is_folder(path: str) -> bool:
    """Whether there is a folder of this name; False for what cannot be a name."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: str) -> bool:
    """Whether there is a file or folder of this name; False for what cannot be a name."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _text(raw: bytes, encoding: str, path: str) -> str:
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise InputError(f"no text encoding is called {encoding!r}", path=path, line=_coding_line(raw)) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"cannot be decoded as {encoding}: byte 0x{raw[error.start]:02x}",
            path=path,
            line=raw.count(b"\n", 0, error.start) + 1,
            hint="save it as UTF-8, or name its encoding in a first line like # -*- coding: latin-1 -*-",
        ) from error
    except ValueError as error:
        raise InputError(f"cannot be decoded as {encoding}: {error}", path=path) from error
    if SURROGATE.search(text):
        raise InputError(f"holds half a character, written as an escape of {encoding}", path=path)
    if "\0" in text:
        raise InputError(
            "holds a NUL character: this is no text file",
            path=path,
            line=text.count("\n", 0, text.index("\0")) + 1,
            hint="save it as UTF-8; this looks like UTF-16" if raw.count(b"\0") * 3 > len(raw) else None,
        )
    learn(text)
    return text


def _coding_line(raw: bytes) -> int:
    return 1 if CODING.search(raw.split(b"\n", 1)[0]) else 2


def _neighbour(path: str) -> str | None:
    """A file of nearly this name in the same folder."""
    from difflib import get_close_matches

    try:
        names = [item.name for item in Path(path).parent.iterdir()]
    except (OSError, ValueError):
        return None
    close = get_close_matches(Path(path).name, names, n=1)
    return f"there is {str(Path(path).with_name(close[0]))!r}" if close else None
