"""pyproject.toml: [project], its extras, dependency groups (PEP 735), uv's constraints and overrides."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.errors import InputError
from torchlock.read.extras import Extras, known_name
from torchlock.read.requirement import parse_requirement
from torchlock.read.requirements_txt import read_requirements
from torchlock.read.text import beside, decode_utf8, read_bytes
from torchlock.read.toml import Places, parse_toml
from torchlock.words import Inputs, Origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from packaging.specifiers import SpecifierSet

    from torchlock.words import Written


def read_pyproject(
    path: str, *, extras: Collection[str] = (), groups: Collection[str] = (), all_extras: bool = False
) -> Inputs:
    """Read a project's requirements, with those of some extras and dependency groups.

    Without a [project] table only groups can be read.

    Raises:
        InputError: invalid TOML or metadata, an extra or group that is not there, requirements that only a
            build could tell.
    """
    raw = read_bytes(path)
    table = parse_toml(raw, path)
    return _Project(table, decode_utf8(raw, path), path).inputs(extras, groups, all_extras)


def requires_python(value: object, path: str, line: int | None) -> tuple[SpecifierSet, Origin]:
    """A project's requires-python, with its place.

    Raises:
        InputError: it is no specifier set.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        if not isinstance(value, str):
            raise InvalidSpecifier
        return SpecifierSet(value), Origin(path, line, value)
    except InvalidSpecifier:
        raise InputError(
            f"requires-python: {value!r} is no version specifier", path=path, line=line, hint="as in >=3.10,<3.13"
        ) from None


def from_files(names: Sequence[str], origin: Origin) -> Inputs:
    """What the files hold that a project's metadata names, relative to the file of the metadata.

    Raises:
        InputError: one is missing, or is no requirements file.
    """
    inputs = Inputs()
    for name in names:
        path = beside(origin.path or "", name)
        try:
            found = read_requirements(path)
        except InputError as error:
            if error.path == path and error.line is None:
                error = InputError(f"{path}: {error.message}", path=origin.path, line=origin.line, hint=error.hint)
            raise error from None
        inputs.requirements += found.requirements
        inputs.constraints += found.constraints
        inputs.notes += found.notes
    return inputs


class _Project:
    """One document. Tables are looked up by their keys; what has the wrong type is refused with its place."""

    def __init__(self, table: dict[str, Any], text: str, path: str) -> None:
        self._table = table
        self._text = text
        self._path = path
        self._inputs = Inputs()

    @cached_property
    def _places(self) -> Places:
        return Places(self._text)

    def inputs(self, extras: Collection[str], groups: Collection[str], all_extras: bool) -> Inputs:
        inputs = self._inputs
        if "project" in self._table:
            inputs.requirements += self._extras.unfold(self._dependencies())
            inputs.requirements += self._extras.of(extras, every=all_extras)
            python = self._get("project", "requires-python")
            if python is not None:
                line = self._places.key("project", "requires-python")
                inputs.requires_python = requires_python(python, self._path, line)
        elif not groups or extras or all_extras:
            raise self._no_project()
        for group in dict.fromkeys(map(canonicalize_name, groups)):
            inputs.requirements += self._extras.unfold(self._group(group, ()))
        inputs.constraints += self._requirements("tool", "uv", "constraint-dependencies")
        inputs.overrides += self._requirements("tool", "uv", "override-dependencies")
        return inputs

    def _dependencies(self) -> Iterable[Written]:
        if "dependencies" in self._dynamic:
            return self._from_setuptools("dependencies")
        return self._requirements("project", "dependencies")

    @cached_property
    def _extras(self) -> Extras:
        where: tuple[str, ...] = ("project", "optional-dependencies")
        dynamic = "optional-dependencies" in self._dynamic
        if dynamic:
            where = ("tool", "setuptools", "dynamic", "optional-dependencies")
        names = list(self._subtable(*where))

        def read(name: str) -> Iterable[Written]:
            if dynamic:
                return self._from_setuptools("optional-dependencies", name)
            return self._requirements(*where, name)

        return Extras(str(self._get("project", "name") or ""), names, read, self._path)

    @property
    def _dynamic(self) -> list[Any]:
        return self._list("project", "dynamic")

    def _from_setuptools(self, *keys: str) -> list[Written]:
        """Requirements that setuptools reads from files; any other way to them needs a build."""
        where = ("tool", "setuptools", "dynamic", *keys)
        files = self._get(*where, "file")
        names = [files] if isinstance(files, str) else files
        if not names or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(
                f"[project] says that {keys[0]} is dynamic: only building the project would tell it",
                path=self._path,
                line=self._places.string(keys[0], "project", "dynamic"),
                hint=self._where_dynamic_comes_from(),
            )
        found = from_files(names, Origin(self._path, self._places.key(*where), ""))
        self._inputs.constraints += found.constraints
        self._inputs.notes += found.notes
        return found.requirements

    def _where_dynamic_comes_from(self) -> str:
        if self._get("tool", "poetry"):
            return "[tool.poetry] is not read here; [project] dependencies are, which poetry 2 knows too"
        cfg = Path(self._path).parent / "setup.cfg"
        if cfg.is_file():
            return f"if they stand in setup.cfg: -r {cfg}"
        return "name the file that they come from with -r, or give them on the command line"

    def _group(self, name: str, chain: tuple[str, ...]) -> Iterator[Written]:
        """The requirements of a group and of the groups it includes, in the order of writing."""
        groups = self._subtable("dependency-groups")
        line = self._places.key("dependency-groups", chain[-1]) if chain else None
        key = known_name("dependency group", name, groups, self._path, line)
        if key in chain:
            cycle = " → ".join([*chain[chain.index(key) :], key])
            raise InputError(f"these dependency groups include each other: {cycle}", path=self._path, line=line)
        doubles = [other for other in groups if canonicalize_name(other) == canonicalize_name(key)]
        if len(doubles) > 1:
            raise self._wrong(f"{' and '.join(doubles)} are the same name", "dependency-groups", doubles[1])
        for item in self._list("dependency-groups", key):
            included = item.get("include-group") if isinstance(item, dict) and len(item) == 1 else None
            if isinstance(included, str):
                yield from self._group(included, (*chain, key))
            else:
                yield self._requirement(item, "dependency-groups", key)

    def _requirements(self, *keys: str) -> list[Written]:
        return [self._requirement(item, *keys) for item in self._list(*keys)]

    def _requirement(self, item: object, *keys: str) -> Written:
        if not isinstance(item, str):
            raise self._wrong(f"{item!r} is no requirement", *keys)
        return parse_requirement(item, Origin(self._path, self._places.string(item, *keys), item))

    def _get(self, *keys: str) -> Any:
        """What these keys lead to, else None."""
        found: Any = self._table
        for depth, key in enumerate(keys):
            if not isinstance(found, dict):
                raise self._wrong("is no table", *keys[:depth])
            found = found.get(key)
            if found is None:
                return None
        return found

    def _subtable(self, *keys: str) -> dict[str, Any]:
        found = self._get(*keys)
        if found is not None and not isinstance(found, dict):
            raise self._wrong("is no table", *keys)
        return found or {}

    def _list(self, *keys: str) -> list[Any]:
        found = self._get(*keys)
        if found is not None and not isinstance(found, list):
            raise self._wrong("is no list", *keys)
        return found or []

    def _wrong(self, message: str, *keys: str) -> InputError:
        return InputError(f"{'.'.join(keys)}: {message}", path=self._path, line=self._places.key(*keys))

    def _no_project(self) -> InputError:
        if self._get("tool", "poetry"):
            hint = "[tool.poetry] is not read here; [project] is, which poetry 2 knows too"
        elif "lock-version" in self._table:
            hint = "this is a lock file, which says what was chosen, not what a project asks for"
        elif (Path(self._path).parent / "setup.cfg").is_file():
            hint = f"perhaps its requirements stand in {Path(self._path).with_name('setup.cfg')}"
        else:
            hint = "requirements are read from [project], and from [dependency-groups] with --group"
        return InputError("has no [project] table", path=self._path, hint=hint)
