"""Parse the file list of the simple API in both forms: JSON (PEP 691, 700) and HTML (PEP 503).

Also what later PEPs put there: 592 (yanked), 658 and 714 (core metadata), 629 (the version of the form). One
entry that makes no sense is left out; a page that makes none is an error.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from torchlock.index import addresses
from torchlock.standards.filenames import is_distribution
from torchlock.standards.index_file import File

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"

_JSON = re.compile(r"application/(vnd\.pypi\.simple\.v\w+\+)?json")
_HTML = re.compile(r"text/html|application/(vnd\.pypi\.simple\.v\w+\+html|xhtml\+xml)")
# The length of each digest: installers accept no other.
_HASH = re.compile(
    r"(?:(md5)=([0-9a-f]{32})|(sha1)=([0-9a-f]{40})|(sha224)=([0-9a-f]{56})|(sha256)=([0-9a-f]{64})"
    r"|(sha384)=([0-9a-f]{96})|(sha512|blake2b)=([0-9a-f]{128}))(?![0-9a-f])",
    re.IGNORECASE,
)
# A URL that only loses its fragment. Pages have thousands of them, and parsing each is slow.
_PLAIN = re.compile(r"(https?://[a-z0-9.-]+/[\w./~+-]*)(?:#.*)?", re.ASCII)
# The base of all links of a page.
_LONGEST_BASE = 2000
# PEP 714: the first name wins; older servers use the others.
_METADATA_KEYS = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")


class PageError(Exception):
    """Why a page is not a list of files, as the end of a sentence."""


def parse_page(body: bytes, content_type: str, url: str) -> list[File]:
    """``listed``, with every file finished."""
    return [finished(file) for file in listed(body, content_type, url)]


def finished(file: File) -> File:
    """A file of ``listed`` with valid hashes only, and the time of its upload in UTC."""
    return file._replace(
        hashes=_hashes(file.hashes),
        uploaded=_utc(file.uploaded),
        metadata_hashes=None if file.metadata_hashes is None else _hashes(file.metadata_hashes),
    )


def entry_of(values: list[Any]) -> File:
    """A file from the values of its fields in JSON.

    Raises:
        TypeError: these are not the values of a file.
    """
    return File(*values)


def listed(body: bytes, content_type: str, url: str) -> list[File]:
    """The wheels and sdists that a page lists, in its order, with absolute addresses free of credentials.

    Hashes and times are as on the page: pages have thousands of files, and few are looked at (``finished``).

    Args:
        body: the page.
        content_type: the header of that name, possibly empty.
        url: where the page was found after redirects; relative addresses start there.

    Raises:
        PageError: it is not a page of the simple API, or of an unknown version of it.
    """
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if _JSON.fullmatch(media) or (not media and body.lstrip()[:1] == b"{"):
        return _parse_json(body, url)
    if not media or _HTML.fullmatch(media):
        charset = re.search(r"charset=[\"']?([\w-]+)", parameters)
        return _parse_html(_decoded(body, charset[1] if charset else "utf-8"), url)
    raise PageError(f"answered with {media}, not with a list of files")


def _parse_json(body: bytes, url: str) -> list[File]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PageError("answered with damaged JSON") from error
    meta = document.get("meta") if isinstance(document, dict) else None
    entries = document.get("files") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise PageError("answered with JSON that is not a list of files")
    _check_version(meta.get("api-version") if isinstance(meta, dict) else None)
    return [file for entry in entries if isinstance(entry, dict) and (file := _from_json(entry, url))]


def _from_json(entry: dict[str, Any], page: str) -> File | None:
    filename, address = entry.get("filename"), entry.get("url")
    if not isinstance(filename, str) or not isinstance(address, str):
        return None
    if not is_distribution(filename) or not _is_text(filename) or (url := _absolute(page, address)) is None:
        return None
    size, python, yanked = entry.get("size"), entry.get("requires-python"), entry.get("yanked")
    offered, uploaded = (
        next((entry[key] for key in _METADATA_KEYS if key in entry), None),
        entry.get("upload-time"),
    )
    return File(
        filename,
        url,
        _texts(entry.get("hashes")) if "#" not in address else _hashes(entry.get("hashes")) or _hash_in(address),
        size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 62 else None,
        uploaded if isinstance(uploaded, str) else None,
        python.strip() or None if isinstance(python, str) else None,
        yanked if isinstance(yanked, str) and yanked else "" if yanked is True else None,
        _texts(offered) if isinstance(offered, dict) else {} if offered is True else None,
    )


def _parse_html(text: str, url: str) -> list[File]:
    links = _Links()
    try:
        # Never closed: html.parser before 3.13.6 then looks anew from every "<" of what has no end.
        links.feed(text)
    except AssertionError as error:  # html.parser raises this for an invalid marked section (<![…)
        raise PageError("answered with damaged HTML") from error
    if links.open or links.cdata_elem or links.rawdata.startswith("<"):
        raise PageError("answered with an incomplete page")
    _check_version(links.version)
    base = url if links.base is None else _absolute(url, links.base)
    if base is None or len(base.partition("?")[0]) > _LONGEST_BASE:
        raise PageError("answered with a page whose base is not a URL")
    files = [file for anchor in links.anchors if (file := _from_anchor(anchor, base, url))]
    if not files and links.interactive:
        raise PageError("answered with a web page (a login?), not with a list of files")
    return files


def _from_anchor(anchor: dict[str, str], base: str, page: str) -> File | None:
    address = anchor["href"].strip()
    url = _absolute(base, address, page)
    filename = unquote(urlsplit(url).path.rpartition("/")[2]) if url else ""
    if not url or not is_distribution(filename) or not _is_text(filename):
        return None
    offered = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
    return File(
        filename,
        url,
        _hash_in(address),
        uploaded=anchor.get("data-upload-time"),  # of no PEP: the PyTorch index has it
        requires_python=anchor.get("data-requires-python", "").strip() or None,
        yanked=anchor.get("data-yanked"),
        metadata_hashes=None if offered is None else _offered(offered),
    )


class _Links(HTMLParser):
    """The anchors of a page, its base and version, and whether it wants a visitor to do something."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[dict[str, str]] = []
        self.base: str | None = None
        self.version: str | None = None
        self.interactive = False
        # In a complete page these tags are closed: the document, if it is opened, and every link.
        self.open: set[str] = set()

    def handle_endtag(self, tag: str) -> None:
        if tag in ("html", "body"):
            self.open.clear()
        self.open.discard(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("html", "a"):
            self.open.add(tag)
        if tag == "a" and "href" in values:
            self.anchors.append(values)
        elif tag == "base" and self.base is None:
            self.base = values.get("href")
        elif tag == "meta" and values.get("name") == "pypi:repository-version":
            self.version = values.get("content")
        elif tag in ("form", "input", "script"):
            self.interactive = True


def _check_version(version: Any) -> None:
    """Of the form's version only the major part may be refused (PEP 629); none given means 1.0."""
    if isinstance(version, str) and not re.match(r"1(\.|$)", version):
        raise PageError(f"speaks version {version[:20]} of the simple API, not 1")


def _absolute(base: str, address: str, page: str | None = None) -> str | None:
    """The absolute URL of a link, or None if it is invalid; a remote page may not name local files."""
    if plain := _PLAIN.fullmatch(address):
        return plain[1]
    try:
        url = addresses.request_url(urljoin(base, address))
    except ValueError:
        return None
    if addresses.why_unusable(url) or (addresses.is_local(url) and not addresses.is_local(page or base)):
        return None
    return url if _is_text(url) and "%00" not in url else None


def _is_text(name: str) -> bool:
    """Whether a name or a URL can be encoded, printed and passed to the system."""
    return name.isprintable()


def _hashes(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {
        name.lower(): digest.lower()
        for name, digest in pairs
        if isinstance(digest, str) and _HASH.fullmatch(f"{name}={digest}")
    }


def _texts(value: Any) -> dict[str, str]:
    """The pairs of a table whose value is a text."""
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: digest for name, digest in pairs if isinstance(digest, str)}


def _hash_in(text: str) -> dict[str, str]:
    """The hash in a fragment (``…#sha256=…``) or an attribute (``sha256=…``)."""
    match = _HASH.search(text.rpartition("#")[2])
    if not match:
        return {}
    name, digest = filter(None, match.groups())
    return {name.lower(): digest.lower()}


def _offered(text: str) -> dict[str, str] | None:
    """The hashes of a metadata file that an attribute offers, empty without one; None if it offers none."""
    return _hash_in(text) or ({} if text.lower() == "true" else None)


def _utc(value: Any) -> str | None:
    """An upload time in UTC, with a final Z; None if it is invalid."""
    if not isinstance(value, str):
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


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, errors="replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", errors="replace")
