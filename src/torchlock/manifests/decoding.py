"""Decodes bytes: strictly, as pip decodes requirements files, or by the best guess and with an issue."""

from __future__ import annotations

import codecs

from torchlock.errors import InputError
from torchlock.location import Place
from torchlock.manifests.document import ParseIssue
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.redaction import learn
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
# Some encodings produce these characters, which are invalid in text and cannot be printed.
_SURROGATE = pattern("[\ud800-\udfff]")
# Formats whose tools take bytes in any encoding that contains ASCII.
_AS_BYTES = frozenset({"batch", "powershell", "shell", "dockerfile", "make", "jenkins", "docs"})
_CODING = pattern(rb"coding[:=]\s*([-\w.]+)")


class Decoded(NamedTuple):
    """A decoded file: ``bom + text.encode(encoding)`` are its bytes."""

    text: str
    encoding: str = "utf-8"
    bom: bytes = b""
    issue: ParseIssue | None = None

    def apply_to(self, document: Document) -> Document:
        """Give a document its encoding, and the issues found in its bytes."""
        document.encoding, document.bom = self.encoding, self.bom
        if self.issue is not None and not (self.encoding == "latin-1" and document.kind in _AS_BYTES):
            document.issues.insert(0, self.issue)
        return document


def decode(raw: bytes, path: str) -> Decoded:
    """Decode by the stated encoding or as UTF-8, else by the best guess and with an issue.

    Secrets in the text are hidden in all later output.

    Raises:
        InputError: the bytes are not text.
    """
    found = _plain(raw) or _stated(raw) or _utf_16(raw) or _single_bytes(raw, path)
    learn(found.text)
    return found


def decode_strictly(raw: bytes, path: str) -> str:
    """Decode by the stated encoding; without one as UTF-8, or else in the encoding of the locale.

    Raises:
        InputError: this fails, or the text has NUL characters.
    """
    bom, encoding = next(_encodings(raw), (b"", ""))
    if encoding:
        return _checked(raw[len(bom) :], encoding, path)
    try:
        return _checked(raw, "utf-8", path)
    except InputError:
        import locale

        encoding = locale.getpreferredencoding(False)
        if codecs.lookup(encoding).name in ("utf-8", "ascii"):
            raise
    return _checked(raw, encoding, path)


def decode_utf8(raw: bytes, path: str) -> str:
    """Decode a format that is UTF-8 by definition; a byte order mark is allowed.

    Raises:
        InputError: the bytes are not UTF-8, or the text has NUL characters.
    """
    return _checked(raw.removeprefix(codecs.BOM_UTF8), "utf-8", path)


def _encodings(raw: bytes) -> Iterator[tuple[bytes, str]]:
    """The encodings that the bytes state: a byte order mark, a coding comment (PEP 263) in the first two lines."""
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            yield bom, encoding
            break
    for line in raw.split(b"\n", 2)[:2]:
        coding = _CODING.search(line) if line.startswith(b"#") else None
        if coding:
            yield b"", coding[1].decode("ascii")


def _plain(raw: bytes) -> Decoded | None:
    """UTF-8 without a stated encoding, as nearly every file is."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\0\0\xfe\xff")) or b"coding" in raw:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else Decoded(text)


def _stated(raw: bytes) -> Decoded | None:
    """Decode by the first stated encoding that fits, else as UTF-8."""
    for bom, encoding in (*_encodings(raw), (b"", "utf-8")):
        found = _fitting(raw[len(bom) :], encoding, bom)
        if found is not None:
            return found
    return None


def _fitting(raw: bytes, encoding: str, bom: bytes = b"") -> Decoded | None:
    """The text, if the encoding can reproduce the same bytes from it."""
    try:
        text = raw.decode(encoding)
        if "\0" in text or _SURROGATE.search(text) or text.encode(encoding) != raw:
            return None
    except (LookupError, ValueError, TypeError):
        return None
    return Decoded(text, encoding, bom)


def _utf_16(raw: bytes) -> Decoded | None:
    """UTF-16 without a byte order mark: each ASCII character has a zero byte."""
    if raw.count(b"\0") * 3 < len(raw):
        return None
    little = raw[1::2].count(0) > raw[::2].count(0)
    found = _fitting(raw, "utf-16-le" if little else "utf-16-be")
    if found is None:
        return None
    message = "this is UTF-16 without a byte order mark, which no installer can read"
    because = "without a byte order mark, installers cannot recognise UTF-16"
    remedy = "Save the file as UTF-8"
    return found._replace(issue=ParseIssue("TL503", "error", message, Place(1), because, remedy))


def _single_bytes(raw: bytes, path: str) -> Decoded:
    """Latin-1, in which any byte is a character."""
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise InputError("contains a NUL character, so it is not a text file", path=path, line=line)
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
    """Why pip cannot read such bytes on this machine; None if the encoding of its locale can decode them."""
    try:
        decode_strictly(raw, path)
    except InputError as error:
        return error
    return None


def _checked(raw: bytes, encoding: str, path: str) -> str:
    """The text, with its secrets hidden in all later output.

    Raises: InputError if the encoding does not give valid text.
    """
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise InputError(
            f"unknown text encoding {encoding!r}", path=path, line=_coding_line(raw), hint="save the file as UTF-8"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"cannot be decoded as {encoding}: byte 0x{raw[error.start]:02x}",
            path=path,
            line=raw.count(b"\n", 0, error.start) + 1,
            hint="save it as UTF-8, or name its encoding in a first line like # -*- coding: latin-1 -*-",
        ) from error
    except ValueError as error:
        raise InputError(
            f"cannot be decoded as {encoding}: {error}", path=path, hint="save the file as UTF-8"
        ) from error
    if _SURROGATE.search(text):
        raise InputError(f"contains half a character, written as an escape of {encoding}", path=path)
    if "\0" in text:
        raise InputError(
            "contains a NUL character, so it is not a text file",
            path=path,
            line=text.count("\n", 0, text.index("\0")) + 1,
            hint="save it as UTF-8; this looks like UTF-16" if raw.count(b"\0") * 3 > len(raw) else None,
        )
    learn(text)
    return text


def _coding_line(raw: bytes) -> int:
    return 1 if _CODING.search(raw.split(b"\n", 1)[0]) else 2
