"""What can be taken apart as an address (RFC 3986)."""

from __future__ import annotations

from urllib.parse import urlsplit

NO_URL = "cannot be read as a URL (percent-encode special characters of a password)"
"""What is wrong with a text that is none; follows it."""


def is_url(text: str) -> bool:
    """Whether an address can be taken apart: its port is a number below 65536, its brackets are those of IPv6."""
    try:
        _ = urlsplit(text).port
    except ValueError:
        return False
    return True
