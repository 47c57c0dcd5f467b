"""Poetry's tables in pyproject.toml: dependencies, groups, extras and sources."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from torchlock.manifests.document import Entry
from torchlock.manifests.self_references import DEEPEST
from torchlock.manifests.syntax.markers import both, either
from torchlock.manifests.syntax.poetry_constraints import python_marker, specifier_of
from torchlock.manifests.syntax.repositories import repository_address, subdirectory
from torchlock.records import replace
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.syntax.toml_tokens import Path
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "poetry")
_ELSEWHERE = ("url", "git", "path", "file")
_SHAPES = {"table": ("dependencies", "dev-dependencies", "extras", "group"), "list of tables": ("source",)}
_GROUP_SHAPES = {"table": ("dependencies",), "list of strings": ("include-groups",)}
_DEPENDENCY_SHAPES = {
    "string": (*_ELSEWHERE, "branch", "markers", "platform", "python", "rev", "source", "subdirectory", "tag"),
    "list of strings": ("extras",),
    "boolean": ("allow-prereleases", "develop", "optional"),
}


def read(builder: TomlBuilder) -> None:
    """Read ``[tool.poetry]``, in addition to ``[project]``."""
    if builder.tree.items(*_OWN):
        _Poetry(builder).read()


class _Poetry:
    def __init__(self, builder: TomlBuilder) -> None:
        self._builder = builder
        self._tree = builder.tree
        self._urls: dict[str, str] = {}

    def read(self) -> None:
        self._builder.document.project |= bool(self._tree.items(*_OWN, "dependencies"))
        self._builder.shapes(_SHAPES, *_OWN)
        self._sources()
        self._main()
        if self._tree.items(*_OWN, "dev-dependencies"):
            self._group("dev", (*_OWN, "dev-dependencies"))
        for name, _ in self._tree.items(*_OWN, "group"):
            self._builder.shape("table", *_OWN, "group", name)
            self._group(name, (*_OWN, "group", name, "dependencies"))

    def _group(self, name: str, path: Path) -> None:
        with self._builder.within(self._builder.declare_group(name, self._tree.offset(*path))) as scope:
            self._builder.shapes(_GROUP_SHAPES, *path[:-1])
            standard = {normalise(key) for key, _ in self._tree.items("dependency-groups")}
            for table in self._included(path, name):
                self._table(table, scope, ruled=normalise(name) in standard)

    @cached_property
    def _groups(self) -> dict[str, str]:
        """The groups: normalised names, and the names as written."""
        return {normalise(key): key for key, _ in self._tree.items(*_OWN, "group")}

    def _included(self, path: Path, name: str) -> list[Path]:
        """The tables of a group and of the groups that it includes, each once."""
        found, names = [path], [name]
        for each in names:
            where = (*_OWN, "group", each, "include-groups")
            for number, included in enumerate(self._tree.array(*where)):
                known = self._groups.get(normalise(str(included)))
                if known is None:
                    message = f"tool.poetry.group.{each}: unknown group {included!r}"
                    self._builder.fault(message, self._tree.offset(*where, number))
                elif known not in names and len(names) < DEEPEST:
                    names.append(known)
                    found.append((*_OWN, "group", known, "dependencies"))
                elif known not in names:
                    message = f"tool.poetry.group.{name} includes more than {DEEPEST} groups"
                    self._builder.refuse(message, self._tree.offset(*where, number))
        return found

    def _sources(self) -> None:
        """The indexes. A primary one replaces the public index, unless that is named too."""
        sources = [
            (number, item)
            for number, item in enumerate(self._tree.array(*_OWN, "source"))
            if isinstance(item, dict)
        ]
        public = any(str(item.get("name")).lower() == "pypi" for _, item in sources)
        for number, item in sources:
            name, url = item.get("name"), item.get("url")
            if not isinstance(url, str):
                self._no_url(str(name), self._tree.offset(*_OWN, "source", number))
                continue
            self._urls[str(name).lower()] = url
            priority = str(
                item.get("priority", "secondary" if item.get("secondary") is True else "primary")
            ).lower()
            last = priority in ("supplemental", "secondary")
            kind = "index" if priority in ("primary", "default") and not public else "extra"
            kind = "explicit" if priority == "explicit" else kind
            at = self._tree.offset(*_OWN, "source", number, "url")
            self._builder.index(kind, url, at, tool="poetry", name=str(name), last=last)
            if last:
                self._builder.note(
                    f"the source {name} is {priority}, but is asked before the public index, not after it",
                    self._tree.offset(*_OWN, "source", number),
                )

    def _no_url(self, name: str, at: int | None) -> None:
        if name.lower() != "pypi":
            self._builder.fault(f"tool.poetry.source: the source {name} has no url", at)

    def _main(self) -> None:
        """The project's own dependencies. If [project] has some, these only add details to them."""
        extras = self._extras()
        found = [entry for entry in self._builder.document.entries if not entry.scope.startswith("group:")]
        scopes, named = tuple({entry.scope for entry in found}), {entry.name for entry in found}
        ruled = self._tree.get("project", "dependencies") is not None and not self._tree.array(
            "project", "dynamic"
        )
        for key, value in self._tree.items(*_OWN, "dependencies"):
            name, path = normalise(key), (*_OWN, "dependencies", key)
            if name == "python":
                self._python(path, value)
            elif name in named:
                self._enrich(path, name, value, scopes)
            elif ruled:
                self._ignore(path, "[project] has dependencies")
            elif _is_optional(value):
                entries = list(self._entries(path, name, value))
                for extra in extras.get(name, ()):
                    self._builder.add(replace(entry, scope=f"extra:{extra}") for entry in entries)
            else:
                self._builder.add(self._entries(path, name, value))

    def _extras(self) -> dict[str, list[str]]:
        """The extras of each optional dependency."""
        found: dict[str, list[str]] = {}
        for key, names in self._tree.items(*_OWN, "extras"):
            scope = self._builder.declare_extra(key, self._tree.offset(*_OWN, "extras", key))
            with self._builder.within(scope):
                self._builder.shape("list of strings", *_OWN, "extras", key)
            for name in names if isinstance(names, list) else ():
                found.setdefault(normalise(str(name)), []).append(normalise(key))
        return found

    def _python(self, path: Path, value: object) -> None:
        if not isinstance(value, str | dict):
            self._not_a_dependency(path, value)
            return
        path = (*path, "version") if isinstance(value, dict) else path
        specifier = specifier_of(self._tree.string(*path))
        if specifier is None:
            self._unknown(path)
        else:
            self._builder.python(specifier, self._tree.offset(*path))

    def _enrich(self, path: Path, name: str, value: object, within: tuple[str, ...]) -> None:
        """Apply poetry's details to a standard dependency: a source, or the requirement that replaces it."""
        document = self._builder.document
        if isinstance(value, dict) and not {"version", *_ELSEWHERE} & {*value}:
            index = self._index(path, value)
            for entry in document.entries:
                if entry.name == name and entry.scope in within:
                    entry.index = index
            return
        old = [entry for entry in document.entries if entry.name == name and entry.scope in within]
        scopes = dict.fromkeys(entry.scope for entry in old)
        document.entries = [entry for entry in document.entries if entry not in old]
        for entry in self._entries(path, name, value):
            document.entries += [replace(entry, scope=scope) for scope in scopes]

    def _table(self, path: Path, scope: str, *, ruled: bool) -> None:
        """Read a table of dependencies.

        ``ruled``: [dependency-groups] has the group and lists its packages.
        """
        named = {entry.name for entry in self._builder.document.entries if entry.scope == scope} if ruled else ()
        for key, value in self._tree.items(*path):
            name = normalise(key)
            if name == "python":
                continue
            if ruled and name in named:
                self._enrich((*path, key), name, value, (scope,))
            elif ruled:
                self._ignore((*path, key), "[dependency-groups] has the group")
            else:
                entries = self._entries((*path, key), name, value)
                self._builder.add(replace(entry, scope=scope) for entry in entries)

    def _ignore(self, path: Path, why: str) -> None:
        message = f"{path[-1]} is ignored, as poetry does: {why}, and it does not name {path[-1]}"
        self._builder.note(message, self._tree.offset(*path))

    def _entries(self, path: Path, name: str, value: object) -> Iterator[Entry]:
        """One dependency: a version, a table, or a list of them for different environments."""
        if isinstance(value, str):
            yield from self._entry(path, path, name, {})
        elif isinstance(value, dict):
            self._builder.shapes(_DEPENDENCY_SHAPES, *path)
            yield from self._entry(path, (*path, "version"), name, value)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._entries((*path, number), name, item)
        else:
            self._not_a_dependency(path, value)

    def _not_a_dependency(self, path: Path, value: object) -> None:
        self._builder.fault(f"{'.'.join(map(str, path))}: {value!r} is not a dependency", self._tree.offset(*path))

    def _entry(self, path: Path, versions: Path, name: str, table: dict[str, Any]) -> Iterator[Entry]:
        specifier = specifier_of(self._tree.string(*versions))
        if not isinstance(table.get("version", ""), str):
            self._not_a_dependency(versions, table["version"])
            return
        if specifier is None:
            self._unknown(versions)
            return
        if python_marker(self._tree.string(*path, "python")) is None:
            self._unknown((*path, "python"))
            return
        if "|" in self._tree.string(*versions):
            message = f"{self._tree.string(*versions)!r}: PEP 440 cannot express alternatives"
            self._builder.refuse(message, self._tree.offset(*versions))
        if table.get("allow-prereleases") is True:
            self._builder.note(f"allow-prereleases of {name} is ignored: use --pre", self._tree.offset(*path))
        url = _url(table)
        extras = table.get("extras")
        at = self._tree.offset(*versions)
        yield Entry(
            name=name,
            specifier=specifier if url is None else "",
            place=self._builder.place(at),
            text=self._text(path, at),
            path=self._builder.path,
            marker=_marker(table),
            extras=tuple(map(str, extras)) if isinstance(extras, list) else (),
            version=self._tree.content(*versions) if url is None else None,
            style="poetry",
            index=self._index(path, table),
            url=url,
            editable=table.get("develop") is True,
        )

    def _index(self, path: Path, table: dict[str, Any]) -> str | None:
        """The address of the source that a dependency names; the name if the file does not declare it."""
        source = table.get("source")
        if not isinstance(source, str):
            return None
        name = source.lower()
        if name not in self._urls and name != "pypi":
            where = ".".join(map(str, path))
            self._builder.refuse(f"{where}: unknown source {source!r}", self._tree.offset(*path))
        return self._urls.get(name, None if name == "pypi" else source)

    def _text(self, path: Path, at: int | None) -> str:
        """The line of a dependency, from its key on."""
        start = self._tree.keys.get(path, at)
        if start is None:
            return str(path[-1])
        start = start if at is None or "\n" not in self._builder.text[start:at] else at
        return self._builder.text[start:].split("\n", 1)[0].partition(" #")[0].strip()

    def _unknown(self, path: Path) -> None:
        if self._tree.error is None:
            value = self._tree.string(*path)
            self._builder.issue(
                "TL501",
                "error",
                f"{value!r} is not a version constraint that poetry knows",
                self._tree.offset(*path),
            )


def _is_optional(value: object) -> bool:
    items = value if isinstance(value, list) and value else [value]
    return all(isinstance(item, dict) and item.get("optional") is True for item in items)


def _url(table: dict[str, Any]) -> str | None:
    """The source of a dependency that is not from an index, if the file names one."""
    kind = next((key for key in _ELSEWHERE if key in table), None)
    if kind is None:
        return None
    address = str(table[kind])
    if kind == "git":
        return repository_address("git", address, table)
    return address + subdirectory(table) if kind == "url" else address


def _on_platform(constraint: str) -> str:
    """The marker for poetry's ``linux|darwin`` or ``!=win32``."""
    markers = []
    for name in filter(None, map(str.strip, constraint.split("|"))):
        operator = "!=" if name.startswith("!=") else "=="
        markers.append(f'sys_platform {operator} "{name.lstrip("!=").strip()}"')
    return either(*markers) if markers else ""


def _marker(table: dict[str, Any]) -> str:
    """The environments of a table: ``markers``, ``platform``, ``python``."""
    parts = []
    markers, platform, python = (table.get(key) for key in ("markers", "platform", "python"))
    if isinstance(markers, str):
        parts.append(markers)
    if isinstance(platform, str):
        parts.append(_on_platform(platform))
    if isinstance(python, str):
        parts.append(python_marker(python) or "")
    return both(*parts)
