"""pyproject.toml: [project], dependency groups (PEP 735), and the tables of poetry, pdm, uv, hatch and pixi."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from torchlock.manifests.formats import pyproject_uv
from torchlock.manifests.self_references import DEEPEST, OwnExtras
from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.records import replace
from torchlock.spelling import similar
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.syntax.toml_tokens import Key, Path


_DYNAMIC = ("tool", "setuptools", "dynamic")
# The table of the plugin hatch-requirements-txt, which names files of requirements.
_HATCH_HOOK = ("tool", "hatch", "metadata", "hooks", "requirements_txt")
# The tables that can declare an extra: the standard's, and those of build tools.
_EXTRAS = (
    ("project", "optional-dependencies"),
    (*_DYNAMIC, "optional-dependencies"),
    (*_HATCH_HOOK, "optional-dependencies"),
    ("tool", "flit", "metadata", "requires-extra"),
)
_BRINGING = ("dependencies", "optional-dependencies", "requires-python")
_KEYS = {
    *(
        "name",
        "version",
        "description",
        "readme",
        "license",
        "license-files",
        "authors",
        "maintainers",
        "keywords",
    ),
    *("classifiers", "urls", "scripts", "gui-scripts", "entry-points", "import-names", "import-namespaces"),
    *(*_BRINGING, "dynamic"),
}


def read(text: str, path: str) -> Document:
    """Read a pyproject.toml with all its extras and groups, each in its own scope.

    Invalid values are issues of the document; of invalid TOML the plain strings are still read.
    """
    builder = TomlBuilder(text, path, "pyproject")
    _Project(builder).read()
    return builder.document


class _Project:
    def __init__(self, builder: TomlBuilder) -> None:
        self._builder = builder
        self._tree = builder.tree
        self._met_depth = False

    def read(self) -> None:
        builder = self._builder
        builder.document.project = isinstance(self._tree.get("project"), dict)
        self._shapes()
        self._dynamic_and_static()
        self._misspelt()
        self._python()
        extras = {name: self._extra(name, key) for key, name in self._extra_names()}
        own = OwnExtras(self._tree.string("project", "name"), extras, builder.document.extras)
        builder.add(own.unfold(self._dependencies(), ""))
        for name, entries in extras.items():
            builder.add(own.unfold(entries, f"extra:{name}"))
        self._spellings()
        for group in self._groups:
            with builder.within(builder.declare_group(self._groups[group], self._group_offset(group))) as scope:
                builder.add(own.unfold(self._group(group), scope))
        own.report_to(builder.document)
        self._other_tools()

    def _other_tools(self) -> None:
        builder = self._builder
        if self._tree.items("tool", "flit", "metadata"):
            builder.document.project = True
            builder.shapes(
                {"list of strings": ("requires",), "table": ("requires-extra",)}, "tool", "flit", "metadata"
            )
            builder.add(builder.listed("tool", "flit", "metadata", "requires"))
        for tool in ("rye", "poetry", "pixi", "hatch"):
            self._read_table_of(tool)
        builder.add(builder.listed("build-system", "requires", scope="group:build-system"))
        if self._tree.get("tool", "tox") is not None:
            from torchlock.manifests.formats import tox_toml

            tox_toml.read_table(builder)
        self._read_table_of("pdm", or_if="${PROJECT_ROOT}" in builder.text)
        pyproject_uv.read(builder)  # also without a table: the project may be a member of a workspace

    def _read_table_of(self, tool: str, *, or_if: bool = False) -> None:
        """Take up the table of a tool, whose module is imported only if the file has the table."""
        if or_if or self._tree.get("tool", tool) is not None:
            import_module(f"torchlock.manifests.formats.pyproject_{tool}").read(self._builder)

    def _spellings(self) -> None:
        """Report dependency groups whose names normalise to the same name."""
        first: dict[str, str] = {}
        for key, _ in self._tree.items("dependency-groups"):
            name = normalise(key)
            if first.setdefault(name, key) != key:
                message = f"dependency-groups.{key}: {first[name]} and {key} are spellings of one name"
                with self._builder.within(f"group:{name}"):
                    self._builder.fault(message, self._tree.offset("dependency-groups", key))

    def _group_offset(self, name: str) -> int | None:
        return self._tree.offset("dependency-groups", self._groups[name])

    def _shapes(self) -> None:
        """Report values of the wrong type, which every installer refuses."""
        self._builder.shape("table", "tool")
        for tool in ("poetry", "pdm", "uv", "hatch", "pixi", "rye", "flit", "setuptools"):
            self._builder.shape("table", "tool", tool)
        for table in (("project",), ("project", "optional-dependencies"), ("dependency-groups",)):
            self._builder.shape("table", *table)
        self._requirements("", "project", "dependencies")
        self._requirements("", "project", "dynamic")
        for key, _ in self._tree.items("project", "optional-dependencies"):
            self._requirements(f"extra:{normalise(key)}", "project", "optional-dependencies", key)
        for key, _ in self._tree.items("dependency-groups"):
            self._requirements(f"group:{normalise(key)}", "dependency-groups", key)

    def _requirements(self, scope: str, *where: str) -> None:
        """Report requirements that are not a list, and invalid items."""
        tree, builder = self._tree, self._builder
        with builder.within(scope):
            builder.shape("list", *where)
            for number, item in enumerate(tree.array(*where)):
                if not isinstance(item, str) and (where[0] == "project" or not isinstance(item, dict)):
                    message = f"{'.'.join(where)}: {item!r} is not a requirement"
                    builder.fault(message, tree.offset(*where, number) or tree.offset(*where))

    def _python(self) -> None:
        where = ("project", "requires-python")
        value, exact = self._tree.get(*where), self._tree.content(*where)
        if value is not None and not isinstance(value, str):
            message = f"requires-python: {value!r} is not a version specifier"
            self._builder.fault(message, self._tree.offset(*where))
        elif value is not None:
            self._builder.python_requires("requires-python", value, self._tree.offset(*where), exact)

    def _dynamic_and_static(self) -> None:
        """Report a field with a value that ``dynamic`` lists as well."""
        for key in _BRINGING:
            if key in self._tree.array("project", "dynamic") and self._tree.get("project", key) is not None:
                message = f"project.{key} has a value, and dynamic lists it too: remove one of the two"
                self._builder.fault(message, self._tree.offset("project", key))

    def _misspelt(self) -> None:
        """Report unknown keys of [project] that resemble a key of requirements."""
        for key in [key for key, _ in self._tree.items("project") if key not in _KEYS]:
            close = similar(key.replace("_", "-"), _BRINGING, cutoff=0.8)
            if close:
                message = f"[project] has no key {key!r}, so installers refuse the file or ignore the key"
                at = self._tree.keys.get(("project", key))
                self._builder.issue("TL504", "warning", message, at, because=f"did you mean {close[0]}?")

    def _extra_names(self) -> list[tuple[str, str]]:
        """The extras as written, and normalised."""
        keys = [(*table, key) for table in _EXTRAS for key, _ in self._tree.items(*table)]
        for path in keys:
            self._builder.declare_extra(path[-1], self._tree.offset(*path))
        return [(path[-1], normalise(path[-1])) for path in keys]

    def _extra(self, name: str, key: str) -> list[Entry]:
        scope = f"extra:{name}"
        standard, dynamic, hook, flit = ((*table, key) for table in _EXTRAS)
        with self._builder.within(scope):
            found = [
                *self._builder.listed(*standard, scope=scope),
                *self._builder.listed(*flit, scope=scope),
                *self._from_files(scope, *hook),
            ]
            if found or self._tree.get(*dynamic) is None:
                return found
            if not self._builder.strings(*dynamic, "file"):
                self._dynamic("optional-dependencies")
            return self._from_files(scope, *dynamic, "file", plain=True)

    def _dependencies(self) -> list[Entry]:
        found = self._builder.listed("project", "dependencies")
        if "dependencies" not in self._tree.array("project", "dynamic"):
            return found
        for where in (
            (*_DYNAMIC, "dependencies", "file"),
            (*_HATCH_HOOK, "files"),
        ):
            if self._builder.strings(*where):
                return self._from_files("", *where, plain=where[-1] == "file")
        if not self._tree.items("tool", "poetry", "dependencies"):
            self._dynamic("dependencies")
        return found

    def _dynamic(self, key: str) -> None:
        """Report requirements that only a build can compute."""
        dynamic = self._tree.array("project", "dynamic")
        number = dynamic.index(key) if key in dynamic else 0
        at = self._tree.offset("project", "dynamic", number)
        stop = self._builder.error(
            f"[project] says that {key} is dynamic: only a build of the project can compute it",
            at,
            hint=self._where_dynamic_comes_from(),
        )
        self._builder.issue("TL901", "note", f"{key} are dynamic: only a build can compute them", at, error=stop)

    def _where_dynamic_comes_from(self) -> str:
        if self._tree.items("tool", "poetry"):
            return "[tool.poetry] has no dependencies table either"
        config = FilePath(self._builder.path).parent / "setup.cfg"
        if config.is_file():
            return f"if they are in setup.cfg: -r {config}"
        return "name the file that they come from with -r, or give them on the command line"

    def _from_files(self, scope: str, *where: Key, plain: bool = False) -> list[Entry]:
        return [
            entry
            for name, at in self._builder.strings(*where)
            for entry in self._builder.include(name, at, scope, plain=plain)
        ]

    @cached_property
    def _groups(self) -> dict[str, str]:
        """The dependency groups: normalised names, and the names as written."""
        return {normalise(key): key for key, _ in self._tree.items("dependency-groups")}

    def _group(self, name: str) -> list[Entry]:
        """The requirements of a group and of the groups that it includes, each group once."""
        found: list[Entry] = []
        done, chain, open_ = {name}, [name], [self._items(name)]
        while open_:
            item = next(open_[-1], None)
            if item is None:
                open_.pop()
                chain.pop()
            elif not isinstance(item[1], dict):
                entry = self._builder.written(*item[0])
                found += [replace(entry, home=f"group:{chain[-1]}")] if entry else []
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
        """The group that an item includes; None and an error if it is invalid.

        ``chain`` are the groups that lead here.
        """
        where, value = item
        included = normalise(self._tree.string(*where, "include-group"))
        at = self._tree.offset(*where, "include-group")
        if len(value) != 1 or included not in self._groups:
            self._no_group(where, value, at)
        elif included in chain:
            names = [self._groups[name] for name in [*chain[chain.index(included) :], included]]
            self._builder.fault(f"these dependency groups include each other: {' → '.join(names)}", at)
        elif len(chain) < DEEPEST:
            return included
        else:
            self._report_depth(at)
        return None

    def _report_depth(self, at: int | None) -> None:
        """Report the first group that is nested too deeply; the others only stop a lock."""
        message = f"the dependency groups include each other more than {DEEPEST} deep"
        if not self._met_depth:
            self._met_depth = True
            self._builder.fault(message, at)
        self._builder.refuse(message, at)

    def _no_group(self, where: Path, item: dict[str, object], at: int | None) -> None:
        included = item.get("include-group")
        if isinstance(included, str) and len(item) == 1:
            message = f"unknown dependency group {included!r}"
            hint = f"declared: {', '.join(sorted(self._groups.values()))}"
            self._builder.fault(message, at, error=self._builder.error(message, at, hint=hint))
        else:
            self._builder.fault(f"{'.'.join(map(str, where[:-1]))}: {item!r} is not a requirement", at)
