"""The index settings of one source, and how several of them are combined."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.index import addresses
from torchlock.knowledge.indexes import default_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class IndexSettings:
    """The index settings of one source (None or empty: not set), or of all sources combined.

    URLs may contain credentials; a repr of the settings does not. A location is a URL, a ``file:`` URL or a path.
    ``keyring_provider`` is that of pip and uv: whether the ``keyring`` command is asked for passwords.
    ``notes`` are sentences for stderr.
    """

    index_url: str | None = None
    extra_index_urls: Sequence[str] = ()
    find_links: Sequence[str] = ()
    no_index: bool | None = None
    trusted_hosts: Sequence[str] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    keyring_provider: str | None = None
    notes: Sequence[str] = ()

    @property
    def index_urls(self) -> list[str]:
        """The indexes to ask for a package, in this order; the first one that has it decides.

        Extra ones come first, as in uv, so that nobody can take over a private name by publishing it in public.
        """
        if self.no_index:
            return []
        return _distinct([*self.extra_index_urls, self.index_url or default_index()])

    def __repr__(self) -> str:
        shown = {name: _shown(value) for name, value in _said(self).items()}
        return f"IndexSettings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def relative_to(self, folder: Path, path: str | None = None) -> IndexSettings:
        """The same settings with absolute paths and checked URLs.

        Raises:
            InputError: a URL cannot be used; ``path`` is the file that contains it.
        """
        changed: dict[str, Any] = _said(self)
        for name in ("extra_index_urls", "find_links"):
            changed[name] = tuple(_location(url, folder, path) for url in getattr(self, name))
        if self.index_url is not None:
            changed["index_url"] = _location(self.index_url, folder, path)
        for name in ("cert", "client_cert"):
            if changed.get(name):
                changed[name] = str(folder / addresses.expand_home(changed[name]))
        return IndexSettings(**changed)


def combine(layers: Iterable[IndexSettings]) -> IndexSettings:
    """Put layers together, strongest first: a single value from the first that says it, lists in a row."""
    said = [_said(layer) for layer in layers]
    combined: dict[str, Any] = {}
    for field in fields(IndexSettings):
        values = [layer[field.name] for layer in said if field.name in layer]
        if values:
            lists = field.default == ()
            combined[field.name] = (
                tuple(_distinct([item for value in values for item in value])) if lists else values[0]
            )
    return IndexSettings(**combined)


def _said(settings: IndexSettings) -> dict[str, Any]:
    """The fields that are not at their defaults; no_index=False is something said."""
    every = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {name: value for name, value in every.items() if value not in (None, (), [], "")}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return addresses.redact(value)
    return value if isinstance(value, bool) else [addresses.redact(item) for item in value]


def _location(url: str, folder: Path, path: str | None) -> str:
    if problem := addresses.why_unusable(url):
        raise InputError(f"the index address {addresses.redact(url)} {problem}", path=path)
    if url.startswith("file:") or not addresses.is_local(url):
        return url
    return str(folder / addresses.expand_home(url))


def _distinct(items: Iterable[str]) -> list[str]:
    """The items without repeats, the first of each; a final slash makes no difference."""
    found: dict[str, str] = {}
    for item in items:
        found.setdefault(item.rstrip("/"), item)
    return list(found.values())
