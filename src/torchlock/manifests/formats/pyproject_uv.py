"""uv's tables in pyproject.toml and in scripts: indexes, sources, constraints, overrides, environments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock.manifests.formats.pyproject_uv_workspace import Workspace, workspace_of
from torchlock.manifests.paths import beside, is_there, near
from torchlock.manifests.syntax.markers import split_extra
from torchlock.manifests.syntax.repositories import repository_address, subdirectory
from torchlock.records import replace
from torchlock.redaction import shortened
from torchlock.standards.markers import fault_of, plain_value
from torchlock.standards.names import normalise
from torchlock.target import PLATFORMS, PYTHONS, Platform, PythonVersion, Target
from torchlock.terms import ExclusiveScopes, Origin, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.syntax.toml_tokens import Key
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "uv")
_KINDS = ("index", "git", "url", "path", "workspace")
# Other keys of a source.
_FURTHER = {"subdirectory", "rev", "tag", "branch", "lfs", "editable", "package", "marker", "extra", "group"}
# Keys about releases and their origin that lock ignores, each with an alternative.
_NOT_FOLLOWED = {
    "dependency-metadata": "the metadata of the releases is used",
    "exclude-dependencies": "list them in an --override file, with a marker that is never true",
    "exclude-newer": "use --exclude-newer",
    "exclude-newer-package": "use --exclude-newer, for all packages",
    "index-strategy": "a package is taken from the first index that has it",
    "no-binary": "wheels are preferred to source distributions",
    "no-binary-package": "wheels are preferred to source distributions",
    "no-build": "source distributions are used where there are no wheels",
    "no-build-package": "source distributions are used where there are no wheels",
    "no-sources": "the sources are followed",
    "torch-backend": "name the build, like --accelerator cpu",
}

_SHAPES = {
    "list of strings": (
        "constraint-dependencies",
        "dev-dependencies",
        "extra-index-url",
        "find-links",
        "override-dependencies",
    ),
    "list": ("conflicts", "index"),
    "table": ("dependency-groups", "sources", "workspace"),
    "string": ("index-url", "prerelease", "resolution"),
    "string or list of strings": ("environments", "required-environments"),
    "boolean": ("no-index",),
}
_INDEX_SHAPES = {"string": ("name", "url", "format"), "boolean": ("default", "explicit")}


def read(builder: TomlBuilder) -> None:
    """Read ``[tool.uv]``, and the tables of the workspace that contains the project."""
    builder.shape("table", *_OWN)
    root = workspace_of(builder)
    workspace = Workspace(root or builder)
    if root is not None:
        _Uv(root, workspace).read()
        _take_over(root.document, builder.document)
    if builder.tree.items(*_OWN):
        _Uv(builder, workspace).read()
    _note_settings(builder)


def _note_settings(builder: TomlBuilder) -> None:
    """Report a uv.toml: uv uses its settings instead of those in pyproject.toml."""
    if builder.document.kind == "pyproject" and builder.path != "-" and is_there(beside(builder.path, "uv.toml")):
        builder.note("lock does not read the uv.toml beside this file: give its indexes as options", None)


def _take_over(found: Document, document: Document) -> None:
    """Add the settings of a workspace to the document of a member."""
    document.includes.append(found.path)
    document.entries += [replace(entry, version=None) for entry in found.entries if entry.constraint]
    document.overrides += [replace(entry, version=None) for entry in found.overrides]
    document.indexes += found.indexes
    document.explicit += found.explicit
    document.sources.update(found.sources)
    document.environments += found.environments
    document.refusals += found.refusals
    document.notes += found.notes
    document.pre = document.pre or found.pre
    document.platforms = document.platforms or found.platforms


# The usual machine of each system.
_USUAL = frozenset({"linux-x86_64", "macos-arm64", "windows-amd64"})


class _Uv:
    """The uv table of one file of a workspace; a project alone is a workspace, too."""

    def __init__(self, builder: TomlBuilder, workspace: Workspace) -> None:
        self._builder = builder
        self._tree = builder.tree
        self._workspace = workspace
        self._urls = workspace.urls

    def read(self) -> None:
        builder, document = self._builder, self._builder.document
        builder.shapes(_SHAPES, *_OWN, audit=False)
        builder.shapes({"list of strings": ("members", "exclude")}, *_OWN, "workspace", audit=False)
        document.workspace = self._tree.get(*_OWN, "workspace") is not None
        self._indexes()
        if self._tree.array(*_OWN, "dev-dependencies"):
            with builder.within(
                builder.declare_group("dev", self._tree.offset(*_OWN, "dev-dependencies"))
            ) as scope:
                builder.add(builder.listed(*_OWN, "dev-dependencies", scope=scope))
        builder.add(map(_in_extra, builder.listed(*_OWN, "constraint-dependencies", constraint=True)))
        document.overrides += builder.listed(*_OWN, "override-dependencies")
        for key, value in self._tree.items(*_OWN, "sources"):
            document.sources[normalise(key)] = found = list(self._sources(key, value))
            if _overlap(found):
                self._refuse("the markers of these sources overlap", "sources", key)
        self._groups()
        self._conflicts()
        self._policy()
        self._environments()

    # Indexes.

    def _indexes(self) -> None:
        for number, item in enumerate(self._tree.array(*_OWN, "index")):
            self._builder.shapes(_INDEX_SHAPES, *_OWN, "index", number, audit=False)
            if isinstance(item, dict) and isinstance(item.get("url"), str):
                self._index(item, self._tree.offset(*_OWN, "index", number, "url"))
            else:
                self._refuse("an index has no url", "index", number)
        for where in (_OWN, (*_OWN, "pip")):
            for key, kind in (("index-url", "index"), ("extra-index-url", "extra"), ("find-links", "find-links")):
                for address, at in self._builder.strings(*where, key):
                    self._builder.index(kind, address, at, tool="uv" if where == _OWN else "")
            if self._tree.get(*where, "no-index") is True:
                self._builder.index("no-index", "", self._tree.offset(*where, "no-index"))

    def _index(self, item: dict[str, Any], at: int | None) -> None:
        if isinstance(item.get("name"), str):
            self._urls[item["name"]] = item["url"]
        kind = "index" if item.get("default") is True else "extra"
        kind = "find-links" if item.get("format") == "flat" else kind
        kind = "explicit" if item.get("explicit") is True else kind
        self._builder.index(kind, item["url"], at, tool="uv", name=str(item.get("name", "")))

    # Sources.

    def _sources(self, key: str, value: object) -> Iterator[Source]:
        items = value if isinstance(value, list) else [value]
        if len(items) > 1 and any(
            isinstance(item, dict) and not {"marker", "extra", "group"} & {*item} for item in items
        ):
            self._refuse("each of several sources needs a marker", "sources", key)
        for item in items:
            kinds = [kind for kind in _KINDS if kind in item] if isinstance(item, dict) else []
            if isinstance(item, dict) and len(kinds) == 1:
                self._check(key, item)
                if not (kinds == ["workspace"] and self._is_own(key)):
                    yield self._source(key, kinds[0], item)
            else:
                hint = f"a source must have one of {', '.join(_KINDS)}"
                self._refuse(f"{item!r} is not a source", "sources", key, hint=hint)

    def _is_own(self, name: str) -> bool:
        """Whether it is the project itself, which is a member of every workspace that it has."""
        return normalise(self._tree.string("project", "name")) == normalise(name)

    def _check(self, key: str, item: dict[str, Any]) -> None:
        """Refuse unknown keys, and extras or groups that the project does not declare."""
        for name in item:
            if name not in _FURTHER and name not in _KINDS:
                self._refuse(f"a source has no key {name!r}", "sources", key)
        document = self._builder.document
        for name, declared in (("extra", document.extras), ("group", document.groups)) if document.project else ():
            if name in item and normalise(str(item[name])) not in declared:
                self._refuse(f"unknown {name} {item[name]!r}", "sources", key)

    def _source(self, key: str, kind: str, item: dict[str, Any]) -> Source:
        texts = {name: value for name, value in item.items() if isinstance(value, str)}
        scope = next((f"{name}:{normalise(texts[name])}" for name in ("extra", "group") if name in texts), "")
        marker, at = texts.get("marker", ""), self._tree.offset(*_OWN, "sources", key)
        if not self._valid(marker, f"tool.uv.sources.{key}", at):
            marker = ""
        value = self._member(key) if kind == "workspace" else texts.get(kind, "")
        if kind != "workspace" and kind not in texts:
            self._refuse(f"{kind} = {item[kind]!r} is not a source", "sources", key)
        origin = Origin(self._builder.path, self._builder.place(at).line or None, f"{kind} = {value!r}")
        if kind != "index":
            editable = kind == "workspace" or item.get("editable") is True
            return Source(origin, "", self._address(kind, value, texts), marker, scope, editable)
        if value not in self._urls:
            self._refuse(f"unknown index {value!r}", "sources", key)
        return Source(origin, index_url=self._urls.get(value, value), marker=marker, scope=scope)

    def _address(self, kind: str, value: str, texts: dict[str, str]) -> str:
        """The address of a source in pip's notation."""
        if kind == "git":
            return repository_address("git", value, texts)
        return f"{value}{subdirectory(texts)}" if kind == "url" else near(self._builder.path, value)

    def _member(self, name: str) -> str:
        """The folder of a workspace member."""
        folder = self._workspace.members.get(normalise(name))
        if folder is not None:
            return os.path.relpath(folder.absolute(), Path(self._builder.path).absolute().parent)
        for fault in self._workspace.faults:
            self._refuse(fault, "workspace", "members")
        self._refuse("no member of the workspace has this name", "sources", name)
        return "."

    # Limits of the project.

    def _groups(self) -> None:
        """The Python versions of a group."""
        for name, _ in self._tree.items(*_OWN, "dependency-groups"):
            where = (*_OWN, "dependency-groups", name, "requires-python")
            if python := self._tree.string(*where):
                self._note(f"lock --group {name} with a --python that fits {python}", *where)

    def _conflicts(self) -> None:
        for number, together in enumerate(self._tree.array(*_OWN, "conflicts")):
            scopes = tuple(
                f"{kind}:{normalise(str(item[kind]))}"
                for item in (together if isinstance(together, list) else ())
                if isinstance(item, dict)
                for kind in ("extra", "group")
                if kind in item
            )
            place = self._builder.place(self._tree.offset(*_OWN, "conflicts", number))
            found = ExclusiveScopes(self._builder.path, place.line or None, scopes)
            self._builder.document.conflicts.append(found)

    def _environments(self) -> None:
        """The platforms that the project is locked for; those that need wheels only add to the others."""
        document = self._builder.document
        limits, _ = (self._markers(key) for key in ("environments", "required-environments"))
        document.environments += [
            Origin(self._builder.path, self._builder.place(at).line or None, marker) for marker, at in limits
        ]
        meant = {platform for marker, _ in limits for platform in _meant(marker)}
        if meant:
            document.platforms = tuple(platform for platform in PLATFORMS if platform in meant)

    def _markers(self, key: str) -> list[tuple[str, int | None]]:
        """The valid markers of a key, and where they are."""
        strings = self._builder.strings(*_OWN, key)
        return [(marker, at) for marker, at in strings if self._valid(marker, f"tool.uv.{key}", at)]

    def _valid(self, marker: str, where: str, at: int | None) -> bool:
        """Whether a marker is valid, as uv requires; an issue (TL501) if it is not."""
        fault = fault_of(marker)
        if fault:
            self._builder.fault(f"{where}: {shortened(marker)!r} is not a marker: {fault}", at)
        return not fault

    def _policy(self) -> None:
        """Keys about which releases count: lock applies them, or adds a note."""
        for where in (_OWN, (*_OWN, "pip")):
            prerelease, resolution = (self._tree.string(*where, key) for key in ("prerelease", "resolution"))
            self._builder.document.pre = self._builder.document.pre or prerelease == "allow"
            if prerelease not in ("", "allow", "if-necessary-or-explicit"):
                self._note("pre-releases are used where a requirement names one", *where, "prerelease")
            if resolution not in ("", "highest"):
                self._note("use --prefer lowest", *where, "resolution")
            for key, instead in _NOT_FOLLOWED.items():
                if self._tree.get(*where, key):
                    self._note(instead, *where, key)

    def _note(self, instead: str, *path: str) -> None:
        self._builder.note(f"{'.'.join(path)} is ignored: {instead}", self._tree.offset(*path))

    def _refuse(self, message: str, *path: Key, hint: str | None = None) -> None:
        where = ".".join(map(str, (*_OWN, *path)))
        self._builder.refuse(f"{where}: {message}", self._tree.offset(*_OWN, *path), hint=hint)


def _overlap(sources: list[Source]) -> bool:
    """Whether two sources of one scope apply to the same target."""
    marked = [source for source in sources if source.marker]
    if len(marked) < 2:
        return False
    return any(
        len({source.scope for source in holding}) < len(holding)
        for minor in PYTHONS
        for platform in PLATFORMS
        if (holding := _holding(marked, Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(platform))))
    )


def _holding(sources: list[Source], target: Target) -> list[Source]:
    return [source for source in sources if target.holds(source.marker)]


def _meant(marker: str) -> list[str]:
    """The platforms that a marker is true on, with any Python.

    uv is content with one machine of a system, so a marker without a machine means the usual one.
    """
    held = {platform: targets for platform in PLATFORMS if (targets := _targets(marker, platform))}
    meant = [platform for platform, targets in held.items() if platform in _USUAL or _names(marker, targets)]
    return meant or list(held)


def _targets(marker: str, platform: str) -> list[Target]:
    """The targets of a platform that a marker is true on."""
    targets = (Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(platform)) for minor in PYTHONS)
    return [target for target in targets if target.holds(marker)]


def _names(marker: str, targets: Sequence[Target]) -> bool:
    """Whether a marker is true on these targets because of their machine."""
    unnamed = ({**target.environment, "platform_machine": "unnamed", "extra": ""} for target in targets)
    return not any(plain_value(marker, environment) is True for environment in unnamed)


def _in_extra(entry: Entry) -> Entry:
    """A constraint for an extra, as an entry in the scope of the extra."""
    extra, marker = split_extra(entry.marker)
    return replace(entry, scope=f"extra:{normalise(extra)}", marker=marker) if extra else entry
