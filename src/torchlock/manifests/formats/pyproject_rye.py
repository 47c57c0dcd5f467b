"""Rye's tables in pyproject.toml: development dependencies and sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "rye")
_SHAPES = {"list of strings": ("dev-dependencies",), "list of tables": ("sources",)}


def read(builder: TomlBuilder) -> None:
    """Read ``[tool.rye]``. A source called default replaces the public index."""
    builder.shapes(_SHAPES, *_OWN, audit=False)
    if builder.tree.array(*_OWN, "dev-dependencies"):
        with builder.within(builder.declare_group("dev", builder.tree.offset(*_OWN, "dev-dependencies"))) as scope:
            builder.add(builder.listed(*_OWN, "dev-dependencies", scope=scope))
    for number, item in enumerate(builder.tree.array(*_OWN, "sources")):
        if isinstance(item, dict) and isinstance(item.get("url"), str):
            kind = "find-links" if item.get("type") == "find-links" else "extra"
            kind = "index" if item.get("name") == "default" else kind
            builder.index(kind, item["url"], builder.tree.offset(*_OWN, "sources", number, "url"))
        else:
            builder.refuse("tool.rye.sources: a source has no url", builder.tree.offset(*_OWN, "sources", number))
