"""Pixi's tables in pyproject.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.manifests.formats.pixi_manifest import read_tables

if TYPE_CHECKING:
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "pixi")


def read(builder: TomlBuilder) -> None:
    """Read ``[tool.pixi]``."""
    if builder.tree.items(*_OWN):
        read_tables(builder, _OWN)
