"""``torchlock config``: say where each setting comes from, and describe the configuration file."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock import __version__
from torchlock.cli.defaults import Origin, settings_of
from torchlock.cli.exit_codes import OK
from torchlock.cli.parser import COMMANDS, is_option, parser_of
from torchlock.cli.streams import write_whole
from torchlock.cli.wrong_use import unknown_command
from torchlock.errors import InputError
from torchlock.jobs.config_files import current_folder, user_file
from torchlock.jobs.declared_conflicts import KEY, declared_conflicts
from torchlock.jobs.named_targets import all_targets
from torchlock.redaction import masked, one_line
from torchlock.report.safe_json import dump_json
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.cli.streams import Console
    from torchlock.jobs.config_files import Choice, ConfigFile

_DEFAULT = "default"


class Row(NamedTuple):
    """One option of one command: its value, and where that comes from (None: the default)."""

    command: str
    name: str
    value: Any
    origin: Origin | None
    line: int | None = None

    @property
    def source(self) -> str:
        """Where the value comes from, as text."""
        if self.origin is None:
            return _DEFAULT
        if self.origin.file is None:
            return self.origin.variable
        line = self.line or self.origin.file.line(self.name)
        return self.origin.file.shown + (f":{line}" if line else "")

    @property
    def text(self) -> str:
        """The value, as text without secrets."""
        value = self.value
        if isinstance(value, list):
            return masked(one_line(", ".join(map(str, value)))) or "(empty)"
        if isinstance(value, bool):
            return str(value).lower()
        return "(not set)" if value is None else masked(one_line(str(value)))


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        InputError: wrong use.
    """
    _check_usage(arguments)
    if arguments.action == "schema":
        from torchlock.cli.config_schema import schema

        write_whole(dump_json(schema(of_project=not arguments.user)), console)
        return OK
    files = arguments.config_files
    if arguments.file is not None:
        if not Path(arguments.file).exists():
            raise InputError("there is no such file", path=arguments.file)
        files = arguments.finder.files(str(Path(arguments.file).parent.resolve()))
    rows = list(_rows([arguments.of] if arguments.of else COMMANDS, files))
    sys.stdout.write(_json(rows, files) if arguments.json else _text(rows, files, arguments))
    return OK


def _check_usage(arguments: argparse.Namespace) -> None:
    if arguments.action == "schema":
        if arguments.of is not None or arguments.json:
            raise InputError("config schema takes no command and no --json", hint="its output is JSON already")
        return
    if arguments.user:
        raise InputError(
            "--user belongs to config schema, not to config show", hint="use torchlock config schema --user"
        )
    if arguments.of is not None and arguments.of not in COMMANDS:
        raise unknown_command(arguments.of, COMMANDS)
    if arguments.file is not None and arguments.of != "audit":
        raise InputError(
            f"the settings of {arguments.of} do not depend on a file",
            hint="only audit takes settings from the folder of each file",
        )


def _rows(commands: Sequence[str], files: Sequence[ConfigFile]) -> Iterator[Row]:
    for command in commands:
        parser, named_only = parser_of(command)
        settings = settings_of(parser, named_only, is_option, files)
        for name, action in settings.options.items():
            value = settings.values.get(action.dest, action.default)
            yield Row(command, name, value, settings.origins.get(name))
        if "target" in settings.options:
            yield from _of_targets(command, files)
        if command == "lock":
            yield from _of_conflicts(command, files)


def _of_targets(command: str, files: Sequence[ConfigFile]) -> Iterator[Row]:
    """The values of the named targets, which replace those of the options on each of them.

    Raises:
        InputError: a table is invalid.
    """
    defaults = argparse.Namespace(config_files=files)
    for target in all_targets(defaults):
        for key, value in target.table.values.items():
            if key != "name":
                origin, line = Origin(file=target.table.file), target.table.line(key)
                yield Row(command, f"target.{target.name}.{key}", value, origin, line)


def _of_conflicts(command: str, files: Sequence[ConfigFile]) -> Iterator[Row]:
    """The sets of extras and groups that exclude each other; ``conflicts.1`` is the first set.

    Raises:
        InputError: the value has another form.
    """
    found = declared_conflicts(files)
    file = next((file for file in files if file.conflicts is not None), None)
    for number, each in enumerate(found, 1):
        yield Row(command, f"{KEY}.{number}", list(each.in_words), Origin(file=file), each.line)


def _text(rows: Sequence[Row], files: Sequence[ConfigFile], arguments: argparse.Namespace) -> str:
    """The settings as a table: name, value, source, and the commands if they differ."""
    shared: dict[str, dict[tuple[str, str], list[str]]] = {}
    for row in rows:
        shared.setdefault(row.name, {}).setdefault((row.text, row.source), []).append(row.command)
    lines = [
        (name, value, source, f"({', '.join(commands)})" if len(found) > 1 else "")
        for name, found in shared.items()
        for (value, source), commands in found.items()
    ]
    widths = [min(max(len(line[column]) for line in lines), 40) for column in (0, 1, 2)]
    table = ["  ".join(map(str.ljust, line, [*widths, 0])).rstrip() for line in lines]
    return "\n".join([*_files_text(files, arguments.finder.choice), "", *table, "", _summary(rows)]) + "\n"


def _summary(rows: Sequence[Row]) -> str:
    """How many settings there are, and how many of them are not defaults."""
    origins = {row.name: row.origin for row in rows}
    files = sum(1 for origin in origins.values() if origin is not None and origin.file is not None)
    variables = sum(1 for origin in origins.values() if origin is not None and origin.variable)
    said = [f"{files} from files" if files else "", f"{variables} from variables" if variables else ""]
    return summary_line(counted(len(origins), "setting"), *(said if any(said) else ["all are defaults"]))


def _files_text(files: Sequence[ConfigFile], choice: Choice) -> Iterator[str]:
    found = [file.shown for file in files]
    yield f"files, the strongest first: {', '.join(found) if found else 'none'}"
    own = user_file(os.environ)
    if not choice.forbidden and choice.named is None and own is not None and own not in found:
        yield f"the file of the user would be {own}"


def _json(rows: Sequence[Row], files: Sequence[ConfigFile]) -> str:
    settings: dict[str, dict[str, Any]] = {}
    for row in rows:
        settings.setdefault(row.command, {})[row.name] = {"value": row.value, "from": _source(row)}
    table = {
        "torchlock": __version__,
        "folder": current_folder(),
        "files": [{"path": file.path, "kind": "project" if file.of_project else "user"} for file in files],
        "user_file": user_file(os.environ),
        "settings": settings,
    }
    return dump_json(table)


def _source(row: Row) -> dict[str, Any]:
    if row.origin is None:
        return {"kind": _DEFAULT}
    if row.origin.file is None:
        return {"kind": "variable", "name": row.origin.variable}
    return {"kind": "file", "path": row.origin.file.path, "line": row.line or row.origin.file.line(row.name)}
