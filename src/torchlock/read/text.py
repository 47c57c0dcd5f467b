"""Bytes to text, the way pip decodes requirements files; every failure an InputError with the path."""

from __future__ import annotations

import codecs
import locale
import re
import sys
from pathlib import Path

from torchlock.errors import InputError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")


def read_bytes(path: str) -> bytes:
    """The content of a file, or of standard input for ``-``.

    Raises:
        InputError: it cannot be read.
    """
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError("there is no such file", path=path) from None
    except IsADirectoryError:
        raise InputError("is a folder, not a file", path=path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path=path) from error


def read_text(path: str) -> str:
    """The text of a file: by its byte order mark, its coding line (PEP 263), as UTF-8, as the locale has it.

    Raises:
        InputError: it cannot be read or decoded, or holds NUL characters.
    """
    return decode(read_bytes(path), path)


def decode(raw: bytes, path: str) -> str:
    """Decode what was read from ``path``; see ``read_text``."""
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            text = _decode(raw[len(bom) :], encoding, path)
            break
    else:
        text = _without_bom(raw, path)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError("holds a NUL character: this is no text file", path=path, line=line)
    return text


def _without_bom(raw: bytes, path: str) -> str:
    for line in raw.split(b"\n", 2)[:2]:
        coding = _CODING.search(line)
        if line.startswith(b"#") and coding:
            return _decode(raw, coding[1].decode("ascii"), path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        fallback = locale.getpreferredencoding(False)
        if codecs.lookup(fallback).name in ("utf-8", "ascii"):
            raise _undecodable(error, raw, path) from error
        return _decode(raw, fallback, path)


def _decode(raw: bytes, encoding: str, path: str) -> str:
    try:
        return raw.decode(encoding)
    except LookupError:
        raise InputError(f"no encoding is called {encoding!r}", path=path, line=1) from None
    except UnicodeDecodeError as error:
        raise _undecodable(error, raw, path) from error


def _undecodable(error: UnicodeDecodeError, raw: bytes, path: str) -> InputError:
    return InputError(
        f"cannot be decoded as {error.encoding}: byte 0x{error.object[error.start]:02x}",
        path=path,
        line=raw[: error.start].count(b"\n") + 1,
        hint="save it as UTF-8, or name its encoding in a first line like # -*- coding: latin-1 -*-",
    )
