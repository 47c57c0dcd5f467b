"""The targets that a project names: ``[[tool.torchlock.target]]``, and ``--target NAME``."""

from __future__ import annotations

import argparse

from torchlock.errors import InputError
from torchlock.jobs.project import objection, placed, refusal
from torchlock.records import NamedTuple
from torchlock.redaction import shortened
from torchlock.spelling import meant
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.jobs.config_files import ConfigFile

# The keys of a table, each with the attribute of the arguments, and whether it may have several values.
KEYS = {
    "python": ("python", True),
    "platform": ("platform", True),
    "accelerator": ("accelerator", True),
    "gpu": ("gpu", False),
    "system": ("system", False),
    "system-lib": ("system_lib", True),
    "base-image": ("base_image", False),
    "constraint-from": ("constraint_from", False),
}
_BASES = {"base-image": "base_image", "constraint-from": "constraint_from"}
_OPTIONS = [f"--{name}" for name in KEYS]


class NamedTarget(NamedTuple):
    """One table: its name, the arguments of the command with its values, and the table itself."""

    name: str
    arguments: argparse.Namespace
    table: _Table


def named_targets(arguments: argparse.Namespace) -> list[NamedTarget]:
    """The targets that --target names; without it all of the project, unless other options state the target.

    Raises:
        InputError: there is no target of a name, a table is invalid, or an option contradicts it.
    """
    written = {word.partition("=")[0] for word in arguments.argv}
    stated = [option for option in _OPTIONS if option in written]
    if not arguments.targets and (stated or arguments.universal):
        return []
    found = all_targets(arguments)
    if not arguments.targets:
        return found
    by_name = {target.name: target for target in found}
    for name in arguments.targets:
        if name not in by_name:
            raise _unknown(name, list(by_name))
        for key, (attribute, _) in KEYS.items():
            value = getattr(by_name[name].arguments, attribute)
            if f"--{key}" in written and value != getattr(arguments, attribute):
                raise InputError(
                    f"--target {name} states {key} itself, so --{key} contradicts it", hint=f"leave --{key} out"
                )
    return [by_name[name] for name in dict.fromkeys(arguments.targets)]


def _unknown(name: str, known: Sequence[str]) -> InputError:
    hint = (
        f"the project has {', '.join(known)}" if known else "add a table [[tool.torchlock.target]] to the project"
    )
    return InputError(f"--target: there is no target {shortened(name)!r}{meant(name, known)}", hint=hint)


def all_targets(arguments: argparse.Namespace) -> list[NamedTarget]:
    """All targets of the strongest configuration file that has some.

    Raises:
        InputError: a table is invalid, or two have the same name.
    """
    found: list[NamedTarget] = []
    for table in _tables(arguments.config_files):
        target = _target(table, arguments)
        if any(target.name == other.name for other in found):
            raise table.wrong(f"the name {target.name!r} is used twice", "each target needs its own name", "name")
        found.append(target)
    return found


class _Table(NamedTuple):
    """One table with its place, for messages."""

    values: Mapping[str, Any]
    file: ConfigFile
    number: int

    def line(self, key: str = "") -> int | None:
        """The line of a key; of the table without one, or if the key has none."""
        return (self.file.line("target", self.number, key) if key else None) or self.file.line(
            "target", self.number
        )

    def wrong(self, said: str, hint: str | None = None, key: str = "") -> InputError:
        """An error about a key of this table, with its line."""
        name, line = ".".join([*self.file.keys, "target"]), self.line(key)
        return InputError(f"[[{name}]]: {said}", path=self.file.shown, line=line, hint=hint)


def _tables(files: Iterable[ConfigFile]) -> list[_Table]:
    """The tables of the strongest configuration file that has some."""
    for file in files:
        if file.targets:
            return [_Table(table, file, number) for number, table in enumerate(file.targets)]
    return []


def _target(table: _Table, arguments: argparse.Namespace) -> NamedTarget:
    """One table, checked.

    Raises:
        InputError: a key is unknown, a value has another type, or a project may not set it.
    """
    if _BASES.keys() <= table.values.keys():
        raise table.wrong("base-image and constraint-from exclude each other", "state only one of them")
    name = table.values.get("name")
    if not isinstance(name, str) or not name or not name.replace("-", "").replace("_", "").isalnum():
        said = "a target needs a name of letters, digits, - and _"
        raise table.wrong(said, 'like name = "gpu-box"', "name")
    values = dict(vars(arguments))
    for key, value in table.values.items():
        if key == "name":
            continue
        if key not in KEYS:
            said = f"unknown key {shortened(str(key))!r}{meant(str(key), ('name', *KEYS))}"
            raise table.wrong(said, f"use name, {', '.join(KEYS)}", str(key))
        attribute, many = KEYS[key]
        items = value if many and isinstance(value, list) else [value]
        if not items:
            raise table.wrong(f"{key} = [] names no value", f"leave {key} out, or name one", key)
        if not all(isinstance(item, str) for item in items):
            hint = f'write it in quotes: {key} = "{value}"' if isinstance(value, (int, float)) else None
            raise table.wrong(f"{key} = {value!r} is not a string", hint, key)
        if refused := refusal(key, table.file.of_project):
            hint = f"use --{key} on the command line, or a table in the file of the user"
            raise table.wrong(f"a project may not set {key}: {refused.reason}", hint, key)
        items = [placed(key, item, table.file.folder) for item in items]
        if table.file.of_project and (said := objection(key, items, table.file.folder)):
            raise table.wrong(f"{key} = {value!r}: {said}", f"use --{key} on the command line", key)
        if key in _BASES:
            values.update(dict.fromkeys(_BASES.values()))  # each target has one base: its own
        values[attribute] = items if many else items[0]
        try:
            _check(key, items)
        except InputError as error:
            raise table.wrong(error.message.removeprefix("--"), error.hint, key) from error
    return NamedTarget(name, argparse.Namespace(**values), table)


def _check(key: str, values: Sequence[str]) -> None:
    """Refuse values of a key that no target can have; the message begins with its option.

    Raises:
        InputError: there is one.
    """
    from torchlock.jobs.cells import pythons_in
    from torchlock.jobs.installed_base import check_image
    from torchlock.jobs.target import accelerator_of, libraries_of
    from torchlock.knowledge import systems
    from torchlock.knowledge.gpus import parse_gpus
    from torchlock.target import Platform, PythonVersion

    if key == "system-lib":
        libraries_of(values)
    for value in values:
        if key == "python":
            versions = [version for version in pythons_in(value) if version[:1].isdigit()]
            list(map(PythonVersion.parse, versions))
        elif key == "platform" and value != "host":
            Platform.parse(value)
        elif key == "accelerator" and value:
            accelerator_of(value, None)
        elif key == "gpu" and value != "host":
            parse_gpus(value)
        elif key == "base-image":
            check_image(value)
        elif key == "system" and value not in ("host", "none"):
            systems.load(value)
