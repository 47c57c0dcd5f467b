"""What the address of an index says about its content.

``classify_index`` is the only judge. It knows two indexes: the public one, and the PyTorch wheel index with its
pages of one build each. The content of every other index is unknown, whatever its address looks like.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.stack import FAMILY

PUBLIC, BUILDS, PRIVATE, UNKNOWN = "public", "builds", "private", "unknown"
# What poetry and pipenv call the public index.
_NAMES = ("pypi",)
# Reserved host names (RFC 2606) that stand for the hosts in files whose addresses were made anonymous.
_PUBLIC_PLACEHOLDER = "index.example.org"
_PYTORCH_PLACEHOLDER = "example.org"

# Folders that hold the PyTorch index, and those below it whose content is not the releases.
_ROOTS = ("whl", "pytorch-wheels")
_CHANGING = {"nightly": 1, "test": 1, "lts": 2}
# A find-links page; the pages of projects have their names.
_LINKS = re.compile(r"torch_\w+\.html")


class IndexClass(NamedTuple):
    """What an index holds, by its address.

    ``kind`` is ``public`` (the public index), ``builds`` (releases on the PyTorch index or on a mirror of it),
    ``private`` (another index) or ``unknown`` (the address cannot be read, or its content changes daily).
    ``label`` is the one build that a page of ``builds`` holds, like ``cu128``; "" if the page has all builds.
    """

    kind: str
    label: str = ""


@cache
def classify_index(address: str) -> IndexClass:
    """Classify an index or find-links address, as written in a file or given as an option."""
    if address.lower() in _NAMES:
        return IndexClass(PUBLIC)
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:  # brackets that are not an IPv6 address
        return IndexClass(UNKNOWN)
    path = unquote(parts.path).lower()
    if (page := _builds_page(path)) and _is_pytorch(host, path):
        return page
    if _is_public(parts):
        return IndexClass(PUBLIC)
    return IndexClass(PRIVATE if parts.scheme in ("http", "https") and host else UNKNOWN)


def is_public(address: str) -> bool:
    """Whether an address, or a name that tools have for it, is the public index."""
    return classify_index(address).kind == PUBLIC


def page_of(label: str) -> str:
    """The address of the PyTorch index page that holds the builds with this label."""
    return f"https://download.pytorch.org/whl/{label}"


@cache
def default_index() -> str:
    """The address of the public index, as pypi_simple knows it.

    Read from that package's source: an import takes 200 ms, and urllib3, which comes with it, opens a socket
    on import. Nothing may open a socket offline.
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


def _builds_page(path: str) -> IndexClass | None:
    """Read a path laid out as on the PyTorch index, like ``/whl/cu128``; None for another layout."""
    steps = path.rstrip("/").split("/")
    root = max((at for at, step in enumerate(steps) if step in _ROOTS), default=0)
    if not root or (steps[root] == "whl" and root > 1 and "pytorch" not in "/".join(steps[:root])):
        return None
    rest = steps[root + 1 :]
    changing = _CHANGING.get(rest[0], 0) if rest else 0
    rest = rest[changing:]
    label = parse_label(rest[0]) if rest else None
    if label is not None and label.is_of_index:
        rest = rest[1:]
    if len(rest) > 1 or not all(step in FAMILY or _LINKS.fullmatch(step) for step in rest):
        return None
    return IndexClass(UNKNOWN) if changing else IndexClass(BUILDS, label.text if label else "")


def _is_pytorch(host: str, path: str) -> bool:
    """Whether a host serves the PyTorch index, or a path says that it is a mirror of it.

    The owner of another host may publish builds of their own under the same path.
    """
    is_own = host in ("pytorch.org", _PYTORCH_PLACEHOLDER) or host.endswith(".pytorch.org")
    return is_own or "pytorch" in path


def _is_public(asked: SplitResult) -> bool:
    """Whether this is the address of the public index, or the address that it had before."""
    default = urlsplit(default_index())
    former = f"{(default.hostname or '').partition('.')[0]}.python.org"
    return (
        asked.scheme in ("http", "https")
        and asked.hostname in (default.hostname, former, _PUBLIC_PLACEHOLDER)
        and asked.path.strip("/").lower() == default.path.strip("/").lower()
    )
