"""The defaults of options: the environment's variables, over the project's own table."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

_PROJECT = "pyproject.toml"
# Options that run code of packages: only the user sets them, never the project that is locked.
_NEVER_OF_A_PROJECT = frozenset({"build"})


def defaults(
    parser: argparse.ArgumentParser, named_only: frozenset[str], is_elsewhere: Callable[[str, object], bool]
) -> dict[str, Any]:
    """The user's own defaults: ``TORCHLOCK_*`` variables over ``[tool.torchlock]`` of ./pyproject.toml.

    ``named_only`` are options that the command line alone sets: what a project locks for says nothing about which
    environment is to be checked. ``is_elsewhere`` tells whether another command has an option that takes a value,
    since one table serves them all.

    Raises:
        InputError: a key that is no option, or a value that the option does not take.
    """
    options = {
        action.option_strings[-1][2:]: action
        for action in parser._actions
        if action.option_strings and action.dest != "help"
    }
    found: dict[str, Any] = {}
    options = {name: action for name, action in options.items() if name not in named_only}
    for name, value in _configured().items():
        if name in _NEVER_OF_A_PROJECT:
            hint = f"give --{name} on the command line, or set TORCHLOCK_{name.upper()}=1"
            raise InputError(f"[tool.torchlock]: a project may not set {name}", path=_PROJECT, hint=hint)
        if not _takes(options.get(name), value) and is_elsewhere(name, value):
            continue
        if name not in options:
            known = ", ".join(sorted(options))
            raise InputError(
                f"[tool.torchlock]: no option is called {name!r}", path=_PROJECT, hint=f"one of {known}"
            )
        found[options[name].dest] = _value(options[name], value, f"{_PROJECT}: [tool.torchlock] {name}")
    for name, action in options.items():
        variable = _PREFIX + name.upper().replace("-", "_")
        value = os.environ.get(variable)
        if value and (_takes(action, value) or not is_elsewhere(name, value)):
            found[action.dest] = _value(action, value, variable)
    return found


_PREFIX = "TORCHLOCK_"
# Those of the tests apart.
_VARIABLE = re.compile(_PREFIX + r"(?!TEST_)\w+")


def idle_variables(commands: Callable[[], Iterable[argparse.ArgumentParser]]) -> dict[str, str]:
    """The ``TORCHLOCK_*`` variables that name no option, each with the one that was likely meant.

    One that resembles no option ("") is most likely somebody's own.

    ``commands`` makes the parsers of all commands; it is called only where there is a variable to look up.
    """
    names = {name for name, value in os.environ.items() if value and _VARIABLE.fullmatch(name)}
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
    idle = sorted({name.removeprefix(_PREFIX) for name in names} - known - {"CACHE_DIR"})
    near = {name: next(iter(get_close_matches(name, known, 1, 0.8)), "") for name in idle}
    return {_PREFIX + name: meant and _PREFIX + meant for name, meant in near.items()}


def _takes(action: argparse.Action | None, value: object) -> bool:
    """Whether a value is one of those that an option has to choose from, if it has."""
    return action is not None and (action.choices is None or value in action.choices)


def _configured() -> dict[str, Any]:
    try:
        raw = Path(_PROJECT).read_bytes()
    except OSError:
        return {}
    if b"torchlock" not in raw:
        return {}
    from torchlock.read.toml import parse_toml

    tools = parse_toml(raw, _PROJECT).get("tool", {})
    table = tools.get("torchlock", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise InputError("[tool.torchlock] is not a table", path=_PROJECT)
    return {str(name).replace("_", "-"): value for name, value in table.items()}


def _value(action: argparse.Action, value: Any, where: str) -> Any:
    """A default as its option would have read it from the command line."""
    if action.nargs == 0:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        known = words.get(str(value).lower())
        if known is None:
            raise InputError(f"{where}: {value!r} is neither true nor false")
        return known
    if isinstance(action.default, list):
        return [str(item) for item in value] if isinstance(value, list) else str(value).split()
    if isinstance(value, (list, dict)):
        raise InputError(f"{where}: {value!r} is no single value")
    if action.choices is not None and value not in action.choices:
        raise InputError(f"{where}: {value!r} is none of {', '.join(action.choices)}")
    return str(value)
