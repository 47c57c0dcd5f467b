"""What the address of an index shows about its content.

``classify_index`` is the only function that decides this. It knows two indexes: the public one, and the PyTorch
wheel index with its pages of one build each. The content of every other index is unknown, whatever its address is.
"""

from __future__ import annotations

import re
from functools import cache

from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.stack import FAMILY
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib.parse import SplitResult

PUBLIC, BUILDS, PRIVATE, UNKNOWN = "public", "builds", "private", "unknown"
# The names of the public index in poetry and pipenv.
PUBLIC_NAME = "pypi"
# Reserved host names (RFC 2606). In files whose addresses were made anonymous they replace the real hosts.
_PUBLIC_PLACEHOLDER = "index.example.org"
_PYTORCH_PLACEHOLDER = "example.org"

# Folders that hold the PyTorch index, and folders in it that do not hold the releases.
_ROOTS = ("whl", "pytorch-wheels")
_CHANGING = {"nightly": 1, "test": 1, "lts": 2}
# A find-links page. Pages with a project's name hold the files of that project.
_LINKS = pattern(r"torch_\w+\.html")


class IndexClass(NamedTuple):
    """The content of an index, as its address shows it.

    ``kind`` is ``public`` (the public index), ``builds`` (releases on the PyTorch index or a mirror of it),
    ``private`` (another index) or ``unknown`` (the address cannot be read, or the content changes daily).
    ``label`` is the one build of a page of ``builds``, like ``cu128``; "" if the page has all builds.
    """

    kind: str
    label: str = ""


@cache
def classify_index(address: str) -> IndexClass:
    """Classify the address of an index or a find-links page, as written in a file or an option."""
    if address.lower() == PUBLIC_NAME:
        return IndexClass(PUBLIC)
    from urllib.parse import unquote, urlsplit

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


@cache
def channel_of(address: str) -> str:
    """``test`` for a page of release candidates on the PyTorch index, ``nightly`` for nightlies; "" otherwise."""
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return ""
    path = unquote(parts.path).lower()
    steps = path.rstrip("/").split("/")
    page = _builds_page(path)
    if page is None or page.kind != UNKNOWN or not _is_pytorch(host, path):
        return ""
    return next((step for step in steps if step in ("test", "nightly")), "")


@cache
def is_own_host(address: str) -> bool:
    """Whether an address is on a host of the PyTorch index itself. A mirror may carry more, or less."""
    from urllib.parse import urlsplit

    try:
        return _is_own(urlsplit(address).hostname or "")
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an address, or a name that a tool uses for an index, is the public index."""
    return classify_index(address).kind == PUBLIC


def page_of(label: str) -> str:
    """The address of the PyTorch index page that holds the builds with this label."""
    from torchlock.knowledge.build_files import index_address

    return f"{index_address()}/{label}"


@cache
def default_index() -> str:
    """The address of the public index, from pypi_simple.

    It is read from the source of that package. An import would take 200 ms, and urllib3 opens a socket when it is
    imported. torchlock must not open a socket offline.
    """
    from importlib.util import find_spec
    from pathlib import Path

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
    """Parse a path with the layout of the PyTorch index, like ``/whl/cu128``; None for another layout."""
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
    """Whether a host is the PyTorch index, or a path shows that it is a mirror of it.

    The owner of another host may publish their own builds under the same path.
    """
    return _is_own(host) or "pytorch" in path


def _is_own(host: str) -> bool:
    return host in ("pytorch.org", _PYTORCH_PLACEHOLDER) or host.endswith(".pytorch.org")


def _is_public(asked: SplitResult) -> bool:
    """Whether this is the address of the public index, or its former address."""
    from urllib.parse import urlsplit

    default = urlsplit(default_index())
    former = f"{(default.hostname or '').partition('.')[0]}.python.org"
    return (
        asked.scheme in ("http", "https")
        and asked.hostname in (default.hostname, former, _PUBLIC_PLACEHOLDER)
        and asked.path.strip("/").lower() == default.path.strip("/").lower()
    )
