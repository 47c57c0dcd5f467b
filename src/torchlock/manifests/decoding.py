"""Bytes to text for the audit: nothing is lost, and nothing is refused but what is no text at all."""

from __future__ import annotations

from typing import NamedTuple

from torchlock.errors import InputError
from torchlock.location import Place
from torchlock.manifests import text as strict
from torchlock.manifests.document import Document, ParseIssue
from torchlock.manifests.text import CODING, MARKS, SURROGATE
from torchlock.redaction import learn


class Decoded(NamedTuple):
    """``mark + text.encode(encoding)`` are the bytes it was made from."""

    text: str
    encoding: str = "utf-8"
    bom: bytes = b""
    issue: ParseIssue | None = None

    def lend(self, document: Document) -> Document:
        """The document, told how its text turns into bytes, and what was wrong with them."""
        document.encoding, document.bom = self.encoding, self.bom
        if self.issue is not None:
            document.issues.insert(0, self.issue)
        return document


def decode(raw: bytes, path: str) -> Decoded:
    """As ``decoded``; its secrets are hidden from now on."""
    found = decoded(raw, path)
    learn(found.text)
    return found


def decoded(raw: bytes, path: str) -> Decoded:
    """Text by its byte order mark, its coding line (PEP 263) or as UTF-8, as pip does; else by the best guess.

    Raises:
        InputError: it is no text.
    """
    if not raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\0\0\xfe\xff")) and b"coding" not in raw:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            pass
        else:
            if "\0" not in text:
                return Decoded(text)
    return _marked(raw) or _declared(raw) or _without_mark(raw) or _single_bytes(raw, path)


def _marked(raw: bytes) -> Decoded | None:
    for bom, encoding in MARKS:
        if raw.startswith(bom):
            return _strictly(raw[len(bom) :], encoding, bom)
    return None


def _declared(raw: bytes) -> Decoded | None:
    """By a coding line among the first two, else as UTF-8."""
    for line in raw.split(b"\n", 2)[:2]:
        coding = CODING.search(line) if line.startswith(b"#") else None
        found = _strictly(raw, coding[1].decode("ascii")) if coding else None
        if found is not None:
            return found
    return _strictly(raw, "utf-8")


def _strictly(raw: bytes, encoding: str, bom: bytes = b"") -> Decoded | None:
    """The text, if the encoding gives one that leads back to the same bytes."""
    try:
        text = raw.decode(encoding)
        if "\0" in text or SURROGATE.search(text) or text.encode(encoding) != raw:
            return None
    except (LookupError, ValueError, TypeError):
        return None
    return Decoded(text, encoding, bom)


def _without_mark(raw: bytes) -> Decoded | None:
    """UTF-16 is known by the zero byte of its every ASCII character."""
    if raw.count(b"\0") * 3 < len(raw):
        return None
    little = raw[1::2].count(0) > raw[::2].count(0)
    found = _strictly(raw, "utf-16-le" if little else "utf-16-be")
    if found is None:
        return None
    message = "this is UTF-16 without a byte order mark, which no installer can read"
    because = "UTF-16 is told from UTF-8 by its byte order mark only"
    remedy = "Save the file as UTF-8"
    return found._replace(issue=ParseIssue("TL503", "error", message, Place(1), because, remedy))


def _single_bytes(raw: bytes, path: str) -> Decoded:
    """Latin-1, in which any byte is a character."""
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise InputError("holds a NUL character: this is no text file", path=path, line=line)
    try:
        raw.decode()
        line, byte = 1, raw[0]
    except UnicodeDecodeError as error:
        line, byte = raw.count(b"\n", 0, error.start) + 1, raw[error.start]
    message = f"byte 0x{byte:02x} is not UTF-8, so it depends on the machine whether this file can be read"
    remedy = "Save the file as UTF-8"
    stop = _refusal(raw, path)
    issue = ParseIssue("TL503", "warning", message, Place(line), "read as latin-1 here", remedy, error=stop)
    return Decoded(raw.decode("latin-1"), "latin-1", b"", issue)


def _refusal(raw: bytes, path: str) -> InputError | None:
    """Why pip does not read such bytes on this machine; None where its locale has them."""
    try:
        strict.decode(raw, path)
    except InputError as error:
        return error
    return None
