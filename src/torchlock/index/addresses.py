"""URLs of indexes and files: their origin, their credentials, and how to print them without credentials."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from torchlock.redaction import redact as redact
from torchlock.standards.urls import NO_URL, is_url

_DEFAULT_PORTS = {"http": 80, "https": 443}


def request_url(url: str) -> str:
    """The URL to request: without credentials and fragment, with its query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def bare_url(url: str) -> str:
    """The URL without credentials, query and fragment, each of which may be secret: the base of relative links."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def credentials(url: str) -> tuple[str, str] | None:
    """User and password in the URL, with percent escapes decoded."""
    userinfo, separator, _ = urlsplit(url).netloc.rpartition("@")
    if not separator:
        return None
    user, _, password = userinfo.partition(":")
    return unquote(user), unquote(password)


def origin(url: str) -> str:
    """Scheme, host and port: credentials for one origin never go to another."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def host(url: str) -> str:
    """The name to show: the host, or the path of a local index."""
    return redact(url) if is_local(url) else redact(url).partition("://")[2].partition("/")[0]


def is_local(url: str) -> bool:
    """Whether this is a path or a ``file:`` URL."""
    return url.startswith("file:") or "://" not in url


def local_path(url: str) -> Path:
    """The path of a ``file:`` URL; a path stays as it is."""
    if not url.startswith("file:"):
        return Path(url)
    path = unquote(urlsplit(url).path)
    return Path(path.lstrip("/") if os.name == "nt" and re.match(r"/+[A-Za-z]:", path) else path)


def expand_home(path: str) -> Path:
    """A path with ``~`` replaced by the home folder; unchanged if that folder is unknown."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def file_url(path: Path) -> str:
    """The ``file:`` URL of an absolute path."""
    text = path.as_posix()
    return "file://" + quote(text if text.startswith("/") else f"/{text}")


def why_unusable(url: str) -> str | None:
    """Why a URL cannot be used, without repeating it; None if it can."""
    if not url.isprintable():
        return "contains a control character"
    if is_local(url):
        return None
    if not is_url(url):
        return NO_URL
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS:
        return f"has the scheme {parts.scheme}, not http, https or file"
    return None if parts.hostname else "has no host"
