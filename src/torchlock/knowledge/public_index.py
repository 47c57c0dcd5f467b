"""Which index is the public one. The content of any other index is unknown."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

# What poetry and others call the public index, and what stands for its host in files that are passed on
# (a reserved name, RFC 2606: no index has it).
_NAMES = ("pypi",)
_PLACEHOLDER = "index.example.org"


def default_index() -> str:
    """The address of the public index, as pypi_simple knows it.

    It is read out of that package's source: importing it takes 200 ms, and urllib3, which comes with it,
    opens a socket on import, which must not happen offline.
    """
    from importlib.util import find_spec

    spec = find_spec("pypi_simple")
    try:
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    except OSError:
        source = ""
    if match := re.search(r"^PYPI_SIMPLE_ENDPOINT\b[^=\n]*=\s*[\"']([^\"']+)", source, re.MULTILINE):
        return match[1]
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT


@cache
def is_public(address: str) -> bool:
    """Whether this is the public index: its address, the one that it had before, or the name tools have for it.

    The content of any other index is unknown, whatever its address looks like.
    """
    if address.lower() in _NAMES:
        return True
    default = urlsplit(default_index())
    former = f"{(default.hostname or '').partition('.')[0]}.python.org"
    try:
        asked = urlsplit(address)
    except ValueError:  # brackets that are not an IPv6 address
        return False
    hosts = (default.hostname, former, _PLACEHOLDER)
    return (
        asked.scheme in ("http", "https") and asked.hostname in hosts and _tidy(asked.path) == _tidy(default.path)
    )


def _tidy(path: str) -> str:
    return path.strip("/").lower()
