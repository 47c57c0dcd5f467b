"""Parse the command line: the command and its options."""

from __future__ import annotations

import argparse
import contextlib
import os
from functools import cache, partial
from importlib import import_module

from torchlock import __version__
from torchlock.cli.defaults import settings_of
from torchlock.cli.options.shared import add_configuration, add_messages
from torchlock.cli.unused_variables import unused_variables
from torchlock.errors import InputError, TorchlockError
from torchlock.jobs.config_files import Choice, Finder, current_folder
from torchlock.typed import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.cli.streams import Console
    from torchlock.jobs.config_files import ConfigFile

# What the help says of each command, in its order.
SUMMARIES = {
    "lock": "resolve requirements into a pinned, hashed lock that installs and loads",
    "upgrade": "move a line of the input to another release, and what must follow, with the lock",
    "diff": "show what changed between two locks of any tool, and what it means",
    "audit": "find requirements that will not load, in requirements, lock and other files; fix them",
    "check": "say why torchaudio does not load in an environment, and which command fixes it",
    "fleet": "audit many files, or check many environments, on many processors",
    "explain": "describe a rule, or say why requirements work together or conflict",
    "rules": "list the rules, or describe one",
    "matrix": "show which releases load with which torch, as a table, data or a page",
    "data": "say how new the compatibility data are, and update them",
    "fetch": "bring every file of a lock into a folder, to install without a network",
    "config": "say where each setting comes from, and describe the configuration file",
    "schema": "write the JSON schema of what a command prints with --json",
    "completion": "write a script that completes commands and options in a shell",
    "lsp": "show the findings of an audit in an editor (a language server)",
    "mcp": "offer audit, check, explain and lock to an assistant (an MCP server)",
}
COMMANDS = tuple(SUMMARIES)
# Commands that are programs over the library; all others are in this package.
_HOMES = {
    "fleet": "torchlock.fleet.command",
    "lsp": "torchlock.servers.lsp",
    "mcp": "torchlock.servers.mcp",
}
# Options of all commands that stand before the command, and those of them that take a value.
_COMMON_VALUED = frozenset({"--color", "--config"})
_COMMON = _COMMON_VALUED | {"-q", "--quiet", "-v", "--verbose", "--no-config", "-h", "--help", "-V", "--version"}
_DESCRIPTION = """\
Lock, audit and check environments of the PyTorch audio stack, so that
torchaudio loads.

commands:
{commands}

examples:
  torchlock lock torchaudio soundfile -o requirements.txt
  torchlock audit requirements.txt
  torchlock check
  torchlock explain TL101
  torchlock matrix torchcodec

torchlock COMMAND --help, or torchlock help COMMAND, shows the options of a command.
"""


class _Once(argparse._StoreAction):
    """An option with a single value: if given twice, both values must be equal.

    argparse silently takes the last value. But two values are a mistake, or the user expects both to be used.
    A parser, and so each of its actions, parses only one command line.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        if option is not None:
            _refuse_second(parser, self.dest, values, f"{option} {values}")
        super().__call__(parser, namespace, values, option)


class _OnceConst(argparse._StoreConstAction):
    """An option that stands for a value of another one, as --json for --format json."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        if option is not None:
            _refuse_second(parser, self.dest, self.const, option)
        super().__call__(parser, namespace, values, option)


def _refuse_second(parser: argparse.ArgumentParser, dest: str, value: Any, words: str) -> None:
    """Refuse a second value of an option; the first one is kept with the parser.

    Raises:
        InputError: another one was given before.
    """
    given = parser.given if isinstance(parser, _Parser) else {}
    before, first = given.setdefault(dest, (value, words))
    if before != value:
        twice = f"{first} and {words}: this option takes one value"
        raise InputError(twice, hint=f"run {parser.prog} once for each")


class _Many(argparse._AppendAction):
    """An option with several values; those of the command line replace the default.

    A parser, and so each of its actions, parses only one command line.
    """

    _given = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        if not self._given:
            setattr(namespace, self.dest, [])
            self._given = True
        super().__call__(parser, namespace, values, option)


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises InputError for wrong use, like the rest of the program."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.given: dict[str, tuple[Any, str]] = {}
        """The values of options with a single value, each with the words that gave it."""
        self.register("action", None, _Once)
        self.register("action", "store_const", _OnceConst)
        self.register("action", "store", _Once)
        self.register("action", "many", _Many)

    def error(self, message: str) -> NoReturn:
        from torchlock.cli.wrong_use import usage_error

        raise usage_error(message, self.prog)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        from torchlock.cli.wrong_use import refuse_choice

        refuse_choice(action, value)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Formats help to the width of the terminal. Without it, argparse imports shutil for every option."""

    def __init__(self, prog: str) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (ValueError, OSError):
            columns = 80
        super().__init__(prog, width=max(columns - 2, 40))

    def _set_color(self, *_: object) -> None:
        """Choose no colours yet: Python 3.14 imports its colours and dataclasses for it, at each option."""

    def __getattr__(self, name: str) -> Any:
        # What Python 3.14 asks for where it writes help, which here has no colour on any Python.
        if name in ("_theme", "_decolor"):
            super()._set_color(False)  # type: ignore[misc]  # new in 3.14, and not known to mypy
            return self.__dict__[name]
        raise AttributeError(name)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; missing options come from variables, then from configuration files.

    The ``run`` attribute of the result is the command: a function of the result and a Console that returns an
    exit code. ``settings`` says where its defaults come from, ``finder`` finds configuration files, and
    ``with_files`` parses the same command line with the settings of other files.

    Raises:
        InputError: wrong use, or an invalid default.
        SystemExit: --help or --version was given.
    """
    argv, operands = _operands(argv)
    argv = _without_help(argv)
    position = _position(argv)
    if position is None:
        first = first_parser()
        _, left = first.parse_known_args(argv if argv else ["--help"])
        if left:
            from torchlock.cli.wrong_use import unknown_words

            raise unknown_words(left, first, _parsers)
        raise InputError("no command was given", hint="torchlock --help lists the commands")
    command = argv[position]
    if command not in COMMANDS:
        from torchlock.cli.wrong_use import unknown_command

        raise unknown_command(command, COMMANDS)
    words = [*argv[:position], *argv[position + 1 :], *operands]
    if "-h" in words or "--help" in words:  # also where a configuration file cannot be used
        parser_of(command)[0].parse_intermixed_args(words)
    finder = Finder(Choice.of(argv, os.environ), os.environ)
    arguments = arguments_of(command, words, finder, os.environ)
    arguments.argv = [*argv, *operands]
    arguments.unused_variables = unused_variables(_parsers)
    return arguments


def arguments_of(
    command: str, words: Sequence[str], finder: Finder, environ: Mapping[str, str]
) -> argparse.Namespace:
    """The arguments of a command, from the words after its name; ``environ`` has the variables that set defaults.

    Raises:
        InputError: wrong use, or an invalid default.
    """
    with_files = partial(_parsed, command, words, environ)
    arguments = with_files(finder.files(current_folder()))
    arguments.command = command
    arguments.run = partial(_run, command)
    arguments.argv = [command, *words]
    arguments.finder = finder
    arguments.with_files = with_files
    return arguments


def _position(argv: Sequence[str]) -> int | None:
    """The place of the command; of the first word that is not an option, if there is no command; None without one.

    Options of all commands may stand before it: a word after an unknown option may be its value.
    """
    first = None
    is_value = is_unsure = False
    for index, word in enumerate(argv):
        if word.startswith("-") and not is_value:
            is_value, is_unsure = word in _COMMON_VALUED, word not in _COMMON and "=" not in word
        elif is_value:
            is_value = False
        elif word in COMMANDS or not is_unsure:
            return index
        else:
            first, is_unsure = index if first is None else first, False
    return first


def _without_help(argv: Sequence[str]) -> Sequence[str]:
    """The command line with ``help``, ``help COMMAND`` and ``help RULE`` as the commands that do the same."""
    position = _position(argv)
    if position is None or argv[position] != "help":
        return argv
    others = [*argv[:position], *argv[position + 1 :]]
    named = _position(others)
    if named is not None:
        from torchlock.jobs.rule_names import is_rule

        if is_rule(others[named]):
            return ["rules", *others]
    return [*others, "--help"]


@cache
def _parsers() -> tuple[_Parser, ...]:
    """The parsers of all commands, to look at their options."""
    return tuple(parser_of(command)[0] for command in COMMANDS)


def _parsed(
    command: str, words: Sequence[str], environ: Mapping[str, str], files: Sequence[ConfigFile]
) -> argparse.Namespace:
    """The arguments of a command; missing options come from variables, then from these files."""
    parser, named_only = parser_of(command)
    settings = settings_of(parser, named_only, is_option, files, environ)
    settings.yield_to(words)
    parser.set_defaults(**settings.values)
    usage, parser.usage = parser.usage, ""  # else argparse formats it for messages that it never writes
    arguments, left = parser.parse_known_intermixed_args(words)
    parser.usage = usage
    if left:
        from torchlock.cli.wrong_use import unknown_words

        raise unknown_words(left, parser, _parsers)
    arguments.settings = settings
    arguments.config_files = files
    return arguments


def _operands(argv: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """The words before ``--``, and the words after it, which are always files or requirements.

    A program that passes file names (pre-commit) would also pass a file that somebody called ``--fix``.

    Raises:
        InputError: a word is an option and also the name of a file.
    """
    at = argv.index("--") if "--" in argv else len(argv)
    for word in argv[:at]:
        if word.startswith("-") and word != "-" and _is_there(word):
            raise InputError(
                f"{word} is an option and also the name of a file here",
                hint=f"write ./{word} if the file is meant; otherwise rename the file",
            )
    return argv[:at], [f"./{word}" if word.startswith("-") and word != "-" else word for word in argv[at + 1 :]]


def _is_there(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a zero byte
        return False


def first_parser() -> argparse.ArgumentParser:
    """The parser of the options before a command, whose help lists the commands."""
    width = max(map(len, SUMMARIES))
    commands = "\n".join(f"  {name:{width}}  {summary}" for name, summary in SUMMARIES.items())
    described = _DESCRIPTION.format(commands=commands)
    parser = _Parser(prog="torchlock", description=described, formatter_class=_Formatter, allow_abbrev=False)
    parser.add_argument("-V", "--version", action="version", version=f"torchlock {__version__}")
    add_messages(parser)
    return parser


def parser_of(command: str) -> tuple[_Parser, frozenset[str]]:
    """The parser of a command, and the names of its options that defaults do not set."""
    options = import_module(f"torchlock.cli.options.{command}")
    parser = _Parser(
        prog=f"torchlock {command}",
        description=options.DESCRIPTION,
        epilog=options.EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    options.add_options(parser)
    add_configuration(parser)
    add_messages(parser)
    return parser, getattr(options, "NAMED_ONLY", frozenset())


def is_option(name: str, value: object) -> bool:
    """Whether any command has an option of this name that accepts the value; for a list, a repeatable one."""
    options = (parser._option_string_actions.get(f"--{name}") for parser in _parsers())
    found = [option for option in options if option is not None]
    if isinstance(value, list):
        return any(isinstance(option.default, list) for option in found)
    return any(option.choices is None or value in option.choices for option in found)


def _run(command: str, arguments: argparse.Namespace, console: Console) -> int:
    """Import and run a command. It is imported here so that --help and wrong use are fast."""

    if command not in ("data", "fetch", "config", "rules", "completion", "schema", "lsp", "mcp"):
        _tell_of_update(command, console)
    with blamed(arguments):
        code: int = import_module(_HOMES.get(command, f"torchlock.cli.{command}")).run(arguments, console)
    return code


@contextlib.contextmanager
def blamed(arguments: argparse.Namespace) -> Iterator[None]:
    """A block whose errors name the setting that is to blame, and only options that the command has.

    Raises:
        TorchlockError: the block raised one.
    """
    try:
        yield
    except TorchlockError as error:
        from torchlock.cli.hints import followable

        error.hint = followable(error.hint, _options_of(arguments.command), _all_options)
        found = arguments.settings.blamed(error, arguments.argv)
        raise found from (None if found is not error else error.__cause__)


def _options_of(command: str) -> frozenset[str]:
    return frozenset(parser_of(command)[0]._option_string_actions)


def _all_options() -> frozenset[str]:
    return frozenset[str]().union(*map(_options_of, COMMANDS))


def _tell_of_update(command: str, console: Console) -> None:
    """Say that the data of an update are not used, or that they are; a lock says that itself."""
    from torchlock.knowledge import tables

    if why := tables.ignored():
        console.say("note", why)
    elif command != "lock" and (found := tables.overlay()) and found.adds:
        console.say("note", f"judged with the data that torchlock data update made on {found.date}")
