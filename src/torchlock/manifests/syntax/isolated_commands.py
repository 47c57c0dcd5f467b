"""Commands that create a separate environment: uv run --with, uvx, uv tool, pipx, pixi global."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.location import Span
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from torchlock.manifests.syntax.shell import Word

_WITH = {"--with", "-w", "--from", "--spec", "--preinstall"}
_WITH_FILE = {"--with-requirements"}
_COMMA = pattern(r",\s*(?=[A-Za-z])")


class IsolatedCommand(NamedTuple):
    """The packages of a separate environment, and the command that runs in it.

    ``name`` is the name of the environment, "" if it is temporary. ``options`` are those with a value, by name;
    options for requirements files are named ``-r``.
    """

    name: str
    requirements: list[Word]
    options: list[tuple[str, Word]]
    behind: list[Word]


def isolated_command(name: str, words: list[Word], valued: set[str]) -> IsolatedCommand | None:
    """The environment that a command creates; None if it creates none.

    ``name`` is the program, ``words`` are the words behind it; ``valued`` are options whose value is the next
    word.
    """
    first, second = ([word.value for word in words] + ["", ""])[:2]
    if name == "uvx":
        return _run(words, valued, tool=True)
    if name == "uv" and first == "run":
        return _run(words[1:], valued, tool=False)
    if name == "uv" and first == "tool" and second in ("run", "install"):
        return _run(words[2:], valued, tool=True) if second == "run" else _kept(words[2:], valued)
    if name == "pipx" and first == "run":
        return _run(words[1:], valued, tool=True)
    if name == "pipx" and first == "install":
        return _kept(words[1:], valued)
    if name == "pipx" and first in ("inject", "runpip"):
        return _injected(words[1:], valued, pip=first == "runpip")
    return None


def _run(words: list[Word], valued: set[str], *, tool: bool) -> IsolatedCommand:
    """A command in a temporary environment.

    ``tool``: its first word also names a package.
    """
    options, rest = _leading(words, valued)
    asked, other = _sorted(options)
    named = any(option in ("--from", "--spec") for option, _ in options)
    if tool and rest and not named:
        asked.insert(0, _package(rest[0]))
    return IsolatedCommand("", asked, other, [] if tool else rest)


def _kept(words: list[Word], valued: set[str]) -> IsolatedCommand | None:
    """A permanent environment, named after its package."""
    options, plain = [], []  # type: list[tuple[str, Word]], list[Word]
    while words:
        more, words = _leading(words, valued)
        options += more
        plain, words = plain + words[:1], words[1:]
    if not plain:
        return None
    asked, other = _sorted(options)
    return IsolatedCommand(_bare(plain[0].value), [*map(_package, plain), *asked], other, [])


def _injected(words: list[Word], valued: set[str], *, pip: bool) -> IsolatedCommand | None:
    """``pipx inject APP PACKAGE …`` and ``pipx runpip APP install PACKAGE …``."""
    found = _kept(words, valued)
    if found is None:
        return None
    added = found.requirements[1:]
    if pip:
        added = added[1:] if added and added[0].value == "install" else []
    return found._replace(requirements=added)


def _leading(words: list[Word], valued: set[str]) -> tuple[list[tuple[str, Word]], list[Word]]:
    """The options in front of the first other word, with their values, and the remaining words."""
    options: list[tuple[str, Word]] = []
    at = 0
    while at < len(words) and words[at].value.startswith("-") and words[at].value != "--":
        name, equals, _ = words[at].value.partition("=")
        if equals:
            options.append((name, _cut(words[at], len(name) + 1, len(words[at].value))))
        elif name in valued | _WITH | _WITH_FILE and at + 1 < len(words):
            at += 1
            options.append((name, words[at]))
        at += 1
    return options, words[at + 1 :] if at < len(words) and words[at].value == "--" else words[at:]


def _sorted(options: list[tuple[str, Word]]) -> tuple[list[Word], list[tuple[str, Word]]]:
    """The requirements in options, and the other options."""
    asked = [part for name, word in options if name in _WITH for part in _parts(word)]
    other = [("-r" if name in _WITH_FILE else name, word) for name, word in options if name not in _WITH]
    return asked, other


def _parts(word: Word) -> list[Word]:
    """``a==1,b==2`` names two requirements."""
    cuts = [match.span() for match in _COMMA.finditer(word.value)]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(word.value)]
    return [_cut(word, start, end) for start, end in zip(starts, ends, strict=True)] if cuts else [word]


def _cut(word: Word, start: int, end: int) -> Word:
    content = word.content
    span = Span(content.start + start, content.start + end) if content else None
    return replace(word, value=word.value[start:end], content=span, start=span.start if span else word.start)


def _package(word: Word) -> Word:
    """``uvx tool@1.2`` requests a version of the tool; such text is never edited."""
    tool = re.fullmatch(r"([\w.-]+)@(\d[\w.]*|latest)", word.value)
    if not tool:
        return word
    return replace(word, value=tool[1] if tool[2] == "latest" else f"{tool[1]}=={tool[2]}", content=None)


def _bare(value: str) -> str:
    return re.split(r"[^\w.-]", value, maxsplit=1)[0].lower()
