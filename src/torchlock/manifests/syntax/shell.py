"""Shell commands split into words, with their positions; nothing is run.

Quotes, continued lines, comments, variables with known values, heredocs and the keywords of branches are
understood (POSIX shell and bash); the output of ``$(…)`` is unknown.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from torchlock.location import Span
from torchlock.manifests.syntax.expansion import Expansion
from torchlock.manifests.syntax.shell_conditions import Branch, holds
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = pattern(r"[^\s\\'\"$`;&|()<>]+")
_IN_QUOTES = pattern(r"[^\"\\$`]+")
_BLANK = pattern(r"(?:[ \t\f\v]|\\\r?\n)+")
# A Dockerfile ignores comments and empty lines behind a continued line.
_SKIPPED = pattern(r"(?:[ \t]*(?:#[^\n]*\n|\r?\n))*")
_OPERATOR = pattern(r"&&|\|\||;;&?|;&|[;&|()]|\r?\n|\r")
_REDIRECT = pattern(r"(?:&>>?|<<<|<<-?|[<>]{1,2}[&|]?)")
_BRACED = pattern(r"\{(\w+)(?::?[-=]([^{}$`\\\"']*))?\}")
_MAKE = pattern(r"[({](\w[\w.]*(?:-[\w.-]*(?=[)}:=]))?)(?::?[-=]([^{}()$`\\\"']*))?[)}]")
_NAME = pattern(r"[A-Za-z_]\w*|[0-9@*#?!$-]")
_OPENING = {"if", "case"}
_CLOSING = {"fi", "esac"}
_BRANCHING = {"else", "elif"}
_PASSED = {"then", "do", "else", "elif", "!", "{", "}", "time", "if", "while", "until"}


@dataclass(slots=True)
class Word:
    """One word as the command gets it.

    ``content`` is the span of exactly these characters, None if the text spells them differently. ``unknown`` are
    the variables in it without a known value; ``value`` has them as written.
    """

    value: str
    start: int
    end: int
    content: Span | None = None
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class Redirect:
    """``>file``; ``glued`` is the word right before it, without a space; ``body`` has the lines of a heredoc."""

    operator: str
    start: int
    glued: Word | None
    target: Word | None
    body: Span | None = None


@dataclass(slots=True)
class Command:
    """A simple command. ``branch`` names its branch, "" if it always runs; ``feeder`` is before ``|``."""

    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    branch: str = ""
    feeder: Command | None = None


def commands(
    text: str,
    start: int,
    end: int,
    variables: dict[str, str | None],
    *,
    docker: bool = False,
    make: bool = False,
) -> Iterator[Command]:
    """The commands in a part of a text, one after the other.

    ``variables`` maps names to values, None for unknown ones; changes by the caller between two commands apply to
    the later one. ``docker``: the part is an instruction of a Dockerfile; ``make``: it is a recipe of make, where
    ``$(NAME)`` is a variable and ``$$`` a dollar.
    """
    return _Lexer(text, start, end, variables, docker, make).run()


def line_of(text: str, place: int) -> int:
    """The number of the line that contains an offset of a text."""
    return bisect_left(_newlines(text), place) + 1


@lru_cache(maxsize=4)
def _newlines(text: str) -> list[int]:
    return [match.start() for match in re.finditer("\n", text)]


class _Lexer:
    def __init__(
        self, text: str, start: int, end: int, variables: dict[str, str | None], docker: bool, make: bool
    ) -> None:
        self._text = text
        self._at = start
        self._end = end
        self._variables = variables
        self._docker = docker
        self._make = make
        self._branches: list[Branch] = []
        self._heredocs: list[tuple[str, Redirect]] = []
        self._named: dict[str, int] = {}
        self._values = Expansion()

    def run(self) -> Iterator[Command]:
        before, last = "", Command()
        while self._at < self._end:
            begun = self._at
            command, operator = self._command()
            if before == "|":
                command.feeder = last
            # An open pipe may go on in the next line.
            last = last if before == "|" and not command.words and operator in ("\n", "\r\n") else command
            operator = "|" if last is not command else operator
            for taken in self._branched(command, begun, operator, alternative=before == "||"):
                if not any(branch.runs is False for branch in self._branches):
                    yield taken
            if operator == ";;" and self._branches:
                self._branches[-1] = Branch(self._at)
            before = operator

    def _branched(self, command: Command, begun: int, operator: str, *, alternative: bool) -> Iterator[Command]:
        """The command without ``if`` and the like, with its branch."""
        words = command.words
        while words and (words[0].value in _PASSED | _OPENING | _CLOSING) and words[0].content is not None:
            keyword = words.pop(0).value
            # Only a test that is the whole condition decides.
            held = holds(words, self._text) if operator in (";", "\n", "\r\n") else None
            if keyword in _OPENING:
                self._branches.append(Branch(begun, held if keyword == "if" else None))
            elif keyword in _CLOSING and self._branches:
                self._branches.pop()
            elif keyword in _BRANCHING and self._branches:
                self._branches[-1] = self._branches[-1].next(begun, True if keyword == "else" else held)
            if keyword == "case":
                return
        if words and words[0].value == "for" and len(words) > 1:
            self._variables[words[1].value] = None
            return
        open_ones = [branch.place for branch in self._branches if branch.runs is None]
        place = begun if alternative else open_ones[-1] if open_ones else None
        command.branch = "" if place is None else self._name_of(place)
        if words:
            yield command

    def _name_of(self, place: int) -> str:
        """The name of a branch: its first line, and its column if the line has several branches."""
        number = line_of(self._text, place)
        name = f"line-{number}"
        if self._named.setdefault(name, place) != place:
            name = f"line-{number}-{place - self._text.rfind(chr(10), 0, place)}"
        return name

    def _command(self) -> tuple[Command, str]:
        """The next command, and the operator that ends it."""
        command = Command()
        while self._at < self._end:
            self._blank()
            if self._at >= self._end:
                break
            text, at = self._text, self._at
            if text[at] == "#" and (at == 0 or text[at - 1] in " \t\r\n;&|("):
                self._comment()
                continue
            redirect = _REDIRECT.match(text, at, self._end)
            if redirect:
                self._redirect(command, redirect)
                continue
            operator = _OPERATOR.match(text, at, self._end)
            if operator:
                self._at = operator.end()
                if operator[0][-1] in "\r\n":
                    self._skip_heredocs()
                return command, operator[0]
            command.words.append(self._word())
        return command, ""

    def _blank(self) -> None:
        while blank := _BLANK.match(self._text, self._at, self._end):
            self._at = blank.end()
            if self._docker and self._text[self._at - 1] == "\n":
                skipped = _SKIPPED.match(self._text, self._at, self._end)
                self._at = skipped.end() if skipped else self._at

    def _comment(self) -> None:
        newline = self._text.find("\n", self._at, self._end)
        self._at = self._end if newline < 0 else newline

    def _redirect(self, command: Command, match: re.Match[str]) -> None:
        last = command.words[-1] if command.words else None
        glued = last if last is not None and last.end == match.start() else None
        if glued is not None and glued.value.isdigit():
            command.words.pop()
            glued = None
        self._at = match.end()
        self._blank()
        stopped = self._at >= self._end or _OPERATOR.match(self._text, self._at, self._end)
        target = None if stopped else self._word()
        made = Redirect(match[0], match.start(), glued, target)
        if match[0] in ("<<", "<<-") and target is not None:
            self._heredocs.append((target.value, made))
        command.redirects.append(made)

    def _skip_heredocs(self) -> None:
        """Skip the lines that commands before this line's end read as their input."""
        for word, redirect in self._heredocs:
            closing = re.compile(rf"^[ \t]*{re.escape(word)}[ \t]*\r?$", re.MULTILINE)
            found = closing.search(self._text, self._at, self._end)
            redirect.body = Span(self._at, found.start() if found else self._end)
            self._at = found.end() if found else self._end
        self._heredocs.clear()

    def _word(self) -> Word:
        start, parts, unknown = self._at, [], []  # type: int, list[str], list[str]
        while self._at < self._end:
            plain = _PLAIN.match(self._text, self._at, self._end)
            character = self._text[self._at]
            if plain:
                parts.append(plain[0])
                self._at = plain.end()
            elif character == "\\":
                if _BLANK.match(self._text, self._at, self._end):
                    break
                parts.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif character == "'":
                closing = self._text.find("'", self._at + 1, self._end)
                closing = self._end if closing < 0 else closing
                parts.append(self._text[self._at + 1 : closing])
                self._at = closing + 1
            elif character == '"':
                self._quoted(parts, unknown)
            elif character in "$`":
                self._expansion(parts, unknown)
            elif self._at == start:  # A character that begins no word and that no other rule takes.
                parts.append(character)
                self._at += 1
            else:
                break
        self._at = min(self._at, self._end)
        value = "".join(parts)
        return Word(value, start, self._at, self._content(value, start, self._at), tuple(unknown))

    def _content(self, value: str, start: int, end: int) -> Span | None:
        raw = self._text[start:end]
        if raw == value:
            return Span(start, end)
        quoted = len(raw) > 1 and raw[0] in "\"'" and raw[0] == raw[-1] and raw[1:-1] == value
        return Span(start + 1, end - 1) if quoted else None

    def _quoted(self, parts: list[str], unknown: list[str]) -> None:
        self._at += 1
        while self._at < self._end and self._text[self._at] != '"':
            plain = _IN_QUOTES.match(self._text, self._at, self._end)
            if plain:
                parts.append(plain[0])
                self._at = plain.end()
            elif self._text[self._at] == "\\":
                following = self._text[self._at + 1 : self._at + 2]
                parts.append(following if following in '"\\$`' else "" if following == "\n" else f"\\{following}")
                self._at += 2
            else:
                self._expansion(parts, unknown)
        self._at += 1

    def _expansion(self, parts: list[str], unknown: list[str]) -> None:
        """``$NAME``, ``${NAME:-default}``, ``$(command)`` and the like, at the current place."""
        if self._make:
            self._at += self._text.startswith("$$", self._at)
        start = self._at
        if self._text[start] == "`":
            closing = self._text.find("`", start + 1, self._end)
            self._at = self._end if closing < 0 else closing + 1
        else:
            braced = (_MAKE if self._make else _BRACED).match(self._text, start + 1, self._end)
            named = _NAME.match(self._text, start + 1, self._end)
            if braced or named:
                match = braced or named
                assert match is not None
                self._at = match.end()
                name = match[1] if braced else match[0]
                value = self._variables.get(name)
                if not value and braced and braced[2] is not None and (name not in self._variables or value == ""):
                    value = braced[2]
                value = self._values.take(value)
                if value is not None:
                    parts.append(value)
                    return
            elif self._text[start + 1 : start + 2] in ("(", "{"):
                self._at = self._closing(start + 1)
            else:
                self._at = start + 1
                parts.append("$")
                return
        parts.append(self._text[start : self._at])
        unknown.append(self._text[start : self._at])

    def _closing(self, at: int) -> int:
        """The offset behind the bracket that closes the one at this offset."""
        opening = self._text[at]
        closing = {"(": ")", "{": "}"}[opening]
        depth = 0
        for place in range(at, self._end):
            depth += (self._text[place] == opening) - (self._text[place] == closing)
            if depth == 0:
                return place + 1
        return self._end
