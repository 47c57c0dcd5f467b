"""Pixi's manifest, pixi.toml: conda and PyPI packages, features, environments, platforms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import CONDA_NAMES
from torchlock.manifests.document import Entry
from torchlock.manifests.syntax.conda_match_spec import specifier_of
from torchlock.manifests.syntax.repositories import repository_address
from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document
    from torchlock.manifests.syntax.toml_tokens import Path

_PLATFORMS = {
    "linux-64": "linux-x86_64",
    "linux-aarch64": "linux-aarch64",
    "osx-arm64": "macos-arm64",
    "osx-64": "macos-x86_64",
    "win-64": "windows-amd64",
    "win-arm64": "windows-arm64",
}
MARKERS = {
    "linux-64": "sys_platform == 'linux' and platform_machine == 'x86_64'",
    "linux-aarch64": "sys_platform == 'linux' and platform_machine == 'aarch64'",
    "osx-arm64": "sys_platform == 'darwin' and platform_machine == 'arm64'",
    "osx-64": "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    "win-64": "sys_platform == 'win32' and platform_machine == 'AMD64'",
    "win-arm64": "sys_platform == 'win32' and platform_machine == 'ARM64'",
    "linux": "sys_platform == 'linux'",
    "osx": "sys_platform == 'darwin'",
    "win": "sys_platform == 'win32'",
    "unix": "os_name == 'posix'",
}


def read(text: str, path: str) -> Document:
    """Read a pixi.toml: the packages of all features, each environment as a group."""
    builder = TomlBuilder(text, path, "pixi")
    read_tables(builder, ())
    return builder.document


def read_tables(builder: TomlBuilder, own: Path) -> None:
    """Read the tables of pixi at a path of a TOML document."""
    tree = builder.tree
    for table in ("workspace", "project"):
        names = [str(name) for name in tree.array(*own, table, "platforms")]
        known = tuple(_PLATFORMS[name] for name in names if name in _PLATFORMS)
        builder.document.platforms = builder.document.platforms or known
    options = (*own, "pypi-options")
    for key, kind in (("index-url", "index"), ("extra-index-urls", "extra")):
        for address, at in builder.strings(*options, key):
            builder.index(kind, address, at)
    builder.document.project |= any(builder.tree.items(*own, key) for key in ("dependencies", "pypi-dependencies"))
    _feature(builder, own, "")
    used = set[str]()
    for name, held in tree.items(*own, "environments"):
        environment = held if isinstance(held, dict) else {"features": held}
        features = [str(one) for one in environment.get("features") or ()]
        alone = environment.get("no-default-feature") is True
        scope = builder.declare_group(name, tree.offset(*own, "environments", name), alone=alone)
        for feature in features:
            _feature(builder, (*own, "feature", feature), scope)
        used.update(features)
    for name, _ in tree.items(*own, "feature"):
        if name not in used:
            scope = builder.declare_group(name, tree.offset(*own, "feature", name))
            _feature(builder, (*own, "feature", name), scope)


def _feature(builder: TomlBuilder, path: Path, scope: str) -> None:
    with builder.within(scope):
        builder.add(_tables(builder, path, scope, ""))
        for name, _ in builder.tree.items(*path, "target"):
            if name in MARKERS:
                builder.add(_tables(builder, (*path, "target", name), scope, MARKERS[name]))
            else:
                builder.refuse(f"unknown platform {name}", builder.tree.offset(*path, "target", name))


def _tables(builder: TomlBuilder, path: Path, scope: str, marker: str) -> Iterator[Entry]:
    for table, channel in (("dependencies", "conda"), ("pypi-dependencies", "pip")):
        for key, value in builder.tree.items(*path, table):
            entry = _entry(builder, (*path, table, key), value, channel)
            if entry is not None and entry.name != "python":
                yield replace(entry, scope=scope, marker=marker)
            elif entry is not None and not marker and not scope:
                builder.python(entry.specifier, builder.tree.offset(*path, table, key))


def _entry(builder: TomlBuilder, path: Path, value: object, channel: str) -> Entry | None:
    table = value if isinstance(value, dict) else {}
    where = (*path, "version") if table else path
    name = normalise(str(path[-1]))
    kind = next((key for key in ("url", "git", "path") if isinstance(table.get(key), str)), "")
    url = repository_address("git", table["git"], table) if kind == "git" else table.get(kind)
    extras = table.get("extras")
    specifier = specifier_of(builder.tree.string(*where) or "*")
    if specifier is None:
        message = f"{builder.tree.string(*where)!r}: PEP 440 cannot express these versions"
        builder.refuse(message, builder.tree.offset(*where))
        return None
    index = table.get("index")
    at = builder.tree.offset(*where)
    return Entry(
        name=CONDA_NAMES.get(name, name) if channel == "conda" else name,
        specifier=specifier,
        place=builder.place(at),
        text=f"{path[-1]} = {builder.tree.string(*where)}",
        path=builder.path,
        version=builder.tree.content(*where) if url is None else None,
        style="conda" if channel == "conda" else "pep440",
        channel=channel,
        index=index if isinstance(index, str) else None,
        url=url,
        extras=tuple(map(str, extras)) if isinstance(extras, list) else (),
        editable=table.get("editable") is True,
    )
