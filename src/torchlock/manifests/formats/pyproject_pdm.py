"""PDM's tables in pyproject.toml: development groups, sources, overrides."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.manifests.document import Entry
from torchlock.manifests.overrides import override
from torchlock.standards.versions import fault_of_specifier

if TYPE_CHECKING:
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "pdm")


def read(builder: TomlBuilder) -> None:
    """Take up what ``[tool.pdm]`` says, beside what ``[project]`` has said already."""
    for group, items in builder.tree.items(*_OWN, "dev-dependencies"):
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, str) and not item.startswith("-e"):
                entry = builder.written(*_OWN, "dev-dependencies", group, number)
                builder.add([replace(entry, scope=f"group:{canonicalize_name(group)}")] if entry else [])
    for number, item in enumerate(builder.tree.array(*_OWN, "source")):
        if isinstance(item, dict) and isinstance(item.get("url"), str):
            _source(builder, item, builder.tree.offset(*_OWN, "source", number, "url"))
    _overrides(builder)


def _source(builder: TomlBuilder, source: dict[str, Any], at: int | None) -> None:
    """An index; one that is called pypi stands in place of the public one."""
    url = source["url"]
    kind = (
        "find-links"
        if source.get("type") == "find_links"
        else "index"
        if source.get("name") == "pypi"
        else "extra"
    )
    included, excluded = (source.get(key) for key in ("include_packages", "exclude_packages"))
    patterns = [str(pattern) for pattern in included] if isinstance(included, list) else []
    for entry in builder.document.entries:
        if any(fnmatchcase(entry.name, pattern) for pattern in patterns):
            entry.index = url
    if not (isinstance(excluded, list) and "*" in excluded):
        builder.index(kind, url, at)


def _overrides(builder: TomlBuilder) -> None:
    where = (*_OWN, "resolution", "overrides")
    found = []
    for key, value in builder.tree.items(*where):
        if not isinstance(value, str):
            continue
        located = "://" in value
        specifier = "" if located else value if value[:1] in "<>=!~" else f"=={value}"
        if fault_of_specifier(specifier):
            continue
        at = builder.tree.offset(*where, key)
        found.append(
            Entry(
                name=canonicalize_name(key),
                specifier=specifier,
                place=builder.place(at),
                text=f"{key} = {value}",
                path=builder.path,
                version=None if located else builder.tree.content(*where, key),
                url=value if located else None,
            )
        )
    override(builder.document, found)
