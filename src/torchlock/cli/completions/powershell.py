"""The completion script of PowerShell, for 5.1 and later."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.cli.interface import Command

_HEAD = """\
# Completion of torchlock for PowerShell. Written by: torchlock completion powershell

Register-ArgumentCompleter -Native -CommandName torchlock -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
"""
_TAIL = """\

    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    $command = @($words | Where-Object { $commands.Contains($_) } | Select-Object -First 1)
    $name = if ($command.Count) { $command[0] } else { '' }
    $before = if ($words.Count) { $words[-1] } else { '' }
    if ($values[$name].ContainsKey($before)) {
        $found = $values[$name][$before] | ForEach-Object { @{ Text = $_; Help = $_ } }
    } elseif ($wordToComplete.StartsWith('-')) {
        $found = $options[$name].GetEnumerator() | Sort-Object Key |
            ForEach-Object { @{ Text = $_.Key; Help = $_.Value } }
    } elseif ($name -eq '') {
        $found = $commands.GetEnumerator() | ForEach-Object { @{ Text = $_.Key; Help = $_.Value } }
    } else {
        $found = $operands[$name] | ForEach-Object { @{ Text = $_; Help = $_ } }
    }
    # Without a result, PowerShell completes the names of files.
    $found | Where-Object { $_ -and $_.Text -like "$wordToComplete*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_.Text, $_.Text, 'ParameterValue', $_.Help)
    }
}
"""


def script(commands: Sequence[Command]) -> str:
    """The script for these commands, of which the first is ``torchlock`` itself."""
    return "\n".join(_lines(commands)) + "\n" + _TAIL


def _lines(commands: Sequence[Command]) -> Iterator[str]:
    yield _HEAD
    yield "    $commands = [ordered]@{"
    yield from (f"        {_quoted(each.name)} = {_quoted(each.summary)}" for each in commands[1:])
    yield from ("    }", "    $options = @{}", "    $values = @{}", "    $operands = @{}")
    for command in commands:
        name = _quoted(command.name)
        yield f"    $options[{name}] = New-Object System.Collections.Hashtable"
        yield f"    $values[{name}] = New-Object System.Collections.Hashtable"
        for option in command.options:
            for flag in option.flags:
                yield f"    $options[{name}][{_quoted(flag)}] = {_quoted(option.short_help)}"
                if option.value is not None:
                    yield f"    $values[{name}][{_quoted(flag)}] = {_list(option.value.words)}"
        words = dict.fromkeys(word for operand in command.operands for word in operand.value.words)
        yield f"    $operands[{name}] = {_list(words)}"


def _list(words: Iterable[str]) -> str:
    return f"@({', '.join(map(_quoted, words))})"


def _quoted(text: str) -> str:
    """A string without variables. Typographic apostrophes end a string of PowerShell, too."""
    inner = "".join(letter * 2 if letter in "'‘’‚‛" else letter for letter in text)
    return f"'{inner}'"
