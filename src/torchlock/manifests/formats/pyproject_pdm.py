"""PDM's tables in pyproject.toml: development groups, sources, overrides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.manifests.document import Entry
from torchlock.redaction import shortened
from torchlock.standards.versions import fault_of_specifier

if TYPE_CHECKING:
    from torchlock.manifests.syntax.toml_tokens import Key
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "pdm")


def read(builder: TomlBuilder) -> None:
    """Take up what ``[tool.pdm]`` says, beside what ``[project]`` has said already."""
    for group, items in builder.tree.items(*_OWN, "dev-dependencies"):
        with builder.within(
            builder.declare_group(group, builder.tree.offset(*_OWN, "dev-dependencies", group))
        ) as scope:
            for number, item in enumerate(items if isinstance(items, list) else ()):
                _development(builder, item, scope, *_OWN, "dev-dependencies", group, number)
    for number, item in enumerate(builder.tree.array(*_OWN, "source")):
        if isinstance(item, dict) and isinstance(item.get("url"), str):
            _source(builder, item, builder.tree.offset(*_OWN, "source", number, "url"))
    if builder.tree.get(*_OWN, "resolution", "allow-prereleases") is True:
        builder.document.pre = True
    excludes = (*_OWN, "resolution", "excludes")
    if builder.tree.array(*excludes):
        builder.note("[tool.pdm.resolution] excludes is not followed", builder.tree.offset(*excludes))
    _overrides(builder)


def _development(builder: TomlBuilder, item: object, scope: str, *where: Key) -> None:
    """One development dependency; an editable one is a folder or a repository."""
    if isinstance(item, str) and item.startswith("-e"):
        builder.refuse(
            f"{item!r}: editable development dependencies are not followed", builder.tree.offset(*where)
        )
    elif isinstance(item, str):
        entry = builder.written(*where)
        builder.add([replace(entry, scope=scope)] if entry else [])


def _source(builder: TomlBuilder, source: dict[str, Any], at: int | None) -> None:
    """An index; one that is called pypi stands in place of the public one."""
    url = source["url"]
    kind = "index" if source.get("name") == "pypi" else "extra"
    kind = "find-links" if source.get("type") == "find_links" else kind
    included, excluded = (source.get(key) for key in ("include_packages", "exclude_packages"))
    for pattern in included if isinstance(included, list) else ():
        builder.document.routes.setdefault(str(pattern).lower(), url)
    if not (isinstance(excluded, list) and "*" in excluded):
        builder.index(kind, url, at)


def _overrides(builder: TomlBuilder) -> None:
    where = (*_OWN, "resolution", "overrides")
    for key, value in builder.tree.items(*where):
        if not isinstance(value, str):
            continue
        located = "://" in value
        specifier = "" if located else value if value[:1] in "<>=!~" else f"=={value}"
        at = builder.tree.offset(*where, key)
        if fault_of_specifier(specifier):
            message = f"tool.pdm.resolution.overrides.{key}: {shortened(value)!r} is not a version"
            builder.refuse(message, at)
            continue
        builder.document.overrides.append(
            Entry(
                name=canonicalize_name(key),
                specifier=specifier,
                place=builder.place(at),
                text=f"{key} = {value}" if located else f"{key}{specifier}",
                path=builder.path,
                version=None if located else builder.tree.content(*where, key),
                url=value if located else None,
            )
        )
