"""The words of a command that installs: what runs it, which program it is, its options and its packages."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from torchlock.manifests.syntax.given_words import printed_by
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.manifests.syntax.shell import Word

# A variable named after pip stands for pip.
PIP = pattern(r"pip(?:3(?:\.\d+)?)?(?:\.exe)?|[$%(){}:]+\w*(?i:pip)\d?[)}%]*")
PYTHON = pattern(r"(?:python|py|pypy)(?:3(?:\.\d+)?)?(?:\.exe)?")
# Several requirements or options in one word, but not one requirement that is written with blanks.
_WORDS = pattern(r"\s*(?:-|[^\W\d]|\d\w*://)[^\s;@]*(?:\s+(?:-|[^\W\d]|\d\w*://)[^\s;@]*)+\s*")
ASSIGNMENT = pattern(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
# Commands that run another command, and their options with a value.
_RUNNERS = {
    "sudo",
    "env",
    "exec",
    "command",
    "nice",
    "nohup",
    "eval",
    "xvfb-run",
    "srun",
    "travis_retry",
    "retry",
    "call",
    "timeout",
    "gosu",
    "su-exec",
}
# Their options with a value in the next word, and how many words stand before the command.
_RUNNER_WORDS: dict[str, tuple[tuple[str, ...], int]] = {
    "sudo": (("-u", "--user", "-g", "--group", "-h", "-p", "-C", "-T"), 0),
    "env": (("-u", "--unset", "-C", "--chdir"), 0),
    "nice": (("-n", "--adjustment"), 0),
    "timeout": (("-k", "--kill-after", "-s", "--signal"), 1),
    "gosu": ((), 1),
    "su-exec": ((), 1),
}
_MANAGERS = {"poetry", "uv", "pipenv", "pdm", "hatch", "rye", "pixi"}
_FOLDER = pattern(r"(?:\.{1,2}|\.{0,2}[/\\][^*?:]*)(?:\[[\w\s,.-]*\])?")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2")


def installs(words: list[Word]) -> bool:
    """Whether a command of pip or uv installs packages that are behind its words."""
    inner = bare(words)
    inner = module_of(inner) or inner
    values = [word.value for word in inner if not word.value.startswith("-")]
    if values[:2] == ["uv", "pip"]:
        values = values[1:]
    return (
        bool(values)
        and bool(PIP.fullmatch(program_of(inner[0])) or values[0] == "pip")
        and "install" in values[1:2]
    )


def read_out(plain: list[Word], options: list[tuple[str, Word]]) -> tuple[list[Word], list[tuple[str, Word]]]:
    """``pip install $(cat FILE)`` as ``pip install -r FILE``, which names the same packages."""
    left: list[Word] = []
    for word in plain:
        given = printed_by(word) if word.unknown else None
        if given is not None and given.known and given.files:
            options = [*options, *(("-r", file) for file in given.files)]
        else:
            left.append(word)
    return left, options


def values_of(words: Iterable[Word]) -> set[str]:
    """The words as the command gets them."""
    return {word.value for word in words}


def folders_of(plain: Iterable[Word], options: Iterable[tuple[str, Word]]) -> list[Word]:
    """The words that name folders with projects."""
    editable = [word for name, word in options if name in ("-e", "--editable") and "://" not in word.value]
    named = [word for word in plain if _FOLDER.fullmatch(word.value) and not word.value.endswith(_ARCHIVES)]
    return [*named, *editable]


def program_of(word: Word) -> str:
    """The name of a program, without its folder."""
    return PurePosixPath(word.value.replace("\\", "/")).name


def module_of(words: list[Word]) -> list[Word] | None:
    """The module that ``python -m`` runs, with the words behind it; None for other commands."""
    if not words or not (PYTHON.fullmatch(program_of(words[0])) or words[0].unknown):
        return None
    at = 1
    while at < len(words) and words[at].value.startswith("-") and words[at].value != "-m":
        at += 1
    return words[at + 1 :] if at < len(words) and words[at].value == "-m" else None


def split_first(words: list[Word], text: str) -> list[Word]:
    """The words of a command, of which a shell splits the first if it is a variable without quotes."""
    if (
        not words
        or words[0].unknown
        or not text.startswith("$", words[0].start)
        or text[words[0].end - 1 : words[0].end] == '"'
    ):
        return words
    return [*(replace(words[0], value=part, content=None) for part in words[0].value.split()), *words[1:]]


def bare(words: list[Word]) -> list[Word]:
    """The command without commands that run it (``sudo -E``, ``poetry run``)."""
    at = 0
    while at < len(words):
        name = program_of(words[at])
        if name in _RUNNERS:
            valued, plain = _RUNNER_WORDS.get(name, ((), 0))
            at += 1
            while at < len(words) and (words[at].value.startswith("-") or ASSIGNMENT.fullmatch(words[at].value)):
                at += 2 if words[at].value in valued else 1
            at += plain
        elif name in _MANAGERS and len(words) > at + 2 and words[at + 1].value == "run":
            if words[at + 2].value.startswith("-"):
                break
            at += 2
        else:
            break
    return words[at:]


def parted(words: list[Word], valued: set[str]) -> tuple[list[tuple[str, Word]], list[Word]]:
    """Options with their values, and other words; flags are left out."""
    options: list[tuple[str, Word]] = []
    plain: list[Word] = []
    queue = list(reversed(words))
    while queue:
        word = queue.pop()
        if word.content is None and _WORDS.fullmatch(word.value):  # The shell splits the value.
            queue += [replace(word, value=value) for value in reversed(word.value.split())]
            continue
        if not word.value.startswith("-") or word.value == "-":
            plain.append(word)
            continue
        name, equals, value = word.value.partition("=")
        short = len(name) > 2 and name[1] != "-" and name[:2] in valued
        if short:
            options.append((name[:2], replace(word, value=word.value[2:], content=None)))
        elif name in valued and equals:
            options.append((name, replace(word, value=value, content=None)))
        elif name in valued and queue:
            options.append((name, queue.pop()))
    return options, plain
