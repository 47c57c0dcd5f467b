"""Functions of a shell script, and the commands that a call of one runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from torchlock.location import Span
from torchlock.manifests.syntax.shell import Command, Word, commands
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD = pattern(r"([ \t]*)(?:function[ \t]+([\w.:-]+)(?:[ \t]*\([ \t]*\))?|([\w.:-]+)[ \t]*\([ \t]*\))[ \t]*\{?")
_ARGUMENT = pattern(r"\$(?:[1-9@*]|\{[1-9@*]\})")
_ALL = pattern(r"\"?\$(?:[@*]|\{[@*]\})\"?")
_ONE = pattern(r"\"?\$(?:([1-9])|\{([1-9])\})\"?")
# No real script calls more functions, or calls them from deeper.
_MOST, _DEEPEST = 200, 8


class Function(NamedTuple):
    """A function: the span of its definition, and of the commands in it."""

    name: str
    span: Span
    body: Span

    def takes_arguments(self, text: str) -> bool:
        """Whether its commands use the words of the call."""
        return _ARGUMENT.search(text, *self.body) is not None


@dataclass(slots=True)
class Functions:
    """The functions of one text whose calls are followed; ``called`` are the names of those that ran."""

    text: str
    by_name: Mapping[str, Function]
    called: set[str] = field(default_factory=set)
    _running: list[str] = field(default_factory=list)
    _calls: int = 0

    def defines(self, command: Command) -> bool:
        """Whether a command belongs to the definition of one of these functions."""
        begun = command.words[0].start if command.words else -1
        return any(begun in range(*each.span) for each in self.by_name.values())

    def commands_of(self, words: list[Word], variables: dict[str, str | None]) -> Iterator[Command] | None:
        """The commands that a call runs, with its words in the place of ``$1`` and ``"$@"``; None for no call.

        ``variables`` are those of the script, which a function shares; ``$1`` to ``$9`` are in it while it runs.
        """
        function = self.by_name.get(words[0].value)
        if function is None or function.name in self._running or len(self._running) >= _DEEPEST:
            return None
        self._calls += 1
        if self._calls > _MOST:
            return None
        self.called.add(function.name)
        return self._run(function, words[1:], variables)

    def _run(
        self, function: Function, arguments: list[Word], variables: dict[str, str | None]
    ) -> Iterator[Command]:
        outer = {name: value for name, value in variables.items() if name.isdigit()}
        variables.update(_numbered(arguments))
        self._running.append(function.name)
        for command in commands(self.text, *function.body, variables):
            if command.words and command.words[0].value == "shift":
                arguments = arguments[1:]
                variables.update(_numbered(arguments))
                continue
            words = [given for word in command.words for given in self._given(word, arguments)]
            yield replace(command, words=words)
        self._running.pop()
        for name in _numbered([]):
            variables.pop(name)
        variables.update(outer)

    def _given(self, word: Word, arguments: list[Word]) -> list[Word]:
        """The words of the call that a word of the function stands for, or the word itself."""
        written = self.text[word.start : word.end]
        if _ALL.fullmatch(written):
            return arguments
        one = _ONE.fullmatch(written)
        number = int(one[1] or one[2]) if one else 0
        return [arguments[number - 1]] if 0 < number <= len(arguments) else [word]


def functions_of(text: str) -> list[Function]:
    """The functions that a script defines, each to the brace that closes it at its own column."""
    found, at, begun, closing = list[Function](), 0, None, ""
    for line in text.splitlines(keepends=True):
        head = _HEAD.match(line) if begun is None else None
        stripped = line.rstrip()
        if head is not None and stripped.endswith("}"):
            body = Span(at + head.end(), at + len(stripped) - 1)
            found.append(Function(head[2] or head[3], Span(at, at + len(line)), body))
        elif head is not None:
            begun, closing = (head[2] or head[3], at, at + head.end()), f"{head[1]}}}"
        elif begun is not None and stripped == closing:
            found.append(Function(begun[0], Span(begun[1], at + len(line)), Span(begun[2], at)))
            begun = None
        at += len(line)
    if begun is not None:
        found.append(Function(begun[0], Span(begun[1], at), Span(begun[2], at)))
    return found


def is_called(name: str, text: str) -> bool:
    """Whether a script begins a command with a name, outside of the definition of that function."""
    return (
        re.search(rf"(?:^|[;&|(]|\b(?:then|do|else))[ \t]*{re.escape(name)}(?=[ \t]+[^ \t(])", text, re.MULTILINE)
        is not None
    )


def _numbered(arguments: list[Word]) -> dict[str, str | None]:
    """``$1`` to ``$9``: what the call gives, None for an unknown word, "" for none."""
    given = [None if word.unknown else word.value for word in arguments[:9]]
    return {str(number): given[number - 1] if number <= len(given) else "" for number in range(1, 10)}
