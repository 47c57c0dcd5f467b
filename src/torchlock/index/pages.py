"""Parse the file list of the simple API in both forms: JSON (PEP 691, 700) and HTML (PEP 503).

Also what later PEPs put there: 592 (yanked), 658 and 714 (core metadata), 629 (the version of the form). One
entry that makes no sense is left out; a page that makes none is an error.
"""

from __future__ import annotations

import json
import re
from typing import Any

from torchlock.index.page_values import (
    PageError,
    absolute,
    check_version,
    finished,
    hash_in,
    is_text,
    valid_hashes,
)
from torchlock.standards.filenames import is_distribution
from torchlock.standards.index_file import File

_JSON = re.compile(r"application/(vnd\.pypi\.simple\.v\w+\+)?json")
_HTML = re.compile(r"text/html|application/(vnd\.pypi\.simple\.v\w+\+html|xhtml\+xml)")
# The names of core-metadata before PEP 714, the first wins.
_OLDER_KEYS = ("dist-info-metadata", "data-dist-info-metadata")


def parse_page(body: bytes, content_type: str, url: str) -> list[File]:
    """``listed``, with every file finished."""
    return [finished(file) for file in listed(body, content_type, url)]


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
        from torchlock.index.html_pages import parse_html

        charset = re.search(r"charset=[\"']?([\w-]+)", parameters)
        return parse_html(body, charset[1] if charset else "utf-8", url)
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
    check_version(meta.get("api-version") if isinstance(meta, dict) else None)
    return [file for entry in entries if isinstance(entry, dict) and (file := _from_json(entry, url))]


def _from_json(entry: dict[str, Any], page: str) -> File | None:
    filename, address = entry.get("filename"), entry.get("url")
    if not isinstance(filename, str) or not isinstance(address, str):
        return None
    if not is_distribution(filename) or not is_text(filename) or (url := absolute(page, address)) is None:
        return None
    hashes, size, uploaded = entry.get("hashes"), entry.get("size"), entry.get("upload-time")
    python, yanked = entry.get("requires-python"), entry.get("yanked")
    offered = entry["core-metadata"] if "core-metadata" in entry else _offered(entry)
    if "#" in address:
        hashes = valid_hashes(hashes) or hash_in(address)
    return File(
        filename,
        url,
        hashes if isinstance(hashes, dict) else {},
        size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 62 else None,
        uploaded if isinstance(uploaded, str) else None,
        python.strip() or None if isinstance(python, str) else None,
        yanked if isinstance(yanked, str) and yanked else "" if yanked is True else None,
        offered if isinstance(offered, dict) else {} if offered is True else None,
    )


def _offered(entry: dict[str, Any]) -> Any:
    """What older servers say of a metadata file (PEP 714)."""
    return next((entry[key] for key in _OLDER_KEYS if key in entry), None)
