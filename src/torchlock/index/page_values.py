"""The values on pages of indexes: versions, addresses, hashes and times, verified and in one form."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urljoin

from torchlock.index import addresses
from torchlock.standards.index_file import File

# The length of each digest: installers accept no other.
_HASH = re.compile(
    r"(?:(md5)=([0-9a-f]{32})|(sha1)=([0-9a-f]{40})|(sha224)=([0-9a-f]{56})|(sha256)=([0-9a-f]{64})"
    r"|(sha384)=([0-9a-f]{96})|(sha512|blake2b)=([0-9a-f]{128}))(?![0-9a-f])",
    re.IGNORECASE,
)
# The form in which most indexes write a time. Pages have thousands; reading any form takes three times as long.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?)Z", re.ASCII)
# A URL that only loses its fragment. Pages have thousands of them, and parsing each is slow.
_PLAIN = re.compile(r"(https?://[a-z0-9.-]+/[\w./~+-]*)(?:#.*)?", re.ASCII)


class PageError(Exception):
    """Why a page is not a list of files, as the end of a sentence."""


def finished(file: File) -> File:
    """A file of ``listed`` with valid hashes only, and the time of its upload in UTC."""
    return file._replace(
        hashes=valid_hashes(file.hashes),
        uploaded=_utc(file.uploaded),
        metadata_hashes=None if file.metadata_hashes is None else valid_hashes(file.metadata_hashes),
    )


def entry_of(values: list[Any]) -> File:
    """A file from the values of its fields in JSON.

    Raises:
        TypeError: these are not the values of a file.
    """
    return File(*values)


def check_version(version: Any) -> None:
    """Of the form's version only the major part may be refused (PEP 629); none given means 1.0."""
    if isinstance(version, str) and not re.match(r"1(\.|$)", version):
        raise PageError(f"uses version {version[:20]} of the simple API, not 1")


def absolute(base: str, address: str, page: str | None = None) -> str | None:
    """The absolute URL of a link, or None if it is invalid; a remote page may not name local files."""
    if plain := _PLAIN.fullmatch(address):
        return plain[1]
    try:
        url = addresses.request_url(urljoin(base, address))
    except ValueError:
        return None
    if addresses.why_unusable(url) or (addresses.is_local(url) and not addresses.is_local(page or base)):
        return None
    return url if is_text(url) and "%00" not in url else None


def is_text(name: str) -> bool:
    """Whether a name or a URL can be encoded, printed and passed to the system."""
    return name.isprintable()


def valid_hashes(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {
        name.lower(): digest.lower()
        for name, digest in pairs
        if isinstance(digest, str) and _HASH.fullmatch(f"{name}={digest}")
    }


def hash_in(text: str) -> dict[str, str]:
    """The hash in a fragment (``…#sha256=…``) or an attribute (``sha256=…``)."""
    match = _HASH.search(text.rpartition("#")[2])
    if not match:
        return {}
    name, digest = filter(None, match.groups())
    return {name.lower(): digest.lower()}


def _utc(value: Any) -> str | None:
    """An upload time in UTC, with a final Z; None if it is invalid."""
    if not isinstance(value, str):
        return None
    if plain := _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(plain[1]).isoformat() + "Z"
        except ValueError:
            return None
    # Before Python 3.11 fromisoformat knows neither Z nor fractions of other than 3 or 6 digits.
    text = re.sub(r"\.(\d+)", lambda match: "." + match[1][:6].ljust(6, "0"), value.strip().upper())
    try:
        time = datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
    except ValueError:
        return None
    zoned = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    try:
        return zoned.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        return None
