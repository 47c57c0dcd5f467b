"""The completion script of zsh."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.cli.interface import Command, Operand, Option, Value

_HEAD = """\
#compdef torchlock
# Completion of torchlock for zsh. Written by: torchlock completion zsh

_torchlock() {
    local context state state_descr line
    typeset -A opt_args
    local -a commands
    commands=("""
_MIDDLE = """\
    )
    _arguments -C -S \\"""
_STATES = """\
        '1:command:->command' \\
        '*:: :->operands' && return
    case $state in
    command)
        _describe -t commands 'torchlock command' commands
        ;;
    operands)
        case $words[1] in"""
_TAIL = """\
        esac
        ;;
    esac
}

if [[ $funcstack[1] == _torchlock ]]; then
    _torchlock "$@"
else
    compdef _torchlock torchlock
fi
"""


def script(commands: Sequence[Command]) -> str:
    """The script for these commands, of which the first is ``torchlock`` itself."""
    return "\n".join(_lines(commands)) + "\n" + _TAIL


def _lines(commands: Sequence[Command]) -> Iterator[str]:
    yield _HEAD
    yield from (f"        {_quoted(f'{each.name}:{each.summary}')}" for each in commands[1:])
    yield _MIDDLE
    yield from (f"        {spec} \\" for option in commands[0].options for spec in _option(option))
    yield _STATES
    for command in commands[1:]:
        specs = [spec for option in command.options for spec in _option(option)]
        specs += [_operand(number, operand) for number, operand in enumerate(command.operands, 1)]
        yield f"        {command.name})"
        yield "            _arguments -S \\"
        yield " \\\n".join(f"                {spec}" for spec in specs)
        yield "            ;;"


def _option(option: Option) -> Iterator[str]:
    """One specification for each spelling; the first use excludes all others, unless the option repeats."""
    excluded = "*" if option.is_repeatable else f"({' '.join(option.flags)})"
    value = "" if option.value is None else f":{_escaped(option.value.name)}:{_action(option.value)}"
    for flag in option.flags:
        mark = "" if option.value is None else "=" if flag.startswith("--") else "+"
        yield _quoted(f"{excluded}{flag}{mark}[{_escaped(option.short_help)}]{value}")


def _operand(number: int, operand: Operand) -> str:
    place = "*" if operand.is_many else str(number)
    return _quoted(f"{place}:{_escaped(operand.value.name)}:{_action(operand.value)}")


def _action(value: Value) -> str:
    if value.kind == "file":
        return "_files"
    if value.kind == "folder":
        return "_files -/"
    return f"({' '.join(map(_escaped, value.words))})" if value.words else " "


def _escaped(text: str) -> str:
    """A text in a specification of ``_arguments``, which gives brackets and colons a meaning."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def _quoted(text: str) -> str:
    inner = text.replace("'", "'\\''")
    return f"'{inner}'"
