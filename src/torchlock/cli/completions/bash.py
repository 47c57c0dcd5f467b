"""The completion script of bash, for 3.2 (macOS) and later."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.cli.interface import Command

_HEAD = """\
# Completion of torchlock for bash. Written by: torchlock completion bash

_torchlock() {
    local current=${COMP_WORDS[COMP_CWORD]} before='' command='' words='' index
    if ((COMP_CWORD > 0)); then
        before=${COMP_WORDS[COMP_CWORD - 1]}
    fi
    # bash takes --format=json for three words.
    if [[ $current == '=' ]]; then
        current=''
    elif [[ $before == '=' ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in"""
_TAIL = """\
    esac
    # Without a word, bash completes the names of files.
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -o default -o bashdefault -F _torchlock torchlock
"""


def script(commands: Sequence[Command]) -> str:
    """The script for these commands, of which the first is ``torchlock`` itself."""
    return "\n".join(_lines(commands)) + "\n" + _TAIL


def _lines(commands: Sequence[Command]) -> Iterator[str]:
    yield _HEAD
    yield f"        {' | '.join(each.name for each in commands[1:])})"
    yield "            command=${COMP_WORDS[index]}"
    yield from ("            break", "            ;;", "        esac", "    done", "    case $command in")
    for command in commands:
        yield f"    {command.name or chr(39) * 2})"
        yield "        case $before in"
        yield from _values(command)
        yield "        *)"
        flags = " ".join(flag for option in command.options for flag in option.flags)
        first = [each.name for each in commands[1:]] if not command.name else _operands(command)
        yield f"            if [[ $current == -* ]]; then words={shlex.quote(flags)}"
        yield f"            else words={shlex.quote(' '.join(first))}; fi"
        yield from ("            ;;", "        esac", "        ;;")


def _values(command: Command) -> Iterator[str]:
    """The words for the value of each option; without words, bash completes the names of files."""
    others: list[str] = []
    for option in command.options:
        if option.value is not None and option.value.words:
            yield f"        {' | '.join(option.flags)}) words={shlex.quote(' '.join(option.value.words))} ;;"
        elif option.value is not None:
            others += option.flags
    if others:
        yield f"        {' | '.join(others)}) ;;"


def _operands(command: Command) -> list[str]:
    return list(dict.fromkeys(word for operand in command.operands for word in operand.value.words))
