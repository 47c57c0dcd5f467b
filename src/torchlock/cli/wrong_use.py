"""Errors about words of the command line: what is wrong, in the words of the user, and what was probably meant."""

from __future__ import annotations

import os
import re

from torchlock.errors import InputError
from torchlock.patterns import pattern
from torchlock.redaction import shortened
from torchlock.spelling import meant, question
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Iterable, Sequence

# Commands of other tools, each with the one that does the same.
_ELSEWHERE = {
    **dict.fromkeys(("compile", "resolve", "solve", "freeze", "pin", "install", "sync", "add"), "lock"),
    **dict.fromkeys(("scan", "lint", "validate", "fix"), "audit"),
    **dict.fromkeys(("doctor", "diagnose", "verify", "debug"), "check"),
    **dict.fromkeys(("why", "describe", "show", "info"), "explain"),
    **dict.fromkeys(("download", "wheel", "wheelhouse", "vendor"), "fetch"),
    **dict.fromkeys(("table", "compatibility", "versions"), "matrix"),
    **dict.fromkeys(("update", "outdated", "bump"), "upgrade"),
    **dict.fromkeys(("settings", "configuration"), "config"),
}
# What argparse says, and what is said instead: {0} is the option, {1} what follows.
_ARGUMENT = pattern(r"argument ([^\s:]+): (.*)", re.DOTALL)
_EXCLUDED = pattern(r"not allowed with argument (\S+)")
_INVALID = pattern(r"invalid (\w+) value: (.*)", re.DOTALL)
_REQUIRED = pattern(r"the following arguments are required: (.*)")
_TYPES = {"float": "a number", "int": "a whole number"}


def unknown_command(word: str, commands: Sequence[str]) -> InputError:
    """The error for a word in the place of a command."""
    said = f"unknown command {shortened(word)!r}"
    if other := _ELSEWHERE.get(word.lower()):
        return InputError(f"{said}{question([other])}", hint=_ALL)
    if os.path.exists(word):
        return InputError(f"{said}: this is a file", hint=f"a command comes first: torchlock audit {word}")
    if "==" in word or ">=" in word:
        said += ": this is a requirement"
        return InputError(said, hint=f"a command comes first: torchlock lock '{word}'")
    return InputError(f"{said}{meant(word, (*commands, 'help'))}", hint=_ALL)


_ALL = "torchlock --help lists the commands"


def unknown_words(
    words: Sequence[str], parser: argparse.ArgumentParser, others: Callable[[], Iterable[argparse.ArgumentParser]]
) -> InputError:
    """The error for words that a command does not know.

    ``others`` creates the parsers of all commands: an option may be that of another one.
    """
    word = next((word for word in words if word.startswith("-") and word != "-"), None)
    if word is None:
        return InputError(f"unexpected word {shortened(words[0])!r}", hint=f"{parser.prog} --help shows the usage")
    name = word.partition("=")[0]
    having = [other.prog for other in others() if name in _options_of(other) and other.prog != parser.prog]
    if having:
        commands = f"{', '.join(having[:3])}{' and others' if len(having) > 3 else ''}"
        said = f"{parser.prog} has no option {name}; {commands} {'has' if len(having) == 1 else 'have'} it"
        return InputError(said, hint=f"{parser.prog} --help lists the options")
    plain = [option for option in _options_of(parser) if option.startswith("--")]
    near = meant(f"--{name.lstrip('-')}", plain) if len(name) > 2 else ""
    return InputError(f"unknown option {shortened(name)}{near}", hint=f"{parser.prog} --help lists the options")


def _options_of(parser: argparse.ArgumentParser) -> Collection[str]:
    return [option for action in parser._actions for option in action.option_strings]


def refuse_choice(action: argparse.Action, value: object, where: str = "") -> None:
    """Refuse a value that is not one of the choices of an option or word; ``where`` says what states it.

    Raises:
        InputError: it is not.
    """
    if action.choices is None or value in action.choices:
        return
    choices = [str(choice) for choice in action.choices]
    name = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest).upper()
    said = f"{where or name}: unknown value {shortened(str(value))!r}{meant(str(value), choices)}"
    raise InputError(said, hint=f"use {', '.join(choices[:-1])} or {choices[-1]}")


def usage_error(message: str, prog: str) -> InputError:
    """The error for a message of argparse, which begins with the option."""
    hint = f"{prog} --help lists the options"
    if found := _REQUIRED.fullmatch(message):
        return InputError(f"{found[1]} is missing", hint=f"{prog} --help shows the usage")
    found = _ARGUMENT.fullmatch(message)
    if not found:
        return InputError(message, hint=hint)
    name, said = found[1].rpartition("/")[2], found[2]
    if other := _EXCLUDED.fullmatch(said):
        both = f"{name} and {other[1].rpartition('/')[2]}"
        return InputError(f"{both} exclude each other", hint="use only one of them")
    if invalid := _INVALID.fullmatch(said):
        return InputError(f"{name}: {invalid[2]} is not {_TYPES.get(invalid[1], invalid[1])}", hint=hint)
    if said.startswith("expected"):
        return InputError(f"{name} needs a value", hint=hint)
    return InputError(f"{name}: {said}", hint=hint)
