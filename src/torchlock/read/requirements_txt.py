"""pip's requirements file format: comments, continuations, options, nested files, environment variables.

Follows pip's documented grammar and, where that is silent, pip's own reader.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError
from torchlock.read.requirement import parse_requirement
from torchlock.read.text import read_text
from torchlock.words import Inputs, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"(?P<whole>\$\{(?P<name>[A-Z0-9_]+)\})")

# Options of a whole line: how many values each takes.
_OPTIONS = {
    "-r": 1, "--requirement": 1, "-c": 1, "--constraint": 1, "-e": 1, "--editable": 1,
    "-i": 1, "--index-url": 1, "--pypi-url": 1, "--extra-index-url": 1, "--no-index": 0,
    "-f": 1, "--find-links": 1, "--pre": 0, "--prefer-binary": 0, "--require-hashes": 0,
    "--no-binary": 1, "--only-binary": 1, "--trusted-host": 1, "--use-feature": 1,
    "--all-releases": 1, "--only-final": 1,
}  # fmt: skip
_IGNORED = {"--prefer-binary", "--trusted-host", "--use-feature", "--require-hashes", "--only-binary"}
# Options that follow a requirement on its line.
_OWN_OPTION = re.compile(r"\s(--(?:hash|config-settings?|global-option|install-option))(?:=|\s+)(\S+)")


class _Line(NamedTuple):
    """A logical line and the number of its first physical one."""

    number: int
    text: str


def read_requirements(path: str) -> Inputs:
    """Read a requirements file with all the files it includes.

    Raises:
        InputError: a line that pip could not read either, a missing file, files that include each other.
    """
    inputs = Inputs()
    _Reader(inputs).read(path, constraint=False, chain=())
    return inputs


def read_constraints(path: str) -> Inputs:
    """Read a constraints file: as ``read_requirements``, but what it lists are constraints."""
    inputs = Inputs()
    _Reader(inputs).read(path, constraint=True, chain=())
    return inputs


def logical_lines(text: str) -> Iterator[_Line]:
    """Lines with continuations joined and comments taken off, as pip does it; blank ones left out."""
    number = 0
    parts: list[str] = []
    for position, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        comment = re.match(r"\s*#", line)
        if not parts:
            number = position
        if line.endswith("\\") and not comment:
            parts.append(line.rstrip("\\"))
            continue
        # A comment ends a continuation; the space keeps it a comment once joined.
        parts.append(" " + line if comment and parts else line)
        joined = _COMMENT.sub("", "".join(parts)).strip()
        parts = []
        if joined:
            yield _Line(number, joined)
    joined = _COMMENT.sub("", "".join(parts)).strip()
    if joined:
        yield _Line(number, joined)


def expand(text: str) -> str:
    """Put environment variables in the place of ``${NAME}``; one that is not set stays as it is."""
    return _VARIABLE.sub(lambda match: os.environ.get(match["name"]) or match["whole"], text)


class _Reader:
    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def read(self, path: str, *, constraint: bool, chain: tuple[str, ...]) -> None:
        key = path if path == "-" else str(Path(path).resolve())
        if key in chain:
            names = " → ".join(_shown(item) for item in (*chain[chain.index(key) :], key))
            raise InputError(f"these files include each other: {names}", path=path)
        for line in logical_lines(read_text(path)):
            self._line(_Line(line.number, expand(line.text)), path, constraint, (*chain, key))

    def _line(self, line: _Line, path: str, constraint: bool, chain: tuple[str, ...]) -> None:
        if line.text.startswith("-"):
            for name, value in _options(line, path):
                self._option(name, value, line, path, constraint, chain)
            return
        text, hashes = self._own_options(line, path)
        written = parse_requirement(text, Origin(path, line.number, text), hashes=hashes)
        (self._inputs.constraints if constraint else self._inputs.requirements).append(written)

    def _own_options(self, line: _Line, path: str) -> tuple[str, tuple[str, ...]]:
        """Part a requirement from the options behind it."""
        match = re.search(r"\s--?[a-z]", line.text)
        if not match:
            return line.text, ()
        text, options = line.text[: match.start()], line.text[match.start() :]
        found = _OWN_OPTION.findall(options)
        rest = _OWN_OPTION.sub("", options).strip()
        if rest:
            raise InputError(
                f"{rest!r} does not belong behind a requirement",
                path=path,
                line=line.number,
                hint="only --hash and build options may follow one; others need a line of their own",
            )
        if any(name != "--hash" for name, _ in found):
            self._inputs.notes.append(f"{path}:{line.number}: build options have no effect on a lock")
        hashes = tuple(value for name, value in found if name == "--hash")
        for value in hashes:
            if not re.fullmatch(r"(sha256|sha384|sha512|md5|sha1|sha224):[0-9a-fA-F]+", value):
                raise InputError(f"--hash={value}: not of the form algorithm:digest", path=path, line=line.number)
        return text.rstrip(), hashes

    def _option(
        self, name: str, value: str, line: _Line, path: str, constraint: bool, chain: tuple[str, ...]
    ) -> None:
        inputs = self._inputs
        if name in ("-r", "--requirement", "-c", "--constraint"):
            nested = constraint or name in ("-c", "--constraint")
            self.read(_beside(value, path, line), constraint=nested, chain=chain)
        elif name in ("-e", "--editable"):
            origin = Origin(path, line.number, line.text)
            (inputs.constraints if constraint else inputs.requirements).append(
                parse_requirement(value, origin, editable=True)
            )
        elif name in ("-i", "--index-url", "--pypi-url"):
            inputs.index_url = value
        elif name == "--extra-index-url":
            inputs.extra_index_urls.append(value)
        elif name in ("-f", "--find-links"):
            inputs.find_links.append(value if "://" in value else _beside_if_there(value, path))
        elif name == "--no-index":
            inputs.no_index = True
        elif name == "--pre":
            inputs.pre = True
        elif name not in _IGNORED:
            inputs.notes.append(f"{path}:{line.number}: {name} has no effect on a lock")


def _options(line: _Line, path: str) -> Iterator[tuple[str, str]]:
    """The options of an option line, each with its value (empty for those that take none)."""
    rest = line.text
    while rest:
        match = re.match(r"(--[a-z-]+|-[a-z])(=|\s+|$)?", rest)
        name = match[1] if match else rest.split()[0]
        if name not in _OPTIONS:
            raise InputError(
                f"{name!r} is no option of a requirements file",
                path=path,
                line=line.number,
                hint="-r, -c, -e, --index-url, --extra-index-url, --find-links, --pre and the like are",
            )
        rest = rest[match.end() if match else 0 :].lstrip()
        if not _OPTIONS[name]:
            yield name, ""
            continue
        if not rest:
            raise InputError(f"{name} needs a value", path=path, line=line.number)
        value, rest = (rest, "") if name in ("-e", "--editable") else _word(rest)
        yield name, value


def _word(text: str) -> tuple[str, str]:
    """The first word, quotes taken off, and the rest."""
    quoted = re.match(r"""(?:"([^"]*)"|'([^']*)')(?:\s+|$)""", text)
    if quoted:
        return quoted[1] or quoted[2] or "", text[quoted.end() :]
    word, _, rest = text.partition(" ")
    return word, rest.lstrip()


def _beside(value: str, path: str, line: _Line) -> str:
    """The path of an included file, relative to the file that includes it."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", value):
        raise InputError(
            f"{value}: files on the network are not read", path=path, line=line.number, hint="fetch it first"
        )
    return value if path == "-" else str(Path(path).parent / value)


def _beside_if_there(value: str, path: str) -> str:
    """A find-links folder: relative to the file if it is there, else as written (as pip)."""
    beside = Path(path).parent / value
    return str(beside) if beside.exists() else value


def _shown(path: str) -> str:
    return os.path.relpath(path) if path != "-" else path
