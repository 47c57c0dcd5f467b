"""tox.ini: the packages that each tox environment installs, by its ``deps`` and by its commands.

``tox_toml`` turns TOML into the values of this module.
"""

from __future__ import annotations

import math
import re
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.install_commands import Installer
from torchlock.manifests.syntax.installed import INDEX_VARIABLES, Installed
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.shell import Command
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.syntax.shell import Word

_LINE = pattern(r"[^\r\n]+")
_SECTION = pattern(r"\[([^\]]+)\]")
_KEY = pattern(r"([\w.-]+)[ \t]*=[ \t]*")
_COMMENT = pattern(r"(?:^|(?<=\s))#.*$")
# ``py310,gpu: torch==2.1``: only if the name of the environment has one of these parts.
_FACTORS = pattern(r"(!?[\w{}.-]+(?:\s*,\s*!?[\w{}.-]+)*)\s*:\s+")
_REFERENCE = pattern(r"\{\[([^\]]+)\](\w+)\}")
_DEEPEST = 10
# The limit of lines that references to other values produce.
_MOST = 1000
# The limit of environments.
_MANY = 100


class Piece(NamedTuple):
    """A line of a value, without the condition in front of it, and its offset.

    ``conditions`` are expressions of tox.toml, and whether each must be true; ``words`` is a command that the file
    has as a list. ``exact``: the file has the text character by character.
    """

    text: str
    start: int
    factors: str = ""
    conditions: tuple[tuple[str, bool], ...] = ()
    words: tuple[Word, ...] = ()
    exact: bool = True


_INDEX_OPTION = pattern(r"(?:-[if]|--(?:extra-)?index-url|--index|--find-links)[ \t=]+([^\s\"']+)")


def read(text: str, path: str) -> Document:
    """Read ``deps`` and the commands of every environment, each separately."""
    builder = DocumentBuilder(text, path, "tox")
    builder.add(scoped_parts(environments(builder, values_of(text))))
    return builder.document


def environments(builder: DocumentBuilder, values: dict[tuple[str, str], list[Piece]]) -> dict[str, list[Entry]]:
    """What each environment installs, by its name; environments that install the same count once."""
    for section, key in values:
        if key in ("setenv", "set_env") and section.startswith("testenv"):
            for piece in values[section, key]:
                _variable(builder, piece)
        elif key == "install_command" and section.startswith("testenv"):
            for piece in values[section, key]:
                for option in _INDEX_OPTION.finditer(piece.text):
                    builder.index("extra", option[1], piece.start)
    parts: dict[str, list[Entry]] = {}
    done, step = set(), 0
    for name in _names(values):
        pieces = tuple(_pieces(values, name))
        alike = repr((_python(name) or _base_python(values, name), pieces))
        if alike not in done:
            done.add(alike)
            entries, step = _entries(builder, pieces, name, _base_python(values, name), step)
            parts[name or "testenv"] = entries
    return parts


def _names(values: dict[tuple[str, str], list[Piece]]) -> list[str]:
    """The environments: those listed, those with a section, and one for each condition that no other one meets."""
    listed = [
        name
        for key in ("envlist", "env_list")
        for piece in values.get(("tox", key), [])
        for name in _unfolded(f"{piece.factors}: {piece.text}" if piece.factors else piece.text)
    ]
    names = [*listed, *(section.partition(":")[2] for section, _ in values if section.startswith("testenv:"))]
    conditions = [
        name
        for (section, _), pieces in values.items()
        if section.startswith("testenv")
        for piece in pieces
        for name in _unfolded(piece.factors)
        if "!" not in name and not any(set(name.split("-")) <= set(other.split("-")) for other in names)
    ]
    plain = [""] if ("testenv", "deps") in values or not names else []
    return list(dict.fromkeys([*names, *conditions, *plain]))[:_MANY]


def _unfolded(text: str) -> list[str]:
    """``py{39,310}-gpu, lint`` as names."""
    found = []
    for word in re.findall(r"(?:\{[^{}]*\}|[^\s,{}])+", text):
        parts = [
            part[1:-1].split(",") if part[0] == "{" else [part] for part in re.findall(r"\{[^{}]*\}|[^{}]+", word)
        ]
        if math.prod(map(len, parts)) <= _MANY:
            found += ["".join(piece.strip() for piece in pieces) for pieces in product(*parts)]
    return found


def _met(condition: str, name: str) -> bool:
    """Whether the name of an environment meets a condition."""
    factors = set(name.split("-"))
    return not condition or any(
        all((part[1:] not in factors) if part.startswith("!") else (part in factors) for part in one.split("-"))
        for one in _unfolded(condition)
    )


def _pieces(values: dict[tuple[str, str], list[Piece]], name: str) -> Iterator[tuple[str, Piece]]:
    """The lines that apply to an environment, each with its key."""
    section = f"testenv:{name}"
    if not any(known == section for known, _ in values):
        section = "testenv"
    for key in ("deps", "commands_pre", "commands"):
        for piece in _resolved(values, section, key, _DEEPEST, {}):
            if _met(piece.factors, name) and all(_holds(*one, name) for one in piece.conditions):
                yield key, piece


def _holds(expression: str, wanted: bool, name: str) -> bool:
    from torchlock.manifests.formats.tox_toml import holds

    return holds(expression, name) is wanted


def values_of(text: str) -> dict[tuple[str, str], list[Piece]]:
    """The lines of every value by section and key."""
    found: dict[tuple[str, str], list[Piece]] = {}
    section, pieces = "", []  # type: str, list[Piece]
    for match in _LINE.finditer(text):
        line, start = match[0], match.start()
        header, key = _SECTION.match(line), _KEY.match(line)
        if header:
            section, pieces = header[1].strip(), []
            continue
        if key:
            pieces = found[section, key[1].lower().replace("-", "_")] = []
            line, start = line[key.end() :], start + key.end()
        elif not line[0].isspace():
            continue
        words = _COMMENT.sub("", line)
        bare = words.strip()
        if bare:
            start += len(words) - len(words.lstrip())
            factors = _FACTORS.match(bare)
            shift = factors.end() if factors else 0
            pieces.append(Piece(bare[shift:], start + shift, factors[1] if factors else ""))
    return found


def _variable(builder: DocumentBuilder, piece: Piece) -> None:
    name, _, value = piece.text.partition("=")
    kind = INDEX_VARIABLES.get(name.strip())
    for address in value.split() if kind else ():
        builder.index(kind or "", address, piece.start)


def _resolved(
    values: dict[tuple[str, str], list[Piece]],
    section: str,
    key: str,
    depth: int,
    known: dict[tuple[str, str], list[Piece]],
) -> list[Piece]:
    """The lines of a value, or of the same value in ``[testenv]``, with references resolved.

    ``known`` are the values that contain this reference.
    """
    pieces = values.get((section, key), values.get(("testenv", key), []) if section.startswith("testenv:") else [])
    found: list[Piece] = []
    for piece in pieces:
        reference = _REFERENCE.fullmatch(piece.text)
        named = (reference[1], reference[2]) if reference and depth else None
        if named and named not in known:
            known[named] = _resolved(values, *named, depth - 1, known)
        # A reference with too many lines stays as written, and is reported as unknown.
        if named and len(found) + len(known[named]) <= _MOST:
            found += [one._replace(factors=one.factors or piece.factors) for one in known[named]]
        else:
            found.append(piece)
    return found


def _base_python(values: dict[tuple[str, str], list[Piece]], name: str) -> str:
    """The Python that a key names for an environment: ``python3.10``, ``py310``, ``3.10``."""
    for section in (f"testenv:{name}", "testenv"):
        for key in ("base_python", "basepython"):
            for piece in values.get((section, key), [])[:1]:
                match = re.fullmatch(r"(?:python|py)?3\.?(\d+)", piece.text)
                return f"py3{match[1]}" if match and not piece.factors else ""
    return ""


def _entries(
    builder: DocumentBuilder, pieces: Iterable[tuple[str, Piece]], name: str, base_python: str, step: int
) -> tuple[list[Entry], int]:
    """The packages of the lines, and the number of commands so far, of which ``step`` were in other environments.

    ``py310`` in the name is the Python of the environment.
    """
    state, known = Installed(step=step + 1), len(builder.document.indexes)
    # The project of a pyproject.toml has no commands, and shares its indexes.
    own = builder.document.kind == "tox"
    for key, piece in pieces:
        if key == "deps":
            state.entries += [replace(one, step=step + 1 if own else 0) for one in _dependency(builder, piece)]
        elif piece.words:
            Installer(builder, state).take(Command(list(piece.words)))
        else:
            text = piece.text.lstrip("-! ")
            shift = len(piece.text) - len(text)
            EmbeddedBuilder(builder, text, [(0, piece.start + shift)]).install(state)
    python = _python(name) or base_python
    marker = f"python_version == '3.{python[3:]}'" if python else ""
    if own:
        builder.confine(known, range(step + 1, state.step + 1))
    return [replace(entry, marker=both(entry.marker, marker)) for entry in state.entries], state.step


def _python(name: str) -> str:
    """The Python in the name of an environment, as ``py310``: tox also reads ``py3.10`` and ``3.10``."""
    match = next(
        (match for part in name.split("-") if (match := re.fullmatch(r"(?:py(?=3)|(?=3\.))3\.?(\d+)", part))), None
    )
    return f"py3{match[1]}" if match else ""


def _dependency(builder: DocumentBuilder, piece: Piece) -> list[Entry]:
    """A line of ``deps``: a requirement, or an option with a requirements file."""
    text = piece.text
    file = re.match(r"(-r|-c|--requirement|--constraint)[ =]?\s*(.+)", text)
    if file:
        name = re.sub(r"\{(?:toxinidir|tox_root)\}[/\\]?", "", file[2].strip())
        if "{" not in name:
            return builder.include(name, piece.start, constraint="c" in file[1].lstrip("-")[:1])
    if "{" in text:
        message = f"{text} is not judged: the value that tox puts instead of the braces is unknown"
        builder.issue("TL902", "note", message, piece.start)
        return []
    index = re.match(r"(?:-i|--index-url|--extra-index-url|-f|--find-links)[ =]\s*(\S+)", text)
    if index:
        kind = "find-links" if "f" in text.lstrip("-")[:1] else "extra" if "extra" in text else "index"
        builder.index(kind, index[1], piece.start)
    if text.startswith(("-", ".", "/")) or "://" in text.partition("@")[0]:
        return []
    exact = Span(piece.start, piece.start + len(text)) if piece.exact else None
    entry = builder.requirement(text, piece.start, exact)
    return [entry] if entry else []
