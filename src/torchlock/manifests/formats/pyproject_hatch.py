"""Hatch's environments in pyproject.toml, each as a group ``hatch-NAME``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "hatch", "envs")


def read(builder: TomlBuilder) -> None:
    """Take up the dependencies of all environments. Hatch fills fields like ``{root:uri}`` in; lock cannot."""
    for name, _ in builder.tree.items(*_OWN):
        with builder.within(builder.declare_group(f"hatch-{name}", builder.tree.offset(*_OWN, name))) as scope:
            for key in ("dependencies", "extra-dependencies"):
                _dependencies(builder, scope, *_OWN, name, key)


def _dependencies(builder: TomlBuilder, scope: str, *where: str) -> None:
    for number, item in enumerate(builder.tree.array(*where)):
        if isinstance(item, str) and "{" in item:
            builder.refuse(f"{item!r} has a field that only hatch fills in", builder.tree.offset(*where, number))
        elif isinstance(item, str):
            entry = builder.written(*where, number)
            builder.add([replace(entry, scope=scope)] if entry else [])
