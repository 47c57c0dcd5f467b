"""Validity of URLs (RFC 3986)."""

from __future__ import annotations

from urllib.parse import urlsplit

NO_URL = "cannot be read as a URL (percent-encode special characters of a password)"
"""The fault of an invalid URL; it follows the URL."""


def is_url(text: str) -> bool:
    """Whether a URL can be parsed: its port is a number below 65536, and its brackets are those of IPv6."""
    try:
        _ = urlsplit(text).port
    except ValueError:
        return False
    return True
