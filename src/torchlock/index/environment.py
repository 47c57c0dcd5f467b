"""Index settings in environment variables; those of uv come before those of pip."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from torchlock.index import addresses
from torchlock.index.keyring import provider_of
from torchlock.index.pip_config import truth
from torchlock.index.settings import IndexSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_environment(environ: Mapping[str, str], folder: Path) -> IndexSettings:
    """One layer. A variable that is empty counts as not set, as for pip.

    Raises:
        InputError: a value cannot be used.
    """

    def first(*names: str) -> str | None:
        return next((value for name in names if (value := environ.get(name, "").strip())), None)

    def words(*names: str) -> list[str]:
        return [word for name in names for word in environ.get(name, "").split()]

    named = [_with_named_credentials(word, environ) for word in words("UV_INDEX")]
    default = first("UV_DEFAULT_INDEX")
    switches = {name: truth(value, name) for name in ("UV_NO_INDEX", "PIP_NO_INDEX") if (value := first(name))}
    settings = IndexSettings(
        index_url=_with_named_credentials(default, environ) if default else first("UV_INDEX_URL", "PIP_INDEX_URL"),
        extra_index_urls=(*named, *words("UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")),
        find_links=(*environ.get("UV_FIND_LINKS", "").replace(",", " ").split(), *words("PIP_FIND_LINKS")),
        no_index=next(iter(switches.values()), None),
        trusted_hosts=tuple(words("UV_INSECURE_HOST", "PIP_TRUSTED_HOST")),
        cert=first("PIP_CERT", "SSL_CERT_FILE"),
        client_cert=first("PIP_CLIENT_CERT", "SSL_CLIENT_CERT"),
        proxy=first("PIP_PROXY"),
        keyring_provider=next(
            (
                provider_of(value, name)
                for name in ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER")
                if (value := first(name))
            ),
            None,
        ),
    )
    return settings.relative_to(folder)


def with_credentials(name: str, url: str, environ: Mapping[str, str]) -> str:
    """The URL of a named index, with ``UV_INDEX_<NAME>_USERNAME`` and ``_PASSWORD`` inserted."""
    stem = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = environ.get(f"{stem}_USERNAME"), environ.get(f"{stem}_PASSWORD")
    if not name or addresses.is_local(url) or (user is None and password is None):
        return url
    scheme, _, rest = addresses.request_url(url).partition("://")
    return f"{scheme}://{quote(user or '', safe='')}:{quote(password or '', safe='')}@{rest}"


def _with_named_credentials(word: str, environ: Mapping[str, str]) -> str:
    """Split ``name=address``, uv's form of a named index."""
    match = re.match(r"([\w.-]+)=(?=\S)", word)
    return with_credentials(match[1], word[match.end() :], environ) if match else word
