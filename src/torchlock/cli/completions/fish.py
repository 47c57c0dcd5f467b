"""The completion script of fish."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.cli.interface import Command, Option, Value

_HEAD = """\
# Completion of torchlock for fish. Written by: torchlock completion fish

function __torchlock_command --description 'Whether the command of this line is the given one, or none is there'
    for word in (commandline --tokenize --cut-at-cursor --current-process)[2..]
        if contains -- $word COMMANDS
            test "$word" = "$argv[1]"
            return
        end
    end
    test -z "$argv[1]"
end

complete --command torchlock --erase
"""


def script(commands: Sequence[Command]) -> str:
    """The script for these commands, of which the first is ``torchlock`` itself."""
    return "\n".join(_lines(commands)) + "\n"


def _lines(commands: Sequence[Command]) -> Iterator[str]:
    yield _HEAD.replace("COMMANDS", " ".join(each.name for each in commands[1:]))
    none = _condition("")
    for command in commands[1:]:
        yield f"complete -c torchlock {none} -f -a {command.name} -d {_quoted(command.summary)}"
    for command in commands:
        condition = _condition(command.name)
        yield ""
        yield from (f"complete -c torchlock {condition} {_option(option)}" for option in command.options)
        for operand in command.operands:
            if operand.value.words:
                files = "-f " if operand.value.is_closed else ""
                yield f"complete -c torchlock {condition} {files}-a {_words(operand.value)}"


def _condition(command: str) -> str:
    return f"""-n '__torchlock_command "{command}"'"""


def _option(option: Option) -> str:
    names = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
    return f"{' '.join(names)}{_value(option.value)} -d {_quoted(option.short_help)}"


def _value(value: Value | None) -> str:
    if value is None:
        return ""
    if value.kind == "file":
        return " -r -F"
    if value.kind == "folder":
        return " -x -a '(__fish_complete_directories)'"
    return f" -x -a {_words(value)}" if value.words else " -x"


def _words(value: Value) -> str:
    return _quoted(" ".join(value.words))


def _quoted(text: str) -> str:
    inner = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{inner}'"
