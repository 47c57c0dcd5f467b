"""setup.cfg: the declarative requirements of setuptools."""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.manifests.lock_readers.extras import Extras
from torchlock.manifests.lock_readers.pyproject import from_files, requires_python
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.manifests.text import beside, is_there, read_included, read_text
from torchlock.terms import Inputs, Origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from torchlock.terms import ParsedRequirement

_EXTRAS = "options.extras_require"


def read_setup_cfg(path: str, *, extras: Collection[str] = (), all_extras: bool = False) -> Inputs:
    """Read ``[options] install_requires`` and, of ``[options.extras_require]``, some extras.

    As setuptools does: a section or key that appears twice is refused, and a key of ``[metadata]`` or
    ``[options]`` may be written with dashes.

    Raises:
        InputError: it is not such a file, or has no such extra.
    """
    text = re.sub(r"\r\n?", "\n", read_text(path))
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _invalid(error, path) from error
    if not (parser.has_section("options") or parser.has_section(_EXTRAS)):
        raise InputError(
            "has no [options] section", path=path, hint="that is where setuptools' requirements stand"
        )
    dashed = [_underscored(parser, section) for section in ("metadata", "options")]
    inputs = _Config(parser, text, path).inputs(extras, all_extras)
    inputs.notes += [
        f"{path}: {key} is written with dashes: newer releases of setuptools require {key.replace('-', '_')}"
        for keys in dashed
        for key in keys
    ]
    return inputs


def _underscored(parser: configparser.RawConfigParser, section: str) -> list[str]:
    """Put underscores for the dashes of a section's keys; the keys that had some."""
    dashed = [key for key in parser.options(section) if "-" in key] if parser.has_section(section) else []
    for key in dashed:
        parser.set(section, key.replace("-", "_"), parser.get(section, key))
    return dashed


class _Config:
    def __init__(self, parser: configparser.RawConfigParser, text: str, path: str) -> None:
        self._parser = parser
        self._lines = list(_values(text))
        self._path = path
        self._inputs = Inputs()

    def inputs(self, extras: Collection[str], all_extras: bool) -> Inputs:
        inputs, parser = self._inputs, self._parser
        names = parser.options(_EXTRAS) if parser.has_section(_EXTRAS) else []
        own = parser.get("metadata", "name", fallback="").strip()
        if not parser.has_option("options", "install_requires"):
            _refuse_setup_py(self._path)
        known = Extras(own, names, lambda name: self._requirements(_EXTRAS, name), self._path)
        inputs.requirements += known.unfold(self._requirements("options", "install_requires"))
        inputs.requirements += known.of(extras, every=all_extras)
        python = parser.get("options", "python_requires", fallback="").strip()
        if python:
            line = self._line("options", "python_requires", python)
            inputs.requires_python = requires_python(python, self._path, line)
        return inputs

    def _requirements(self, section: str, key: str) -> list[ParsedRequirement]:
        value = self._parser.get(section, key, fallback="").strip()
        if value.startswith("file:"):
            names = [name.strip() for name in value.removeprefix("file:").replace("\n", ",").split(",")]
            found = from_files(list(filter(None, names)), Origin(self._path, self._line(section, key, ""), ""))
            self._inputs.constraints += found.constraints
            self._inputs.notes += found.notes
            return found.requirements
        lines = [re.sub(r"(?:^|(?<=\s))#.*$", "", line).strip() for line in value.splitlines()]
        return [
            written
            for line in lines
            if line
            for written in self._parted(line, self._line(section, key, line), alone=len(lines) == 1)
        ]

    def _parted(self, text: str, line: int | None, *, alone: bool) -> list[ParsedRequirement]:
        """One requirement a line; a value of a single line may hold several, parted by semicolons."""
        try:
            return [parse_requirement(text, Origin(self._path, line, text))]
        except InputError:
            if not alone or ";" not in text:
                raise
        parts = [part.strip() for part in text.split(";")]
        return [parse_requirement(part, Origin(self._path, line, part)) for part in parts if part]

    def _line(self, section: str, key: str, value: str) -> int | None:
        """The first line of a key's value that holds this text."""
        for at, name, line, text in self._lines:
            if (at, name) == (section, key) and value in text:
                return line
        return None


def _refuse_setup_py(path: str) -> None:
    """Refuse a file whose requirements stand in the setup.py beside it.

    Raises:
        InputError: they do.
    """
    script = beside(path, "setup.py")
    if path != "-" and is_there(script) and "install_requires" in read_included(script):
        hint = "setup.py is not run; give its requirements on the command line or in a file of their own"
        raise InputError(f"has no install_requires, which {script} sets", path=path, hint=hint)


def _values(text: str) -> Iterator[tuple[str, str, int, str]]:
    """Every line of a value: its section, its key, its number, its text."""
    section = key = ""
    for number, line in enumerate(text.split("\n"), 1):
        header = re.match(r"\[(.+)\]", line)
        assignment = re.match(r"([^\s#;=:](?:[^=:]*[^\s=:])?)\s*[=:](.*)", line)
        if header:
            section = header[1]
        elif assignment:
            key = assignment[1].lower()
            key = key.replace("-", "_") if section in ("metadata", "options") else key
            yield section, key, number, assignment[2]
        elif not line.lstrip().startswith(("#", ";")):
            yield section, key, number, line


def _invalid(error: configparser.Error, path: str) -> InputError:
    line = getattr(error, "lineno", None)
    found = getattr(error, "errors", None)
    if found:
        line = found[0][0]
    return InputError(f"is no valid setup.cfg: {_REASONS.get(type(error), 'not parsed')}", path=path, line=line)


_REASONS: dict[type[configparser.Error], str] = {
    configparser.DuplicateSectionError: "this section appears twice",
    configparser.DuplicateOptionError: "this key appears twice",
    configparser.MissingSectionHeaderError: "it has a line in front of its first [section]",
    configparser.ParsingError: "this line is neither a [section] nor key = value",
}
