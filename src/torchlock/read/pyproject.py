"""pyproject.toml: [project], its extras, dependency groups (PEP 735), uv's constraints and overrides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.read.requirement import parse_requirement
from torchlock.read.requirements_txt import read_requirements
from torchlock.read.text import decode, read_bytes
from torchlock.read.toml import header_line, line_of, parse_toml
from torchlock.words import Inputs, Origin, Written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.specifiers import SpecifierSet


def read_pyproject(
    path: str, *, extras: Collection[str] = (), groups: Collection[str] = (), all_extras: bool = False
) -> Inputs:
    """Read a project's requirements, with those of some extras and dependency groups.

    With groups and no [project] table, only the groups are read.

    Raises:
        InputError: invalid TOML or metadata, an extra or group that is not there, requirements that only a
            build could tell.
    """
    raw = read_bytes(path)
    table = parse_toml(raw, path)
    return _Project(table, decode(raw, path), path).inputs(extras, groups, all_extras)


def requires_python(value: object, text: str, path: str) -> tuple[SpecifierSet, Origin]:
    """A requires-python with its line.

    Raises:
        InputError: it is no specifier set.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    line = line_of(text, str(value))
    try:
        return SpecifierSet(str(value)), Origin(path, line, str(value))
    except InvalidSpecifier:
        raise InputError(f"requires-python: {value!r} is no specifier", path=path, line=line) from None


class _Project:
    def __init__(self, table: dict[str, Any], text: str, path: str) -> None:
        self._table = table
        self._text = text
        self._path = path

    def inputs(self, extras: Collection[str], groups: Collection[str], all_extras: bool) -> Inputs:
        inputs = Inputs()
        project = self._section("project")
        if project is None:
            if not groups:
                raise self._no_project()
            if extras or all_extras:
                raise InputError("has no [project] table, so no extras", path=self._path)
        else:
            self._read_project(project, inputs, extras, all_extras)
        for group in groups:
            inputs.requirements += self._group(group, ())
        uv = self._table.get("tool", {}).get("uv", {})
        after = header_line(self._text, "tool.uv")
        inputs.constraints += self._list(uv.get("constraint-dependencies", []), "tool.uv", after)
        inputs.overrides += self._list(uv.get("override-dependencies", []), "tool.uv", after)
        return inputs

    def _read_project(
        self, project: dict[str, Any], inputs: Inputs, extras: Collection[str], all_extras: bool
    ) -> None:
        if "requires-python" in project:
            inputs.requires_python = requires_python(project["requires-python"], self._text, self._path)
        dynamic = project.get("dynamic", [])
        if "dependencies" in dynamic:
            inputs.requirements += self._dynamic("dependencies")
        after = header_line(self._text, "project")
        inputs.requirements += self._list(project.get("dependencies", []), "project.dependencies", after)
        optional = project.get("optional-dependencies", {})
        if not isinstance(optional, dict):
            raise InputError("project.optional-dependencies is no table", path=self._path)
        known = {_normal(name): name for name in optional}
        wanted = list(known) if all_extras else [_normal(name) for name in extras]
        for extra in wanted:
            if extra not in known:
                raise self._unknown("extra", extra, known)
        self._unfold(inputs, optional, known, wanted, _normal(str(project.get("name", ""))))

    def _unfold(
        self, inputs: Inputs, optional: dict[str, Any], known: dict[str, str], wanted: Sequence[str], own: str
    ) -> None:
        """Add the requirements of extras; one that names the project itself asks for more of its extras."""
        after = header_line(self._text, "project.optional-dependencies")
        queue, seen = list(wanted), set(wanted)
        for extra in queue:
            where = f"project.optional-dependencies.{known[extra]}"
            for written in self._list(optional[known[extra]], where, after):
                requirement = written.requirement
                if requirement is None or not own or _normal(requirement.name) != own:
                    inputs.requirements.append(written)
                    continue
                for further in sorted(map(_normal, requirement.extras)):
                    if further not in known:
                        raise self._unknown("extra", further, known)
                    if further not in seen:
                        seen.add(further)
                        queue.append(further)

    def _group(self, name: str, chain: tuple[str, ...]) -> Iterator[Written]:
        groups = self._table.get("dependency-groups", {})
        known = {_normal(key): key for key in groups}
        normal = _normal(name)
        if normal not in known:
            raise self._unknown("dependency group", name, known)
        if normal in chain:
            cycle = " → ".join([*chain[chain.index(normal) :], normal])
            raise InputError(f"these dependency groups include each other: {cycle}", path=self._path)
        after = header_line(self._text, "dependency-groups")
        where = f"dependency-groups.{known[normal]}"
        items = groups[known[normal]]
        if not isinstance(items, list):
            raise InputError(f"{where} is no list", path=self._path, line=after or None)
        for item in items:
            if isinstance(item, dict) and list(item) == ["include-group"]:
                yield from self._group(str(item["include-group"]), (*chain, normal))
            else:
                yield from self._list([item], where, after)

    def _dynamic(self, key: str) -> list[Written]:
        """Requirements that setuptools reads from files; any other way to them needs a build."""
        source = self._table.get("tool", {}).get("setuptools", {}).get("dynamic", {}).get(key)
        files = source.get("file") if isinstance(source, dict) else None
        if not files:
            raise InputError(
                f"[project] declares its {key} dynamic: only building the project would tell them",
                path=self._path,
                line=line_of(self._text, key),
                hint="lock the file they come from with -r, or name them on the command line",
            )
        names = [files] if isinstance(files, str) else list(files)
        folder = Path(self._path).parent
        return [written for name in names for written in read_requirements(str(folder / name)).requirements]

    def _list(self, items: object, where: str, after: int) -> list[Written]:
        if not isinstance(items, list):
            raise InputError(f"{where} is no list", path=self._path, line=after or None)
        found = []
        for item in items:
            if not isinstance(item, str):
                raise InputError(f"{where}: {item!r} is no requirement", path=self._path, line=after or None)
            line = line_of(self._text, item, after=max(after - 1, 0)) or line_of(self._text, item)
            found.append(parse_requirement(item, Origin(self._path, line, item)))
        return found

    def _section(self, name: str) -> dict[str, Any] | None:
        section = self._table.get(name)
        if section is not None and not isinstance(section, dict):
            raise InputError(f"{name} is no table", path=self._path)
        return section

    def _no_project(self) -> InputError:
        hint = "a [project] table, or --group with [dependency-groups], is what is read"
        if "poetry" in self._table.get("tool", {}):
            hint = "poetry's own tables are not read yet; " + hint
        return InputError("has no [project] table", path=self._path, hint=hint)

    def _unknown(self, kind: str, name: str, known: Collection[str]) -> InputError:
        hint = f"there are: {', '.join(sorted(known))}" if known else f"the project has no {kind}s"
        return InputError(f"no {kind} is called {name!r}", path=self._path, hint=hint)


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
