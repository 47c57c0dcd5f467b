"""Hatch's environments in pyproject.toml and hatch.toml, each as a group ``hatch-NAME``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.records import replace
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.syntax.toml_tokens import Key, Path

_OWN = ("tool", "hatch", "envs")


def read_file(text: str, path: str) -> Document:
    """Read a hatch.toml, whose tables are those of ``[tool.hatch]``. The project itself is in another file."""
    builder = TomlBuilder(text, path, "hatch")
    read(builder, ("envs",))
    return builder.document


def read(builder: TomlBuilder, own: Path = _OWN) -> None:
    """Read the dependencies of all environments, each with those inherited from its template.

    Hatch replaces fields like ``{root:uri}``; lock cannot.
    """
    environments = {name: table for name, table in builder.tree.items(*own) if isinstance(table, dict)}
    for name in environments:
        with builder.within(builder.declare_group(f"hatch-{name}", builder.tree.offset(*own, name))) as scope:
            builder.add(replace(entry, scope=scope) for entry in _entries(builder, own, environments, name))


def _entries(
    builder: TomlBuilder, own: Path, environments: Mapping[str, dict[str, Any]], name: str
) -> Iterator[Entry]:
    """The packages of an environment, without the project."""
    template = environments[name].get("template", "default")
    if template != "default" and str(template) not in environments:
        message = f"tool.hatch.envs.{name}.template: no environment is called {template!r}"
        builder.refuse(message, builder.tree.offset(*own, name, "template"))
    for key in ("dependencies", "extra-dependencies"):
        owner = _owner(environments, name, key)
        if owner is not None and builder.shape("list of strings", *own, owner, key, audit=False):
            yield from _dependencies(builder, *own, owner, key, inherited=owner != name)
    document = builder.document
    for key, kind, declared in (
        ("features", "extra", document.extras),
        ("dependency-groups", "group", document.groups),
    ):
        owner = _owner(environments, name, key)
        if owner is None or not builder.shape("list of strings", *own, owner, key, audit=False):
            continue
        for chosen, at in builder.strings(*own, owner, key):
            scope = f"{kind}:{normalise(chosen)}"
            if normalise(chosen) not in declared:
                builder.refuse(f"tool.hatch.envs.{owner}.{key}: unknown {kind} {chosen!r}", at)
            yield from [entry for entry in document.entries if entry.scope == scope]
    owner = _owner(environments, name, "overrides")
    if owner is not None and "dependencies" in repr(environments[owner]["overrides"]):
        at = builder.tree.offset(*own, owner, "overrides")
        builder.refuse("lock cannot apply the overrides of a hatch environment", at)


def _owner(environments: Mapping[str, dict[str, Any]], name: str, key: str) -> str | None:
    """The environment that sets a key for an environment: itself, or the template that it inherits from."""
    seen = set[str]()
    while name in environments and name not in seen:
        seen.add(name)
        table = environments[name]
        if key in table:
            return name
        name = "" if table.get("detached") is True else str(table.get("template", "default"))
    return None


def _dependencies(builder: TomlBuilder, *where: Key, inherited: bool) -> Iterator[Entry]:
    """The requirements of a list. An inherited list is not reported twice, but still stops a lock."""
    tree = builder.tree
    for number, item in enumerate(tree.array(*where)):
        at = tree.offset(*where, number)
        if not isinstance(item, str):
            continue
        if "{" in item:
            builder.refuse(f"{item!r} has a field that only hatch fills in", at)
            continue
        entry = builder.requirement(
            item, at, tree.content(*where, number), quiet=inherited or tree.error is not None
        )
        if entry is not None:
            yield entry
        elif inherited:
            builder.refuse(f"{item!r} is not a requirement", at)
