"""Words that a program gives to a command: ``xargs pip install < FILE``, ``pip install $(cat FILE)``."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

from torchlock.manifests.syntax.shell import Command, Word, commands
from torchlock.records import replace

# Options of xargs with a value in the next word.
_XARGS_VALUED = {
    *("-n", "-L", "-P", "-s", "-d", "-a", "-I", "-E", "--max-args", "--max-lines", "--max-procs", "--max-chars"),
    *("--delimiter", "--arg-file", "--replace"),
}
# Options that run the command once for each word or line.
_ONE_BY_ONE = re.compile(r"-n1?|-L1?|-I.*|-i.*|--(?:max-args|max-lines|replace)(?:=.*)?")
_PARALLEL_VALUED = {"-j", "--jobs", "-n", "--max-args", "-a", "--arg-file", "-S", "--delay", "--retries"}
_PLACEHOLDER = re.compile(r"\{\}|\{[1#%.]\}|%")
# Commands of grep that leave out comments and empty lines, which a requirements file may have.
_OF_COMMENTS = re.compile(r"(?:[\^\\s*#$|()\[\]+E ]|\[:space:\]|\[:blank:\])+")
_OUTPUT = re.compile(r"\$\((.*)\)|`(.*)`", re.DOTALL)
# No real pipeline is longer.
_MOST = 10


class Given(NamedTuple):
    """What a command gets: the words of these files, and these words; if not ``known``, perhaps others."""

    files: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()
    known: bool = True


class Fed(NamedTuple):
    """The command that ``xargs`` or ``parallel`` runs, without the words that it gets from elsewhere.

    ``one_by_one``: it runs for each word.
    """

    words: list[Word]
    given: Given
    one_by_one: bool


_UNKNOWN = Given(known=False)


def fed_by_xargs(words: list[Word], command: Command) -> Fed:
    """The command behind the options of ``xargs``."""
    at, one_by_one, files = _behind_options(words, _XARGS_VALUED)
    given = Given(tuple(files)) if files else _input(command)
    return Fed(_without_placeholder(words[at:]), given, one_by_one)


def fed_by_parallel(words: list[Word], command: Command) -> Fed:
    """The command behind the options of GNU ``parallel``, with the words behind ``:::``."""
    at, _, files = _behind_options(words, _PARALLEL_VALUED)
    inner = list(takewhile(lambda word: not word.value.startswith(":::"), words[at:]))
    rest = words[at + len(inner) :]
    if not rest:
        given = Given(tuple(files)) if files else _input(command)
    elif any(word.value.startswith(":::") for word in rest[1:]):
        given = _UNKNOWN
    else:
        given = Given(words=tuple(rest[1:])) if rest[0].value == ":::" else Given(tuple(rest[1:]))
    return Fed(_without_placeholder(inner), given, one_by_one=True)


def fed_by_find(words: list[Word]) -> Fed | None:
    """The command of ``find … -exec COMMAND {} +``; which files it gets is unknown here."""
    starts = [at for at, word in enumerate(words) if word.value in ("-exec", "-execdir", "-ok")]
    if not starts:
        return None
    inner = list(takewhile(lambda word: word.value not in (";", "+"), words[starts[0] + 1 :]))
    return Fed(_without_placeholder(inner), _UNKNOWN, one_by_one=False)


def printed_by(word: Word) -> Given:
    """The words that a substitution becomes: ``$(cat FILE)``, ``$(< FILE)``, ``$(grep -v '^#' FILE)``."""
    match = _OUTPUT.fullmatch(word.value)
    if match is None or word.unknown != (word.value,):
        return _UNKNOWN
    inner = match[1] or match[2] or ""
    found = list(commands(inner, 0, len(inner), {}))
    if not found and (file := re.fullmatch(r"\s*<\s*([^\s<>&|;$`'\"]+)\s*", inner)):
        return Given((_moved(Word(file[1], 0, 0), word),))
    last = found[-1] if found else None
    if last is None or (len(found) > 1 and last.feeder is None):
        return _UNKNOWN
    given = _printed(last)
    return Given(tuple(_moved(each, word) for each in given.files), (), given.known and not given.words)


def _moved(inner: Word, word: Word) -> Word:
    return replace(inner, start=word.start, end=word.end, content=None)


def _behind_options(words: list[Word], valued: set[str]) -> tuple[int, bool, list[Word]]:
    """Where the command begins, whether it runs once for each word, and the files of ``-a``."""
    at, one_by_one, files = 0, False, []
    while at < len(words) and words[at].value.startswith("-"):
        value = words[at].value
        following = words[at + 1] if at + 1 < len(words) else None
        if _ONE_BY_ONE.fullmatch(value):
            counts = value in ("-n", "-L", "--max-args", "--max-lines")
            one_by_one = one_by_one or not counts or (following is not None and following.value == "1")
        if value in ("-a", "--arg-file") and following is not None:
            files.append(following)
        at += 2 if value in valued else 1
    return at, one_by_one, files


def _without_placeholder(words: list[Word]) -> list[Word]:
    return [word for word in words if not _PLACEHOLDER.fullmatch(word.value)]


def _input(command: Command) -> Given:
    """What a command reads from its standard input."""
    read = [each.target for each in command.redirects if each.operator == "<" and each.target is not None]
    if read:
        return Given((read[-1],))
    return _UNKNOWN if command.feeder is None else _printed(command.feeder)


def _printed(command: Command) -> Given:
    """What a command prints, as far as it is the content of files, or its own words."""
    for _ in range(_MOST):
        name = PurePosixPath(command.words[0].value).name if command.words else ""
        plain = [word for word in command.words[1:] if not word.value.startswith("-") or word.value == "-"]
        if name == "cat" and plain:
            return Given(tuple(plain))
        if name in ("echo", "printf") and not any(word.unknown for word in plain):
            return Given(words=tuple(word for word in plain if "%" not in word.value and "\\" not in word.value))
        if name in ("grep", "egrep") and _leaves_out_comments(command.words) and plain:
            if len(plain) > 1:
                return Given(tuple(plain[1:]))
        elif name not in ("cat", "tr", "sort", "uniq", "xargs") or (name != "cat" and len(command.words) > 3):
            return _UNKNOWN
        read = [each.target for each in command.redirects if each.operator == "<" and each.target is not None]
        if read:
            return Given((read[-1],))
        if command.feeder is None:
            return _UNKNOWN
        command = command.feeder
    return _UNKNOWN


def _leaves_out_comments(words: list[Word]) -> bool:
    """Whether a grep only leaves out comments and empty lines."""
    flags = {word.value for word in words if word.value.startswith("-")}
    pattern = next((word.value for word in words[1:] if not word.value.startswith("-")), "")
    is_inverted = bool(flags) and flags <= {"-v", "-vE", "-Ev", "-E", "--invert-match"} and flags != {"-E"}
    return is_inverted and bool(_OF_COMMENTS.fullmatch(pattern)) and bool({"#", "$"} & set(pattern))
