"""Commands of the two Windows shells (cmd.exe and PowerShell) split into words; nothing is run.

Quotes, escapes, continued lines, comments, variables with known values, and conditions are understood; the output
of ``$(…)`` is unknown.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torchlock.location import Span
from torchlock.manifests.syntax.expansion import Expansion, bounded
from torchlock.manifests.syntax.shell import Command, Redirect, Word, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_REDIRECT = re.compile(r"(?:[0-9*](?=>))?(?:>>?|<)")
_HANDLE = re.compile(r"&[0-9]")
_CMD_VARIABLE = re.compile(r"%(\w+)(?::[^%\r\n]*)?%|!(\w+)!|%%?~?[\w*]+")
_CMD_CONDITION = re.compile(
    r"(?:/i\s+)?(?:not\s+)?(?:exist\s+(?:\"[^\"]*\"|\S+)|defined\s+\S+|errorlevel\s+\S+"
    r"|(?:\"[^\"\r\n]*\"|[^\s=]+)\s*(?:==|\b(?:equ|neq|lss|leq|gtr|geq)\b)\s*(?:\"[^\"\r\n]*\"|[^\s(]+))\s*",
    re.IGNORECASE,
)
_CMD_SET = re.compile(
    r"set[ \t]+(?P<switch>/[ap][ \t]+)?\"?(?P<name>\w+)[ \t]*=(?P<value>[^\r\n&|\"]*)", re.IGNORECASE
)
_CMD_SKIPPED = re.compile(r"(?:rem\b|::)[^\r\n]*", re.IGNORECASE)
_CMD_LABEL = re.compile(r":(\w[\w.-]*)[^\r\n]*")
_CMD_FOR = re.compile(r"for\b[^\r\n]{0,500}?\bdo\b", re.IGNORECASE)

_PS_VARIABLE = re.compile(r"\$(?:\{(?:env:)?(\w+)\}|(?:env:|script:|global:)?([A-Za-z_]\w*))", re.IGNORECASE)
_PS_SET = re.compile(r"\$(?:env:|script:|global:)?([A-Za-z_]\w*)[ \t]*=[ \t]*", re.IGNORECASE)
# A value of a variable that is not a command, as a bare word would be; and the text that may follow it.
_PS_VALUE = re.compile(r"[\"'$]|\d+(?:\.\d+)?[ \t]*[\r\n;]")
# The values of a variable as separate words.
_PS_SPLAT = re.compile(r"@[A-Za-z_]\w*")
_PS_REST = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=[\r\n;}]|\Z)")
_PS_CONDITIONAL = {"if", "elseif", "else", "switch", "catch", "default"}


class _Lexer(ABC):
    """The common part of the two shells."""

    escape = ""
    separators = ""
    plain = re.compile("")

    def __init__(self, text: str, start: int, end: int, variables: dict[str, str | None]) -> None:
        self._text = text
        self._at = start
        self._end = end
        self._variables = variables
        self._expansion = Expansion()
        self._branches: list[str | None] = []  # Branches of the open blocks; None for a plain one.
        self._section = ""

    def run(self) -> Iterator[Command]:
        while self._at < self._end:
            command = self._command()
            if command.words:
                yield command

    def _add(self, command: Command) -> None:
        """Add the next word; the first word decides the branch of the command."""
        if not command.words and not command.branch:
            command.branch = next((branch for branch in reversed(self._branches) if branch), self._section)
        command.words.append(self._word())

    @abstractmethod
    def _command(self) -> Command:
        """The next command; without words if only blanks or a comment are left."""

    @abstractmethod
    def _expand(self, parts: list[str], unknown: list[str]) -> bool:
        """Take a variable at the current offset; False if there is none."""

    def _line(self, at: int) -> str:
        return f"line-{line_of(self._text, at)}"

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        return pattern.match(self._text, self._at, self._end)

    def _blank(self) -> None:
        """Skip spaces and escaped line ends."""
        blank = re.compile(rf"(?:[ \t\f\v\xa0]|{re.escape(self.escape)}\r?\n)+").match(
            self._text, self._at, self._end
        )
        if blank:
            self._at = blank.end()

    def _put(self, variable: str, written: str, parts: list[str], unknown: list[str]) -> None:
        value = self._expansion.take(self._variables.get(variable.lower()))
        parts.append(written if value is None else value)
        if value is None:
            unknown.append(written)

    def _redirect(self, command: Command, match: re.Match[str]) -> None:
        last = command.words[-1] if command.words else None
        glued = last if last is not None and last.end == match.start() else None
        self._at = match.end()
        handle = self._match(_HANDLE)
        if handle:
            self._at = handle.end()
            return
        self._blank()
        target = (
            self._word() if self._at < self._end and self._text[self._at] not in f"{self.separators}\r\n" else None
        )
        command.redirects.append(Redirect(match[0].lstrip("0123456789*"), match.start(), glued, target))

    def _word(self) -> Word:
        start, parts, unknown = self._at, [], []  # type: int, list[str], list[str]
        while self._at < self._end:
            character = self._text[self._at]
            plain = self._match(self.plain)
            if plain:
                parts.append(plain[0])
                self._at = plain.end()
            elif self._quoted(character, parts, unknown) or self._expand(parts, unknown):
                continue
            elif character == self.escape:
                if re.compile(r"\r?\n").match(self._text, self._at + 1):
                    break
                parts.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif self._at == start:
                parts.append(character)
                self._at += 1
            else:
                break
        self._at = min(self._at, self._end)
        value, raw = "".join(parts), self._text[start : self._at]
        quoted = len(raw) > 1 and raw[0] in "\"'" and raw[0] == raw[-1] and raw[1:-1] == value
        content = Span(start, self._at) if raw == value else Span(start + 1, self._at - 1) if quoted else None
        return Word(value, start, self._at, content, tuple(unknown))

    @abstractmethod
    def _quoted(self, character: str, parts: list[str], unknown: list[str]) -> bool:
        """Take quoted text at the current offset; False if there is none."""


class _Batch(_Lexer):
    escape = "^"
    separators = "&|()<>"
    plain = re.compile(r"[^\s\"%!^&|()<>,;]+|[,;](?=\S)")

    def __init__(self, text: str, start: int, end: int, variables: dict[str, str | None]) -> None:
        super().__init__(text, start, end, variables)
        self._jumps = re.search(r"\bgoto\b", text[start:end], re.IGNORECASE) is not None

    def _command(self) -> Command:
        command = Command()
        while self._at < self._end:
            self._blank()
            if self._at >= self._end:
                break
            begun, character = self._at, self._text[self._at]
            if not command.words and self._opening(command):
                continue
            redirect = self._match(_REDIRECT)
            if redirect:
                self._redirect(command, redirect)
            elif character in "\r\n&|":
                self._at += 2 if self._text[begun : begun + 2] in ("\r\n", "&&", "||") else 1
                break
            elif character == "(":
                self._at += 1
                self._branches.append(command.branch or None)
                command.branch = ""
            elif character == ")":
                self._at += 1
                if self._branches:
                    self._branches.pop()
                break
            else:
                self._add(command)
        return command

    def _opening(self, command: Command) -> bool:
        """Words that can replace or precede those of a command."""
        begun = self._at
        skipped, label = self._match(_CMD_SKIPPED), self._match(_CMD_LABEL)
        if self._text[begun] == "@":
            self._at += 1
        elif skipped:
            self._at = skipped.end()
        elif label:
            self._at = label.end()
            self._section = f"label-{label[1].lower()}" if self._jumps else ""
        elif variable := self._match(_CMD_SET):
            self._set(variable)
        elif loop := self._match(_CMD_FOR):
            self._at = loop.end()
        elif words := self._match(re.compile(r"if\s+", re.IGNORECASE)):
            condition = _CMD_CONDITION.match(self._text, words.end(), self._end)
            self._at = condition.end() if condition else words.end()
            command.branch = self._line(begun)
        elif words := self._match(re.compile(r"else\b[ \t]*", re.IGNORECASE)):
            self._at = words.end()
            command.branch = self._line(begun) + "-else"
        else:
            return False
        return True

    def _set(self, match: re.Match[str]) -> None:
        self._at = match.end()
        if self._text[self._at : self._at + 1] == '"':
            self._at += 1
        parts, unknown = [], []  # type: list[str], list[str]
        whole = _CMD_VARIABLE.sub(lambda found: self._value(found, parts, unknown), match["value"])
        name = match["name"].lower()
        under = any(self._branches) and name in self._variables
        self._variables[name] = None if match["switch"] or unknown or under else bounded(whole)

    def _value(self, match: re.Match[str], parts: list[str], unknown: list[str]) -> str:
        self._put(match[1] or match[2] or "", match[0], parts, unknown)
        return parts[-1]

    def _expand(self, parts: list[str], unknown: list[str]) -> bool:
        match = self._match(_CMD_VARIABLE)
        if match:
            self._at = match.end()
            self._put(match[1] or match[2] or "", match[0], parts, unknown)
        elif self._text[self._at] in "%!":
            parts.append(self._text[self._at])
            self._at += 1
        else:
            return False
        return True

    def _quoted(self, character: str, parts: list[str], unknown: list[str]) -> bool:
        if character != '"':
            return False
        self._at += 1
        while self._at < self._end and self._text[self._at] not in '"\r\n':
            if not self._expand(parts, unknown):
                parts.append(self._text[self._at])
                self._at += 1
        self._at += self._text[self._at : self._at + 1] == '"'
        return True


class _PowerShell(_Lexer):
    escape = "`"
    separators = ";|(){}"
    plain = re.compile(r"[^\s\"'$`;|(){}<>&#]+|(?<=\S)#")

    def _command(self) -> Command:
        command = Command()
        while self._at < self._end:
            self._blank()
            if self._at >= self._end:
                break
            begun, character = self._at, self._text[self._at]
            comment = self._match(re.compile(r"<#.*?(?:#>|\Z)|#[^\r\n]*", re.DOTALL))
            setting = self._match(_PS_SET) if not command.words else None
            redirect = self._match(_REDIRECT)
            if comment:
                self._at = comment.end()
            elif setting:
                self._set(setting)
                break
            elif redirect:
                self._redirect(command, redirect)
            elif character == "(" and command.words and command.words[0].value.lower() in _PS_CONDITIONAL:
                self._at = self._closing(begun)
            elif character == "{":
                self._at += 1
                self._branches.append(self._condition(command, begun))
                command = Command()
            elif character in "\r\n;|()}" or (character == "&" and command.words):
                self._at += 2 if self._text[begun : begun + 2] in ("\r\n", "&&", "||") else 1
                if character == "}" and self._branches:
                    self._branches.pop()
                break
            elif character == "&":
                self._at += 1
            else:
                self._add(command)
        return command

    def _word(self) -> Word:
        word = super()._word()
        if _PS_SPLAT.fullmatch(word.value):
            word.unknown = (word.value,)
        return word

    def _condition(self, command: Command, at: int) -> str | None:
        word = command.words[0].value.lower() if command.words else ""
        case = bool(self._branches) and (self._branches[-1] or "").endswith("-switch")
        if word not in _PS_CONDITIONAL and not case:
            return None
        return f"{self._line(at)}-{word if word.isalpha() else 'case'}"

    def _set(self, match: re.Match[str]) -> None:
        """``$name = "value"``; a computed value is unknown."""
        self._at = match.end()
        name = match[1].lower()
        value = _PS_VALUE.match(self._text, self._at)
        word = self._word() if value else None
        rest = _PS_REST.match(self._text, self._at)
        known = word is not None and not word.unknown and rest is not None
        under = any(self._branches) and name in self._variables
        self._variables[name] = bounded(word.value) if known and word is not None and not under else None

    def _closing(self, at: int) -> int:
        depth = 0
        for place in range(at, self._end):
            depth += (self._text[place] == "(") - (self._text[place] == ")")
            if depth == 0:
                return place + 1
        return self._end

    def _expand(self, parts: list[str], unknown: list[str]) -> bool:
        if self._text[self._at] != "$":
            return False
        match = self._match(_PS_VARIABLE)
        if match:
            self._at = match.end()
            self._put(match[1] or match[2], match[0], parts, unknown)
        elif self._text[self._at + 1 : self._at + 2] == "(":
            start, self._at = self._at, self._closing(self._at + 1)
            parts.append(self._text[start : self._at])
            unknown.append(parts[-1])
        else:
            parts.append("$")
            self._at += 1
        return True

    def _quoted(self, character: str, parts: list[str], unknown: list[str]) -> bool:
        if character not in "\"'":
            return False
        self._at += 1
        while self._at < self._end:
            here = self._text[self._at]
            if here == character and self._text[self._at + 1 : self._at + 2] == character:
                parts.append(character)
                self._at += 2
            elif here == character:
                self._at += 1
                break
            elif character == '"' and here == "`":
                parts.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif character == "'" or not self._expand(parts, unknown):
                parts.append(here)
                self._at += 1
        return True


def batch_commands(text: str, start: int, end: int, variables: dict[str, str | None]) -> Iterator[Command]:
    """The commands in a part of a batch file; the variables that they set are added to ``variables``.

    The names in ``variables`` are in lower case.
    """
    return _Batch(text, start, end, variables).run()


def powershell_commands(text: str, start: int, end: int, variables: dict[str, str | None]) -> Iterator[Command]:
    """The commands in a part of a PowerShell script; ``variables`` as in ``batch_commands``."""
    return _PowerShell(text, start, end, variables).run()
