"""pyproject.toml: [project], its extras, dependency groups (PEP 735), and what other tools' tables add to them."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode_utf8
from torchlock.manifests.lock_readers.extras import DEEPEST, Extras, known_name
from torchlock.manifests.lock_readers.other_tools import read_other_tools
from torchlock.manifests.lock_readers.poetry import read_poetry
from torchlock.manifests.lock_readers.requirements_txt import read_requirements
from torchlock.manifests.lock_readers.settle import with_sources
from torchlock.manifests.lock_readers.table import Table
from torchlock.manifests.lock_readers.uv import read_uv
from torchlock.manifests.syntax.toml_values import parse_toml
from torchlock.manifests.text import beside, read_bytes
from torchlock.redaction import shortened
from torchlock.standards.versions import fault_of_specifier
from torchlock.terms import Inputs, Origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from packaging.specifiers import SpecifierSet

    from torchlock.terms import ParsedRequirement, Source


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
    table = Table(parse_toml(raw, path), decode_utf8(raw, path), path)
    return _Project(table).inputs(extras, groups, all_extras)


_HATCH_FILES = ("tool", "hatch", "metadata", "hooks", "requirements_txt")


def requires_python(value: object, path: str, line: int | None) -> tuple[SpecifierSet, Origin]:
    """A project's requires-python, with its place.

    Raises:
        InputError: it is no specifier set.
    """
    from packaging.specifiers import SpecifierSet

    if isinstance(value, str) and not fault_of_specifier(value):
        return SpecifierSet(value), Origin(path, line, value)
    message = f"requires-python: {shortened(repr(value))} is not a version specifier"
    raise InputError(message, path=path, line=line, hint="as in >=3.10,<3.13")


def from_files(names: Sequence[str], origin: Origin) -> Inputs:
    """What the files hold that a project's metadata names, relative to the file of the metadata.

    Raises:
        InputError: one is missing, or is no requirements file.
    """
    inputs = Inputs()
    for name in names:
        path = beside(origin.path or "", name)
        try:
            found = read_requirements(path, of=origin.path)
        except InputError as error:
            if error.path == path and error.line is None:
                error = InputError(f"{path}: {error.message}", path=origin.path, line=origin.line, hint=error.hint)
            raise error from None
        inputs.requirements += found.requirements
        inputs.constraints += found.constraints
        inputs.notes += found.notes
    return inputs


class _Project:
    """One document, and what was asked of it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._inputs = Inputs()
        self._sources: dict[str, list[Source]] = {}

    def inputs(self, extras: Collection[str], groups: Collection[str], all_extras: bool) -> Inputs:
        inputs, table = self._inputs, self._table
        chosen = self._chosen(extras, groups, all_extras)
        self._sources = {**read_poetry(table, inputs), **read_uv(table, inputs, chosen)}
        read_other_tools(table, inputs)
        if table.get("project") is not None:
            inputs.requirements += self._extras.unfold(self._dependencies())
            inputs.requirements += self._extras.of(extras, every=all_extras)
            python = table.get("project", "requires-python")
            if python is not None:
                line = table.line("project", "requires-python")
                inputs.requires_python = requires_python(python, table.path, line)
        elif not groups or extras or all_extras:
            raise self._no_project()
        for group in dict.fromkeys(map(canonicalize_name, groups)):
            found = self._extras.unfold(self._group(group, (), set()))
            inputs.requirements += self._sourced(found, f"group:{group}")
        inputs.constraints = list(self._sourced(inputs.constraints, ""))
        inputs.overrides = list(self._sourced(inputs.overrides, ""))
        self._note_idle_sources()
        return inputs

    def _chosen(self, extras: Collection[str], groups: Collection[str], all_extras: bool) -> set[str]:
        """The scopes that were asked for."""
        every = self._table.subtable("project", "optional-dependencies") if all_extras else {}
        found = {f"extra:{canonicalize_name(name)}" for name in (*extras, *every)}
        return found | {f"group:{canonicalize_name(name)}" for name in groups}

    def _sourced(self, found: Iterable[ParsedRequirement], scope: str) -> Iterator[ParsedRequirement]:
        for written in found:
            name = canonicalize_name(written.requirement.name) if written.requirement else ""
            yield with_sources(written, self._sources.get(name, ()), scope)

    def _note_idle_sources(self) -> None:
        """Report sources for packages that no requirement of the project names: the name may be wrong."""
        table = self._table
        lists = [
            table.get("project", "dependencies"),
            *table.subtable("project", "optional-dependencies").values(),
            *table.subtable("dependency-groups").values(),
            table.get("tool", "uv", "dev-dependencies"),
        ]
        texts = [item for each in lists if isinstance(each, list) for item in each if isinstance(item, str)]
        named = {canonicalize_name(match[0]) for text in texts if (match := re.match(r"[\w.-]+", text.strip()))}
        limited = [*self._inputs.requirements, *self._inputs.constraints, *self._inputs.overrides]
        named |= {canonicalize_name(each.requirement.name) for each in limited if each.requirement}
        for name, sources in self._sources.items():
            if name not in named and sources and sources[0].origin.path == table.path:
                place, what = sources[0].origin, sources[0].origin.text
                self._inputs.notes.append(
                    f"{place}: nothing asks for {name}, so its source ({what}) has no effect"
                )

    def _dependencies(self) -> Iterable[ParsedRequirement]:
        if "dependencies" in self._dynamic:
            return self._sourced(self._from_files("dependencies"), "")
        return self._sourced(self._table.requirements("project", "dependencies"), "")

    @cached_property
    def _extras(self) -> Extras:
        where: tuple[str, ...] = ("project", "optional-dependencies")
        dynamic = "optional-dependencies" in self._dynamic
        if dynamic:
            where = ("tool", "setuptools", "dynamic", "optional-dependencies")
        names = list(self._table.subtable(*where))

        def read(name: str) -> Iterable[ParsedRequirement]:
            if dynamic:
                found = self._from_files("optional-dependencies", name)
            else:
                found = self._table.requirements(*where, name)
            return self._sourced(found, f"extra:{canonicalize_name(name)}")

        return Extras(str(self._table.get("project", "name") or ""), names, read, self._table.path)

    @property
    def _dynamic(self) -> list[Any]:
        return self._table.array("project", "dynamic")

    def _from_files(self, *keys: str) -> list[ParsedRequirement]:
        """Requirements that setuptools or a plugin of hatch reads from files; others need a build."""
        table = self._table
        where: tuple[str, ...] = ("tool", "setuptools", "dynamic", *keys)
        files = table.get(*where, "file")
        if not files and keys == ("dependencies",) and table.has(*_HATCH_FILES, "files"):
            where, files = _HATCH_FILES, table.get(*_HATCH_FILES, "files")
        names = [files] if isinstance(files, str) else files
        if not names or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(
                f"[project] says that {keys[0]} is dynamic: only building the project would tell it",
                path=table.path,
                line=table.origin(keys[0], "project", "dynamic").line,
                hint=self._where_dynamic_comes_from(),
            )
        found = from_files(names, Origin(table.path, table.line(*where), ""))
        self._inputs.constraints += found.constraints
        self._inputs.notes += found.notes
        return found.requirements

    def _where_dynamic_comes_from(self) -> str:
        if self._table.get("tool", "poetry"):
            return "[tool.poetry] is not read here; [project] dependencies are, which poetry 2 knows too"
        cfg = Path(self._table.path).parent / "setup.cfg"
        if cfg.is_file():
            return f"if they stand in setup.cfg: -r {cfg}"
        return "name the file that they come from with -r, or give them on the command line"

    def _group(self, name: str, chain: tuple[str, ...], done: set[str]) -> Iterator[ParsedRequirement]:
        """The requirements of a group and of the groups it includes, each once, in the order of writing."""
        table = self._table
        groups = table.subtable("dependency-groups")
        if not chain and (older := self._older_group(name)) is not None:
            yield from older
            if not any(canonicalize_name(group) == name for group in groups):
                return
        line = table.line("dependency-groups", chain[-1]) if chain else None
        key = known_name("dependency group", name, groups, table.path, line)
        if len(chain) > DEEPEST:
            message = f"the dependency groups include each other more than {DEEPEST} deep"
            raise InputError(message, path=table.path, line=line)
        if key in chain:
            cycle = " → ".join([*chain[chain.index(key) :], key])
            message = f"these dependency groups include each other: {cycle}"
            raise InputError(message, path=table.path, line=line)
        if key in done:
            return
        done.add(key)
        doubles = self._spellings[canonicalize_name(key)]
        if len(doubles) > 1:
            raise table.wrong(
                f"{' and '.join(doubles)} are spellings of one name", "dependency-groups", doubles[1]
            )
        for item in table.array("dependency-groups", key):
            included = item.get("include-group") if isinstance(item, dict) and len(item) == 1 else None
            if isinstance(included, str):
                yield from self._group(included, (*chain, key), done)
            else:
                yield table.requirement(item, "dependency-groups", key)

    @cached_property
    def _spellings(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self._table.subtable("dependency-groups"):
            found.setdefault(canonicalize_name(name), []).append(name)
        return found

    def _older_group(self, name: str) -> list[ParsedRequirement] | None:
        """What uv, Rye and PDM called development dependencies before there were groups; None for no such."""
        found: list[tuple[str, ...]] = [
            ("tool", tool, "dev-dependencies")
            for tool in ("uv", "rye")
            if name == "dev" and self._table.get("tool", tool, "dev-dependencies") is not None
        ]
        pdm = ("tool", "pdm", "dev-dependencies")
        found += [(*pdm, key) for key in self._table.subtable(*pdm) if canonicalize_name(key) == name]
        return [each for keys in found for each in self._table.requirements(*keys)] if found else None

    def _no_project(self) -> InputError:
        if self._table.get("tool", "poetry"):
            hint = "[tool.poetry] is not read here; [project] is, which poetry 2 knows too"
        elif self._table.get("lock-version") is not None:
            hint = "this is a lock file, which says what was chosen, not what a project asks for"
        elif (Path(self._table.path).parent / "setup.cfg").is_file():
            hint = f"perhaps its requirements are in {Path(self._table.path).with_name('setup.cfg')}"
        else:
            hint = "requirements are read from [project], and from [dependency-groups] with --group"
        return InputError("has no [project] table", path=self._table.path, hint=hint)
