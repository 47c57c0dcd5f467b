"""The commands, their options and their operands as plain values, for completion scripts and the manual page."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from torchlock.cli.parser import COMMANDS, SUMMARIES, first_parser, parser_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

# What a value is, by the name that the help gives it.
_FILES = frozenset({"FILE", "FILE|URL", "LOCK", "OLD", "NEW", "PATH"})
_FOLDERS = frozenset({"DIR", "FOLDER", "ENV"})
# Where the first sentence of a help text ends, for a list of completions.
_SHORT = re.compile(r" \((?=default|repeatable)|; |: |\. ")


class Value(NamedTuple):
    """The value of an option, or an operand.

    ``name`` is its name in the help (FILE). ``kind`` is ``file``, ``folder`` or ``word``. ``words`` are all of its
    values if ``is_closed``, else some that are likely.
    """

    name: str
    kind: str
    words: tuple[str, ...] = ()
    is_closed: bool = False


class Option(NamedTuple):
    """An option: its spellings, the short one first, its help, and its value (None for a switch)."""

    flags: tuple[str, ...]
    help: str
    value: Value | None
    is_repeatable: bool

    @property
    def short_help(self) -> str:
        """The first sentence of the help."""
        return _SHORT.split(self.help, maxsplit=1)[0]


class Operand(NamedTuple):
    """A positional argument. ``is_many``: all further ones are the same."""

    value: Value
    help: str
    is_many: bool


class Group(NamedTuple):
    """Options under one heading of the help."""

    title: str
    about: str
    options: tuple[Option, ...]
    operands: tuple[Operand, ...]


class Command(NamedTuple):
    """A command. For ``torchlock`` itself, ``name`` is empty and the options are those before a command."""

    name: str
    summary: str
    description: str
    epilog: str
    groups: tuple[Group, ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """The options of all groups."""
        return tuple(option for group in self.groups for option in group.options)

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The operands of all groups."""
        return tuple(operand for group in self.groups for operand in group.operands)


@lru_cache(maxsize=1)
def interface() -> tuple[Command, ...]:
    """``torchlock`` itself, then each command in the order of the help."""
    summary = "lock, audit and check environments of the PyTorch audio stack"
    return (
        _command("", summary, first_parser()),
        *(_command(name, SUMMARIES[name], parser_of(name)[0]) for name in COMMANDS),
    )


def _command(name: str, summary: str, parser: argparse.ArgumentParser) -> Command:
    groups = tuple(group for each in parser._action_groups if (group := _group(name, each)) is not None)
    return Command(name, summary, parser.description or "", parser.epilog or "", groups)


def _group(command: str, group: argparse._ArgumentGroup) -> Group | None:
    actions = group._group_actions
    options = tuple(_option(command, each) for each in actions if each.option_strings)
    operands = tuple(_operand(command, each) for each in actions if not each.option_strings)
    if not actions:
        return None
    return Group(group.title or "", group.description or "", options, operands)


def _option(command: str, action: argparse.Action) -> Option:
    flags = tuple(sorted(action.option_strings, key=len))
    value = None if action.nargs == 0 else _value(command, flags[-1][2:], action)
    is_repeatable = value is not None and isinstance(action.default, list)
    return Option(flags, _help(action), value, is_repeatable)


def _operand(command: str, action: argparse.Action) -> Operand:
    return Operand(_value(command, action.dest, action), _help(action), action.nargs in ("*", "+"))


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _value(command: str, name: str, action: argparse.Action) -> Value:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices is not None:
        return Value(metavar, "word", tuple(map(str, action.choices)), is_closed=True)
    if metavar in _FOLDERS:
        return Value(metavar, "folder")
    if metavar in _FILES:
        return Value(metavar, "file")
    return Value(metavar, "word", tuple(_likely(command, name)))


def _likely(command: str, name: str) -> Iterator[str]:
    """Values that the tables know for an option or an operand that takes others, too."""
    if name == "platform":
        from torchlock.target import PLATFORMS

        yield from ("host", *PLATFORMS)
    elif name == "accelerator":
        from torchlock.knowledge.build_files import folders

        yield from ("auto", "pypi", *folders())
    elif name == "system":
        from torchlock.knowledge.systems import names

        yield from ("host", "none", *names())
    elif name in ("ignore", "rules"):
        yield from _rules()
    elif name == "of":
        yield from COMMANDS
    elif name == "requirements" and command != "upgrade":
        from torchlock.knowledge.stack import FAMILY

        yield from sorted(FAMILY)
        yield from _rules() if command == "explain" else ()


def _rules() -> tuple[str, ...]:
    from torchlock.knowledge.rules import Matrix

    return tuple(Matrix().rules())
