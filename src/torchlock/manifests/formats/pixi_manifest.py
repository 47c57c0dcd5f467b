"""Pixi's manifest, pixi.toml: conda and PyPI packages, features, environments, platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.knowledge.stack import CONDA_NAMES
from torchlock.manifests.conda_builds import label_of
from torchlock.manifests.document import Entry
from torchlock.manifests.syntax.conda_match_spec import specifier_of
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.repositories import repository_address
from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.records import replace
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document
    from torchlock.manifests.syntax.toml_tokens import Key, Path

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
# The tables of packages; those of conda are all installed in the environment.
_TABLES = (
    ("dependencies", "conda"),
    ("host-dependencies", "conda"),
    ("build-dependencies", "conda"),
    ("constraints", "conda"),
    ("pypi-dependencies", "pip"),
)
_OPTION_SHAPES = {
    "string": ("index-url",),
    "list of strings": ("extra-index-urls",),
    "list of tables": ("find-links",),
    "table": ("dependency-overrides",),
}
_DEPENDENCY_SHAPES = {
    "string": ("branch", "env-markers", "git", "index", "path", "rev", "subdirectory", "tag", "url"),
    "list of strings": ("extras",),
    "boolean": ("editable",),
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
    _channels(builder, own)
    builder.shapes({"table": ("environments", "feature", "pypi-options")}, *own)
    _options(builder, *own, "pypi-options")
    builder.document.project |= any(tree.items(*own, table) for table, _ in _TABLES)
    _feature(builder, own, "")
    used = set[str]()
    for name, held in tree.items(*own, "environments"):
        where = (*own, "environments", name, *(["features"] if isinstance(held, dict) else []))
        builder.shape("list of strings", *where)
        features = [feature for feature, _ in builder.strings(*where)]
        alone = isinstance(held, dict) and held.get("no-default-feature") is True
        scope = builder.declare_group(name, tree.offset(*where), alone=alone)
        for feature, at in builder.strings(*where):
            _known(builder, own, feature, at, scope)
            _feature(builder, (*own, "feature", feature), scope)
            if name == "default":
                _feature(builder, (*own, "feature", feature), "")
        used.update(features)
    for name, _ in tree.items(*own, "feature"):
        if name not in used:
            scope = builder.declare_group(name, tree.offset(*own, "feature", name))
            _feature(builder, (*own, "feature", name), scope)


def _channels(builder: TomlBuilder, own: Path) -> None:
    """The channels of all environments, in their order; none if a channel or a feature has an order of its own."""
    tree = builder.tree
    if any("channels" in feature for _, feature in tree.items(*own, "feature") if isinstance(feature, dict)):
        return
    for table in ("workspace", "project"):
        listed = tree.array(*own, table, "channels")
        if listed and all(isinstance(channel, str) for channel in listed):
            builder.document.channels = tuple(listed)
            priority = tree.get(*own, table, "channel-priority")
            builder.document.strict_channels = priority in (None, "strict")


def _options(builder: TomlBuilder, *path: Key) -> None:
    """The indexes and overrides for the packages of PyPI."""
    builder.shapes(_OPTION_SHAPES, *path)
    for key, kind in (("index-url", "index"), ("extra-index-urls", "extra")):
        for address, at in builder.strings(*path, key):
            builder.index(kind, address, at)
    for number in range(len(builder.tree.array(*path, "find-links"))):
        where = (*path, "find-links", number)
        for address, at in [pair for key in ("path", "url") for pair in builder.strings(*where, key)]:
            builder.index("find-links", address, at)
    for key, value in builder.tree.items(*path, "dependency-overrides"):
        entry = _entry(builder, (*path, "dependency-overrides", key), value, "pip")
        builder.document.overrides += [entry] if entry else []


def _known(builder: TomlBuilder, own: Path, feature: str, at: int | None, scope: str) -> None:
    if not isinstance(builder.tree.get(*own, "feature", feature), dict):
        with builder.within(scope):
            builder.fault(f"unknown feature {feature!r}", at)


def _feature(builder: TomlBuilder, path: Path, scope: str) -> None:
    with builder.within(scope):
        builder.shape("table", *path)
        builder.shape("table", *path, "target")
        if scope and builder.tree.items(*path, "pypi-options"):
            message = "lock does not follow the pypi-options of a feature: give its indexes as options"
            builder.refuse(message, builder.tree.offset(*path, "pypi-options"))
        builder.add(_tables(builder, path, scope, ""))
        for name, _ in builder.tree.items(*path, "target"):
            builder.shape("table", *path, "target", name)
            if name in MARKERS:
                builder.add(_tables(builder, (*path, "target", name), scope, MARKERS[name]))
            else:
                builder.refuse(f"unknown platform {name}", builder.tree.offset(*path, "target", name))


def _tables(builder: TomlBuilder, path: Path, scope: str, marker: str) -> Iterator[Entry]:
    for table, channel in _TABLES:
        builder.shape("table", *path, table)
        for key, value in builder.tree.items(*path, table):
            entry = _entry(builder, (*path, table, key), value, channel)
            if entry is not None and entry.name != "python":
                limits = table == "constraints"
                yield replace(entry, scope=scope, marker=both(entry.marker, marker), constraint=limits)
            elif entry is not None and not marker and not scope:
                builder.python(entry.specifier, builder.tree.offset(*path, table, key))


def _entry(builder: TomlBuilder, path: Path, value: object, channel: str) -> Entry | None:
    table = value if isinstance(value, dict) else {}
    where = (*path, "version") if isinstance(value, dict) else path
    builder.shapes(_DEPENDENCY_SHAPES, *path)
    builder.shape("string", *where)
    name = normalise(str(path[-1]))
    kind = next((key for key in ("url", "git", "path") if isinstance(table.get(key), str)), "")
    url = repository_address("git", table["git"], table) if kind == "git" else table.get(kind)
    extras = table.get("extras")
    specifier = specifier_of(builder.tree.string(*where) or "*")
    if specifier is None:
        message = f"{builder.tree.string(*where)!r}: PEP 440 cannot express these versions"
        builder.refuse(message, builder.tree.offset(*where))
        return None
    index = table.get("channel" if channel == "conda" else "index")
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
        marker=str(table.get("env-markers") or ""),
        build=label_of(str(table.get("build") or "")) if channel == "conda" else "",
        extras=tuple(map(str, extras)) if isinstance(extras, list) else (),
        editable=table.get("editable") is True,
    )
