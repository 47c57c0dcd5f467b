"""pyproject.toml: [project], dependency groups (PEP 735), and the tables of poetry, pdm, uv, hatch and pixi."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.manifests.formats import pyproject_pdm, pyproject_pixi, pyproject_poetry, pyproject_uv
from torchlock.manifests.lock_readers.extras import DEEPEST
from torchlock.manifests.self_references import OwnExtras
from torchlock.manifests.toml_builder import TomlBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.syntax.toml_tokens import Key, Path


def read(text: str, path: str) -> Document:
    """Read a pyproject.toml with all its extras and groups, each in a scope of its own.

    What no installer could read is among the document's problems; of invalid TOML the plain strings are
    still read.
    """
    builder = TomlBuilder(text, path, "pyproject")
    _Project(builder).read()
    return builder.document


class _Project:
    def __init__(self, builder: TomlBuilder) -> None:
        self._sheet = builder
        self._tree = builder.tree
        self._met_depth = False

    def read(self) -> None:
        builder = self._sheet
        self._shapes()
        self._python()
        extras = {name: self._extra(name, key) for key, name in self._extra_names()}
        own = OwnExtras(self._tree.string("project", "name"), extras)
        builder.add(own.unfold(self._dependencies(), ""))
        for name, entries in extras.items():
            builder.add(own.unfold(entries, f"extra:{name}"))
        for key, name in ((key, canonicalize_name(key)) for key, _ in self._tree.items("dependency-groups")):
            if self._groups[name] != key:
                message = f"the dependency groups {key} and {self._groups[name]} have the same name"
                self._issue(message, self._tree.offset("dependency-groups", key))
        for group in self._groups:
            builder.add(own.unfold(self._group(group), f"group:{group}"))
        builder.document.issues += own.issues
        builder.add(builder.listed("tool", "flit", "metadata", "requires"))
        builder.add(builder.listed("tool", "rye", "dev-dependencies", scope="group:dev"))
        for number, item in enumerate(builder.tree.array("tool", "rye", "sources")):
            if isinstance(item, dict) and isinstance(item.get("url"), str):
                kind = "index" if item.get("name") == "default" else "extra"
                builder.index(kind, item["url"], builder.tree.offset("tool", "rye", "sources", number, "url"))
        pyproject_poetry.read(builder)
        pyproject_pixi.read(builder)
        self._hatch()
        builder.add(builder.listed("build-system", "requires", scope="group:build-system"))
        pyproject_pdm.read(builder)
        pyproject_uv.read(builder)

    def _shapes(self) -> None:
        """Report values of the wrong type, which every installer refuses."""
        tree = self._tree
        lists = [("project", "dependencies"), ("project", "dynamic")]
        for table in (("project",), ("project", "optional-dependencies"), ("dependency-groups",)):
            self._shape(dict, "table", *table)
            if table[-1] != "project":
                lists += [(*table, key) for key, _ in tree.items(*table)]
        for where in lists:
            self._shape(list, "list", *where)
            for number, item in enumerate(tree.array(*where)):
                if not isinstance(item, str) and (where[0] == "project" or not isinstance(item, dict)):
                    message = f"{'.'.join(where)}: {item!r} is not a requirement"
                    self._issue(message, tree.offset(*where, number) or tree.offset(*where))

    def _shape(self, kind: type, called: str, *where: str) -> None:
        value = self._tree.get(*where)
        if value is not None and not isinstance(value, kind):
            self._issue(f"{'.'.join(where)} is no {called}", self._tree.offset(*where))

    def _issue(self, message: str, at: int | None) -> None:
        if self._tree.error is None:
            self._sheet.issue("TL501", "error", message, at)

    def _python(self) -> None:
        where = ("project", "requires-python")
        value, exact = self._tree.string(*where), self._tree.content(*where)
        self._sheet.python_requires("requires-python", value, self._tree.offset(*where), exact)

    def _extra_names(self) -> list[tuple[str, str]]:
        """The extras as written, and normalised."""
        tree = self._tree
        keys = [
            *tree.items("project", "optional-dependencies"),
            *tree.items("tool", "setuptools", "dynamic", "optional-dependencies"),
        ]
        return [(key, canonicalize_name(key)) for key, _ in keys]

    def _extra(self, name: str, key: str) -> list[Entry]:
        scope = f"extra:{name}"
        found = self._sheet.listed("project", "optional-dependencies", key, scope=scope)
        return found or self._from_files(
            scope, "tool", "setuptools", "dynamic", "optional-dependencies", key, "file"
        )

    def _dependencies(self) -> list[Entry]:
        found = self._sheet.listed("project", "dependencies")
        if "dependencies" not in self._tree.array("project", "dynamic"):
            return found
        for where in (
            ("tool", "setuptools", "dynamic", "dependencies", "file"),
            ("tool", "hatch", "metadata", "hooks", "requirements_txt", "files"),
        ):
            if self._sheet.strings(*where):
                return self._from_files("", *where)
        if not self._tree.items("tool", "poetry", "dependencies"):
            at = self._tree.offset("project", "dynamic")
            self._sheet.issue("TL901", "note", "dependencies are dynamic: only a build would tell them", at)
        return found

    def _from_files(self, scope: str, *where: Key) -> list[Entry]:
        return [
            entry for name, at in self._sheet.strings(*where) for entry in self._sheet.include(name, at, scope)
        ]

    @cached_property
    def _groups(self) -> dict[str, str]:
        """The dependency groups: normalised names, and the names as written."""
        return {canonicalize_name(key): key for key, _ in self._tree.items("dependency-groups")}

    def _group(self, name: str) -> list[Entry]:
        """The requirements of a group and of those that it includes, each group once."""
        found: list[Entry] = []
        done, chain, open_ = {name}, [name], [self._items(name)]
        while open_:
            item = next(open_[-1], None)
            if item is None:
                open_.pop()
                chain.pop()
            elif not isinstance(item[1], dict):
                entry = self._sheet.written(*item[0])
                found += [entry] if entry else []
            elif (included := self._included(item, chain)) is not None and included not in done:
                done.add(included)
                chain.append(included)
                open_.append(self._items(included))
        return found

    def _items(self, name: str) -> Iterator[tuple[Path, Any]]:
        """The items of a group, each with its path."""
        where = ("dependency-groups", self._groups[name])
        return (((*where, number), item) for number, item in enumerate(self._tree.array(*where)))

    def _included(self, item: tuple[Path, Any], chain: list[str]) -> str | None:
        """The group that an item includes; None and a problem where it is none to follow. ``chain`` leads here."""
        where, value = item
        included = canonicalize_name(self._tree.string(*where, "include-group"))
        at = self._tree.offset(*where, "include-group")
        if included not in self._groups:
            self._no_group(value, at)
        elif included in chain:
            self._issue(f"the dependency groups {chain[-1]} and {included} include each other", at)
        elif len(chain) < DEEPEST:
            return included
        elif not self._met_depth:
            self._met_depth = True
            self._issue(f"the dependency groups include each other more than {DEEPEST} deep", at)
        return None

    def _no_group(self, item: dict[str, object], at: int | None) -> None:
        if "include-group" in item:
            self._issue(f"no dependency group is called {item['include-group']!r}", at)
        else:
            self._issue(f"{item!r} is not a requirement", at)

    def _hatch(self) -> None:
        """The environments of hatch; their strings may hold fields that hatch fills in."""
        for name, _ in self._tree.items("tool", "hatch", "envs"):
            for key in ("dependencies", "extra-dependencies"):
                where = ("tool", "hatch", "envs", name, key)
                for number, item in enumerate(self._tree.array(*where)):
                    entry = (
                        self._sheet.written(*where, number) if isinstance(item, str) and "{" not in item else None
                    )
                    self._sheet.add([replace(entry, scope=f"group:hatch-{name}")] if entry else [])
