"""The defaults of options: variables, then the configuration file of the project, then that of the user."""

from __future__ import annotations

import os
import re

from torchlock.errors import InputError, TorchlockError
from torchlock.jobs.config_files import NAMED_BY, current_folder
from torchlock.records import NamedTuple
from torchlock.spelling import meant
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from torchlock.jobs.config_files import ConfigFile

PREFIX = "TORCHLOCK_"
# Options that only the command line and their own variables set.
_ABOUT_FILES = frozenset({"config", "no-config"})
# A shorter value may be in a message by chance.
_TELLING = 5
# Options whose value is an address: an index module refuses it, and does not know the option.
_ADDRESSES = frozenset({"index-url", "extra-index-url", "builds-url"})
# Options that exclude each other; the commands refuse two of them that are given together. A stronger source (the
# command line) replaces what a weaker one (a file) sets.
_EXCLUSIVE = (
    *(("universal", "python"), ("universal", "platform"), ("universal", "target")),
    *(("emit", "format"), ("offline", "refresh"), ("diff", "json")),
)
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Origin(NamedTuple):
    """Where the value of an option comes from: a variable, or a file."""

    variable: str = ""
    file: ConfigFile | None = None


class Settings:
    """The defaults of one command that files and variables set.

    ``values`` are by the attribute that argparse uses, ``origins`` by the name of the option. ``options`` are the
    options that may be set, ``rivals`` the others that each of them excludes.
    """

    def __init__(self, options: Mapping[str, argparse.Action], rivals: Mapping[str, Sequence[str]]) -> None:
        self.options = options
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self._rivals = rivals

    def set(self, name: str, value: Any, origin: Origin) -> None:
        """Take a value; it replaces a weaker one, and weaker ones of options that it excludes.

        Raises:
            InputError: the same file sets an option that it excludes.
        """
        for other in self._rivals.get(name, ()) if value else ():
            if self._drop(other) is origin.file is not None:
                raise origin.file.wrong(f" {name} excludes {other}", name, "use only one of them")
        self.values[self.options[name].dest] = value
        self.origins[name] = origin

    def yield_to(self, words: Sequence[str]) -> None:
        """Drop the values of options that an option of the command line excludes."""
        for name, others in self._rivals.items():
            if self.origins.keys() & set(others) and self._is_given(name, words):
                for other in others:
                    self._drop(other)

    def _drop(self, name: str) -> ConfigFile | None:
        """Forget a value that is set; the file that set it."""
        if name not in self.origins or not self.values[self.options[name].dest]:
            return None
        del self.values[self.options[name].dest]
        return self.origins.pop(name).file

    def folder_of(self, name: str, value: str) -> str:
        """The folder of the file that sets an option to this value; "" for none, and for the current folder."""
        file = self.origins[name].file if name in self.origins else None
        if file is None or value not in self._items(name) or file.folder == current_folder():
            return ""
        return file.folder

    def blamed(self, error: TorchlockError, argv: Sequence[str]) -> TorchlockError:
        """An error about an option (``--system: …``), with the variable or the line of the file that set it.

        An error that names a value of a file gets a hint with the line.
        """
        about = re.match(r"--([a-z-]+)\b", error.message)
        origin = self.origins.get(about[1]) if about else None
        if not isinstance(error, InputError) or error.path is not None or about is None or origin is None:
            return self._with_setting(error)
        name, rest = about[1], error.message[len(about[0]) :]
        item = self._item_in(name, rest)
        if self._is_given(name, argv) and (item is None or any(self._items(name)[item] in word for word in argv)):
            return error
        if origin.file is not None:
            return origin.file.wrong(f" {name}{rest}", name, error.hint, item)
        return InputError(f"{origin.variable}{rest}", hint=error.hint)

    def _with_setting(self, error: TorchlockError) -> TorchlockError:
        """An error with a hint that says which setting of a file it is about, if it names its value."""
        path = getattr(error, "path", None)
        for name, origin in self.origins.items():
            file = origin.file
            if name in _ADDRESSES and isinstance(error, InputError) and path is None:
                named = [at for at, item in enumerate(self._items(name)) if item and item in error.message]
                if named and file is not None:
                    return file.wrong(f" {name}: {error.message}", name, error.hint, named[0])
                if named:
                    return InputError(f"{origin.variable}: {error.message}", hint=error.hint)
            if (
                file is None
                or path == file.shown
                or not isinstance(self.values[self.options[name].dest], (str, list))
            ):
                continue
            for number, item in enumerate(self._items(name)):
                if item != path and (len(item) < _TELLING or item not in error.message):
                    continue
                said = f"{file.shown}:{file.line(name, number) or file.line(name)} sets {name}"
                if said not in (error.hint or ""):
                    error.hint = f"{error.hint}; {said}" if error.hint else said
                return error
        return error

    def _items(self, name: str) -> list[str]:
        value = self.values[self.options[name].dest]
        return [str(each) for each in value] if isinstance(value, list) else [str(value)]

    def _item_in(self, name: str, said: str) -> int | None:
        """Which value of a list a message is about; None if it is not a list, or this is not known."""
        if not isinstance(self.values[self.options[name].dest], list):
            return None
        named = [number for number, item in enumerate(self._items(name)) if item and item in said]
        return named[0] if named else None

    def _is_given(self, name: str, argv: Iterable[str]) -> bool:
        """Whether the command line has the option."""
        spelled = self.options[name].option_strings
        short = tuple(each for each in spelled if not each.startswith("--"))
        return any(
            word.partition("=")[0] in spelled or (bool(short) and word.startswith(short) and word[:2] != "--")
            for word in argv
        )


def settings_of(
    parser: argparse.ArgumentParser,
    named_only: frozenset[str],
    is_elsewhere: Callable[[str, object], bool],
    files: Sequence[ConfigFile],
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """The defaults of options: ``TORCHLOCK_*`` variables over the files, the strongest file first.

    Variables and the user's own file belong to the user; the file of a project may not set every option
    (``jobs/project.py``).

    ``named_only`` are options that only the command line sets: the target of a lock does not say which environment
    is to be checked. ``is_elsewhere`` says whether another command has an option that accepts a value, because all
    commands share one table.

    Raises:
        InputError: an unknown key, a key that a file may not set, or a value that the option does not accept.
    """
    settings = Settings(_options_of(parser, named_only), _rivals_in(parser))
    for file in reversed(files):
        _take_file(settings, file, is_elsewhere)
    for name, action in settings.options.items():
        variable = variable_of(name)
        text = environ.get(variable)
        if text and _is_for(action, name, text, is_elsewhere):
            settings.set(name, _value(action, text, variable), Origin(variable))
    return settings


def _is_for(
    action: argparse.Action, name: str, value: object, is_elsewhere: Callable[[str, object], bool]
) -> bool:
    """Whether a value is for the option of this command, not for that of another one.

    Another command may have other choices, or may take several values where this one takes a single one.
    """
    if not isinstance(action.default, list) and _is_several(name, value):
        return not is_elsewhere(name, [])
    return _takes(action, value) or not is_elsewhere(name, value)


def _is_several(name: str, value: object) -> bool:
    """Whether a value is several: a list, or a range of Pythons."""
    if isinstance(value, list):
        return len(value) != 1
    return name == "python" and isinstance(value, str) and bool(re.fullmatch(r"\d[\d.]*-\d[\d.]*", value))


def _options_of(parser: argparse.ArgumentParser, named_only: frozenset[str]) -> dict[str, argparse.Action]:
    """The options of a command that defaults may set, by the longest of their names without dashes."""
    found = {
        action.option_strings[-1][2:]: action
        for action in parser._actions
        if action.option_strings and action.dest != "help"
    }
    return {name: action for name, action in found.items() if name not in named_only | _ABOUT_FILES}


def _rivals_in(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """For each option the options that it excludes."""
    found: dict[str, list[str]] = {}
    groups = [
        [action.option_strings[-1][2:] for action in group._group_actions]
        for group in parser._mutually_exclusive_groups
    ]
    known = {option[2:] for option in parser._option_string_actions if option.startswith("--")}
    for names in (*groups, *(pair for pair in _EXCLUSIVE if known.issuperset(pair))):
        for name in names:
            found.setdefault(name, []).extend(other for other in names if other != name)
    return found


def variable_of(name: str) -> str:
    """The variable that sets an option."""
    return NAMED_BY if name == "config" else PREFIX + name.upper().replace("-", "_")


def _take_file(settings: Settings, file: ConfigFile, is_elsewhere: Callable[[str, object], bool]) -> None:
    """Take the values of a file.

    Raises:
        InputError: as ``settings_of``.
    """
    if not file.values:
        return
    from torchlock.jobs.project import OPTIONS, objection, refusal

    for name, raw in file.values.items():
        action = settings.options.get(name)
        refused = refusal(name, file.of_project)
        if name not in OPTIONS and action is None and not is_elsewhere(name, raw):
            raise _unknown(file, name, [each for each in OPTIONS if not refusal(each, file.of_project)])
        if refused:
            who = "a project" if file.of_project else "a configuration file"
            said = f": {who} may not set {name}, because {refused.reason}"
            raise file.wrong(said, name, _hint(name, variable=refused.variable))
        if action is None or not _is_for(action, name, raw, is_elsewhere):
            continue
        if isinstance(raw, list) and not isinstance(action.default, list) and is_elsewhere(name, []):
            (raw,) = raw  # of a repeatable option of another command
        given = _of_file(file, name, action, raw)
        if file.of_project and (said := objection(name, given, file.folder)):
            raise file.wrong(f" {name} = {raw!r}: {said}", name, _hint(name, variable=True))
        settings.set(name, given, Origin(file=file))


def _unknown(file: ConfigFile, name: str, allowed: Sequence[str]) -> InputError:
    question = meant(name.replace("_", "-"), allowed)
    hint = None if question else f"use one of {', '.join(sorted(allowed))}"
    return file.wrong(f": unknown option {name!r}{question}", name, hint)


def _hint(name: str, *, variable: bool) -> str:
    """How the user can set an option that a file may not set."""
    other = f", or set {variable_of(name)}" if variable else ""
    return f"remove it there, and use --{name} on the command line{other}"


def _of_file(file: ConfigFile, name: str, action: argparse.Action, raw: Any) -> Any:
    """A value of a file, converted as on the command line; its paths are relative to the file.

    Raises:
        InputError: it has the wrong type, or is not one of the choices.
    """
    from torchlock.jobs.project import placed

    items = raw if isinstance(action.default, list) and isinstance(raw, list) else [raw]
    for number, item in enumerate(items):
        if not _fits(item, action):
            if action.type is float and isinstance(item, str):
                raise file.wrong(f" {name}: {item!r} is not a number", name)
            if action.nargs == 0:
                raise file.wrong(
                    f" {name}: {item!r} is neither true nor false", name, "write true or false, without quotes"
                )
            raise _of_another_type(file, name, item, number if items is raw else None)
    try:
        value = _value(action, raw, name, file.folder)
    except InputError as error:
        raise file.wrong(f" {error.message}", name) from None
    if isinstance(value, list):
        return [placed(name, each, file.folder) for each in value]
    return placed(name, value, file.folder) if isinstance(value, str) else value


def _of_another_type(file: ConfigFile, name: str, value: object, item: int | None) -> InputError:
    if _is_number(value):
        written = re.search(rf"{name.replace('-', '[-_]')}\W*=[\s\[]*([-+.\w]+)", file.text)
        literal = written[1] if written else value
        said = f" {name} = {literal} is the number {value}, but must be a string"
        return file.wrong(said, name, f'write it in quotes: "{literal}"', item)
    return file.wrong(f" {name}: {value!r} is not a single value", name, item=item)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _fits(value: object, action: argparse.Action) -> bool:
    """Whether a TOML value has the type of an option; a date counts as text."""
    if action.nargs == 0:
        return isinstance(value, bool)
    if _is_number(value) or action.type is float:
        return _is_number(value) and action.type is float
    return not isinstance(value, (bool, list, dict))


def _takes(action: argparse.Action | None, value: object) -> bool:
    """Whether an option accepts a value: it has no choices, or the value is one of them."""
    return action is not None and (action.choices is None or value in action.choices)


def _value(action: argparse.Action, value: Any, where: str, folder: str = "") -> Any:
    """A default, converted as on the command line; ``folder`` is that of its file."""
    if action.nargs == 0:
        known = _FLAGS.get(str(value).lower())
        if known is None:
            raise InputError(f"{where}: {value!r} is neither true nor false", hint="write true or false")
        return known
    if isinstance(action.default, list):
        if isinstance(value, list):
            return [str(item) for item in value]
        is_path = " " in str(value) and _is_file(folder, str(value))
        return [str(value)] if is_path else str(value).split()
    if isinstance(value, (list, dict)):
        raise InputError(f"{where}: {value!r} is not a single value", hint="write one value")
    from torchlock.cli.wrong_use import refuse_choice

    refuse_choice(action, value, where)
    if action.type is float:
        try:
            return float(value)
        except ValueError:
            raise InputError(f"{where}: {value!r} is not a number", hint="write a number") from None
    return str(value)


def _is_file(folder: str, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name))
