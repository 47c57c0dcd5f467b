"""``[tool.poetry]`` beside ``[project]``: sources, and what it adds to the dependencies that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.manifests.text import beside
from torchlock.terms import Origin, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.lock_readers.table import Table
    from torchlock.terms import Inputs

_OWN = ("tool", "poetry")
_REFERENCES = ("rev", "tag", "branch")


def read_poetry(table: Table, inputs: Inputs) -> dict[str, list[Source]]:
    """Read ``[tool.poetry]``; the result has the sources by package.

    Raises:
        InputError: the dependencies are only here, where they are not read; or a source is unknown.
    """
    if not table.subtable(*_OWN):
        return {}
    urls = _indexes(table, inputs)
    own = {
        canonicalize_name(key): value
        for key, value in table.subtable(*_OWN, "dependencies").items()
        if key.lower() != "python"
    }
    if own and "project" in table.subtable() and not table.has("project", "dependencies"):
        raise table.wrong(
            "only [project] is read, and it has no dependencies",
            *_OWN,
            "dependencies",
            hint="move them to dependencies of [project], which poetry 2 knows too",
        )
    sources = {name: list(_sources(table, name, value, urls)) for name, value in own.items()}
    return {name: found for name, found in sources.items() if found}


def _indexes(table: Table, inputs: Inputs) -> dict[str, str]:
    """The addresses by name. The first primary one stands in place of the public one, unless that is named too."""
    items = list(table.tables(*_OWN, "source"))
    public = any(str(item.get("name")).lower() == "pypi" for item in items)
    urls: dict[str, str] = {}
    for item in items:
        name, url = str(item.get("name", "")), item.get("url")
        if not isinstance(url, str):
            continue
        urls[name.lower()] = url
        priority = str(item.get("priority", "default" if item.get("default") is True else "primary")).lower()
        if priority == "explicit":
            continue
        if priority in ("primary", "default") and not public and inputs.index_url is None:
            inputs.index_url = url
        else:
            inputs.extra_index_urls.append(url)
        if priority in ("supplemental", "secondary"):
            place = table.place(*_OWN, "source")
            inputs.notes.append(
                f"{place}: the source {name} is {priority}, but is asked before the public index, not after it"
            )
    return urls


def _sources(table: Table, name: str, value: object, urls: dict[str, str]) -> Iterator[Source]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            found = _source(table, name, item, urls)
            if found is not None:
                yield found


def _source(table: Table, name: str, item: dict[str, Any], urls: dict[str, str]) -> Source | None:
    keys = (*_OWN, "dependencies", name)
    kind = next((key for key in ("source", "git", "url", "path", "file") if isinstance(item.get(key), str)), None)
    if kind is None:
        return None
    value, marker = item[kind], item.get("markers", "")
    origin = Origin(table.path, table.line(*keys), f"{kind} = {value!r}")
    marker = marker if isinstance(marker, str) else ""
    if kind == "source":
        if value.lower() not in urls:
            if value.lower() == "pypi":
                return None
            raise table.wrong(f"no source is called {value!r}", *keys)
        return Source(origin, index_url=urls[value.lower()], marker=marker)
    part = f"#subdirectory={item['subdirectory']}" if isinstance(item.get("subdirectory"), str) else ""
    if kind == "git":
        reference = next(
            (f"@{item[key]}" for key in ("rev", "tag", "branch") if isinstance(item.get(key), str)), ""
        )
        return Source(origin, url=f"git+{value}{reference}{part}", marker=marker)
    if kind == "url":
        return Source(origin, url=f"{value}{part}", marker=marker)
    near = beside(table.path, value)
    return Source(origin, url=near if near.startswith((".", "/")) else f"./{near}", marker=marker)
