"""The defaults of options: environment variables, then the project's table."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

_PROJECT = "pyproject.toml"
_TABLE = "[tool.torchlock]"
# A pyproject.toml above this size is not read for settings.
_LARGEST = 16 << 20
_PREFIX = "TORCHLOCK_"


def defaults(
    parser: argparse.ArgumentParser, named_only: frozenset[str], is_elsewhere: Callable[[str, object], bool]
) -> dict[str, Any]:
    """The defaults of options: ``TORCHLOCK_*`` variables over ``[tool.torchlock]`` of ./pyproject.toml.

    The variables belong to the user and may set every option; the table belongs to the project and may not
    (``cli/project.py``).

    ``named_only`` are options that only the command line sets: the target of a lock does not say which environment
    is to be checked. ``is_elsewhere`` says whether another command has an option that accepts a value, because all
    commands share one table.

    Raises:
        InputError: an unknown key, a key that a project may not set, or a value that the option does not accept.
    """
    options = {
        action.option_strings[-1][2:]: action
        for action in parser._actions
        if action.option_strings and action.dest != "help"
    }
    options = {name: action for name, action in options.items() if name not in named_only}
    found = _of_project(options, is_elsewhere)
    for name, action in options.items():
        variable = _variable(name)
        text = os.environ.get(variable)
        if text and (_takes(action, text) or not is_elsewhere(name, text)):
            found[action.dest] = _value(action, text, variable)
    return found


def error_in_table(error: InputError, argv: Iterable[str]) -> InputError:
    """An error about an option (``--system: …``), with the line in the project's table that set the value."""
    about = re.match(r"--([a-z-]+)\b", error.message)
    if error.path is not None or about is None:
        return error
    name = about[1]
    if os.environ.get(_variable(name)) or any(word.partition("=")[0] == f"--{name}" for word in argv):
        return error
    table = _configured()
    if name not in table.values:
        return error
    return table.wrong(f"{_TABLE} {error.message[2:]}", name, error.hint)


def _of_project(
    options: dict[str, argparse.Action], is_elsewhere: Callable[[str, object], bool]
) -> dict[str, Any]:
    """The values of these options in the project's table.

    Raises:
        InputError: as ``defaults``.
    """
    table = _configured()
    found: dict[str, Any] = {}
    if not table.values:
        return found
    from torchlock.cli.project import objection, refusal

    for name, value in table.values.items():
        if name not in options and not is_elsewhere(name, value):
            allowed = sorted(each for each in options if not refusal(each))
            raise table.wrong(f"{_TABLE}: unknown option {name!r}", name, f"use one of {', '.join(allowed)}")
        if refused := refusal(name):
            said = f"{_TABLE}: a project may not set {name}, because {refused.reason}"
            raise table.wrong(said, name, _hint(name, variable=refused.variable))
        if not _takes(options.get(name), value) and is_elsewhere(name, value):
            continue
        found[options[name].dest] = given = table.value(name, options[name])
        if said := objection(name, given):
            raise table.wrong(f"{_TABLE} {name} = {value!r}: {said}", name, _hint(name, variable=True))
    return found


def _variable(name: str) -> str:
    return _PREFIX + name.upper().replace("-", "_")


def _hint(name: str, *, variable: bool) -> str:
    """How the user can set an option that a project may not set."""
    other = f", or set {_variable(name)}" if variable else ""
    return f"remove it there, and use --{name} on the command line{other}"


class _Table(NamedTuple):
    """The table ``[tool.torchlock]``: its values by option name, and the text of its file."""

    values: dict[str, Any]
    text: str = ""

    def wrong(self, message: str, name: str, hint: str | None = None) -> InputError:
        """An error with the line of a key."""
        from torchlock.manifests.syntax.toml import Tree

        tree = Tree(self.text, _PROJECT)
        lines = [tree.line("tool", "torchlock", each) for each in (name, name.replace("-", "_"))]
        return InputError(message, path=_PROJECT, line=max(filter(None, lines), default=None), hint=hint)

    def value(self, name: str, action: argparse.Action) -> Any:
        """A value, converted as on the command line.

        Raises:
            InputError: it has the wrong type, or is not one of the choices.
        """
        value = self.values[name]
        many = isinstance(action.default, list)
        items = value if many and isinstance(value, list) else [value]
        strange = next((item for item in items if not _fits(item, action)), None)
        if strange is not None:
            raise self._of_another_type(name, strange)
        try:
            return _value(action, value, f"{_TABLE} {name}")
        except InputError as error:
            raise self.wrong(error.message, name) from None

    def _of_another_type(self, name: str, value: object) -> InputError:
        if _is_number(value):
            written = re.search(rf"{name.replace('-', '[-_]')}\W*=[\s\[]*([-+.\w]+)", self.text)
            literal = written[1] if written else value
            said = f"{_TABLE} {name} = {literal} is the number {value}, but must be a string"
            return self.wrong(said, name, f'write it in quotes: "{literal}"')
        return self.wrong(f"{_TABLE} {name}: {value!r} is not a single value", name)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _fits(value: object, action: argparse.Action) -> bool:
    """Whether a TOML value has the type of an option; a date counts as text."""
    if action.nargs == 0:
        return True
    if _is_number(value):
        return action.type is float
    return not isinstance(value, (bool, list, dict))


# Variables of the tests are excluded.
_VARIABLE = re.compile(_PREFIX + r"(?!TEST_)\w+")
# Variables that name no option.
_FOLDERS = {_PREFIX + "CACHE_DIR", _PREFIX + "DATA_DIR"}


def unused_variables(commands: Callable[[], Iterable[argparse.ArgumentParser]]) -> dict[str, str]:
    """The ``TORCHLOCK_*`` variables that name no option, each with the variable that was probably meant, or "".

    ``commands`` creates the parsers of all commands; it is called only if there is a variable to look up.
    """
    names = {name for name, value in os.environ.items() if value and _VARIABLE.fullmatch(name)} - _FOLDERS
    if not names:
        return {}
    from difflib import get_close_matches

    known = {
        option[2:].upper().replace("-", "_")
        for parser in commands()
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and action.dest != "help"
    }
    idle = sorted({name.removeprefix(_PREFIX) for name in names} - known)
    near = {name: next(iter(get_close_matches(name, known, 1, 0.8)), "") for name in idle}
    return {_PREFIX + name: meant and _PREFIX + meant for name, meant in near.items()}


def _takes(action: argparse.Action | None, value: object) -> bool:
    """Whether an option accepts a value: it has no choices, or the value is one of them."""
    return action is not None and (action.choices is None or value in action.choices)


def _configured() -> _Table:
    from torchlock.runtime import files

    try:
        raw = files.read(_PROJECT, _LARGEST)
    except OSError:
        return _Table({})
    if b"torchlock" not in raw:
        return _Table({})
    if len(raw) == _LARGEST:
        raise InputError("is too large to be read", path=_PROJECT)
    from torchlock.manifests.syntax.toml_values import parse_toml

    tools = parse_toml(raw, _PROJECT).get("tool", {})
    table = tools.get("torchlock", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        from torchlock.manifests.syntax.toml import Tree

        line = Tree(raw.decode("utf-8", "replace"), _PROJECT).line("tool", "torchlock", 0)
        raise InputError(f"{_TABLE} is not a table", path=_PROJECT, line=line)
    values = {str(name).replace("_", "-"): value for name, value in table.items() if not _is_targets(name, value)}
    return _Table(values, raw.decode("utf-8-sig", "replace") if values else "")


def _is_targets(name: str, value: object) -> bool:
    """Whether a key has the tables ``[[tool.torchlock.target]]``, which describe targets and set no option."""
    return name == "target" and isinstance(value, list) and all(isinstance(each, dict) for each in value)


def target_tables() -> list[tuple[dict[str, Any], str, int | None]]:
    """The tables ``[[tool.torchlock.target]]`` of the project, each with its file and line."""
    from torchlock.manifests.syntax.toml import Tree
    from torchlock.manifests.syntax.toml_values import parse_toml
    from torchlock.runtime import files

    try:
        raw = files.read(_PROJECT, _LARGEST)
    except OSError:
        return []
    if b"tool.torchlock.target" not in raw:
        return []
    tables = parse_toml(raw, _PROJECT).get("tool", {}).get("torchlock", {}).get("target", [])
    tree = Tree(raw.decode("utf-8-sig", "replace"), _PROJECT)
    return [
        (table, _PROJECT, tree.line("tool", "torchlock", "target", number)) for number, table in enumerate(tables)
    ]


def _value(action: argparse.Action, value: Any, where: str) -> Any:
    """A default, converted as on the command line."""
    if action.nargs == 0:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        known = words.get(str(value).lower())
        if known is None:
            raise InputError(f"{where}: {value!r} is neither true nor false")
        return known
    if isinstance(action.default, list):
        return [str(item) for item in value] if isinstance(value, list) else str(value).split()
    if isinstance(value, (list, dict)):
        raise InputError(f"{where}: {value!r} is not a single value")
    if action.choices is not None and value not in action.choices:
        raise InputError(f"{where}: {value!r} is not one of {', '.join(action.choices)}")

    return str(value)
