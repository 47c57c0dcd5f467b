"""Parse the file list of the simple API as HTML (PEP 503)."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from torchlock.index.page_values import PageError, absolute, check_version, hash_in, is_text
from torchlock.standards.filenames import is_distribution
from torchlock.standards.index_file import File

# The base of all links of a page.
_LONGEST_BASE = 2000


def parse_html(body: bytes, charset: str, url: str) -> list[File]:
    """The files of a page, as ``pages.listed``.

    Raises:
        PageError: this is not a complete page with a list of files.
    """
    links = _Links()
    try:
        # Never closed: html.parser before 3.13.6 then looks anew from every "<" of what has no end.
        links.feed(_decoded(body, charset))
    except AssertionError as error:  # html.parser raises this for an invalid marked section (<![…)
        raise PageError("answered with damaged HTML") from error
    if links.open or links.cdata_elem or links.rawdata.startswith("<"):
        raise PageError("answered with an incomplete page")
    check_version(links.version)
    base = url if links.base is None else absolute(url, links.base)
    if base is None or len(base.partition("?")[0]) > _LONGEST_BASE:
        raise PageError("answered with a page whose base is not a URL")
    files = [file for anchor in links.anchors if (file := _from_anchor(anchor, base, url))]
    if not files and links.interactive:
        raise PageError("answered with a web page (a login?), not with a list of files")
    return files


def _from_anchor(anchor: dict[str, str], base: str, page: str) -> File | None:
    address = anchor["href"].strip()
    url = absolute(base, address, page)
    filename = unquote(urlsplit(url).path.rpartition("/")[2]) if url else ""
    if not url or not is_distribution(filename) or not is_text(filename):
        return None
    offered = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
    return File(
        filename,
        url,
        hash_in(address),
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


def _offered(text: str) -> dict[str, str] | None:
    """The hashes of a metadata file that an attribute offers, empty without one; None if it offers none."""
    return hash_in(text) or ({} if text.lower() == "true" else None)


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, errors="replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", errors="replace")
