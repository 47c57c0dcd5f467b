"""pip's requirements file format: comments, continuations, options, nested files, environment variables.

Follows pip's documentation and, where that is silent, what pip's own reader does. What pip passes over in
silence on a line that is not quite right is passed over here too, with a note.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError
from torchlock.manifests.syntax.pip_options import COMMENT, HASH, Option, expand, parse_options, parted
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.manifests.text import beside, is_there, read_included, read_text
from torchlock.runtime.project_folder import NOT_QUOTED, is_outside
from torchlock.terms import Inputs, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.terms import ParsedRequirement

# What may stand behind a requirement. Only --hash says something about the result.
_BEHIND = {"--hash", "--config-settings", "--global-option", "--install-option"}
# What leaves no room for other options on a line without a requirement.
_ALONE = ("--editable", "--requirement", "--constraint")


class Line(NamedTuple):
    """A logical line, and the number of its first physical one."""

    number: int
    text: str


def read_requirements(path: str, *, errors: list[InputError] | None = None, of: str | None = None) -> Inputs:
    """Read a requirements file with all the files it includes.

    With a list for ``errors``, what is wrong with single lines goes there, and reading goes on. ``of`` is the file
    that names this one, where it is not the user; a file outside of its project is not quoted.

    Raises:
        InputError: a line that pip could not read either, a missing file, files that include each other.
    """
    inputs = Inputs()
    _File(path, _Reading(inputs, errors, set(), of or path), constraint=False, chain={}).read()
    return inputs


def read_constraints(path: str, *, errors: list[InputError] | None = None) -> Inputs:
    """Read a constraints file: as ``read_requirements``, but what it lists are constraints."""
    inputs = Inputs()
    _File(path, _Reading(inputs, errors, set(), path), constraint=True, chain={}).read()
    return inputs


def logical_lines(text: str) -> Iterator[Line]:
    """Lines with continuations joined and comments taken off; blank ones left out."""
    first, parts = 1, list[str]()
    for number, line in _physical_lines(text):
        if not parts:
            first = number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        # A line that is a comment ends a continuation; the space keeps it a comment once joined.
        joined = "".join([*parts, " " if comment else "", line])
        parts = []
        yield from _without_comment(first, joined)
    yield from _without_comment(first, "".join(parts))


def _physical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines as pip parts them, numbered as editors do: a form feed parts lines but is no line end."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        for part in line.splitlines() or [""]:
            yield number, part


def _without_comment(number: int, text: str) -> Iterator[Line]:
    text = COMMENT.sub("", text).strip()
    if text:
        yield Line(number, text)


class _Reading(NamedTuple):
    """What the files of one reading share.

    ``done`` holds those read, each with whether it gave constraints; ``named`` is the file that the user named.
    """

    inputs: Inputs
    errors: list[InputError] | None
    done: set[tuple[str, bool]]
    named: str


class _File:
    """One file: its lines go into the inputs, the files it includes are read in place."""

    def __init__(self, path: str, reading: _Reading, *, constraint: bool, chain: Mapping[str, str]) -> None:
        self._path = path
        self._reading = reading
        self._inputs = reading.inputs
        self._constraint = constraint
        # This file behind those that include it: the file itself -> its path as written.
        self._chain = {**chain, _key(path): path}

    @cached_property
    def _is_outside(self) -> bool:
        return is_outside(self._path, self._reading.named)

    def read(self) -> None:
        self._read(read_text(self._path))

    def _read(self, text: str) -> None:
        for line in logical_lines(text):
            try:
                self._line(line)
            except InputError as error:
                if self._is_outside and error.path == self._path:
                    error = self._error(line, NOT_QUOTED)
                if self._reading.errors is None:
                    raise error from None
                self._reading.errors.append(error)

    def _line(self, line: Line) -> None:
        written, behind = parted(line.text)
        if not written:
            self._option_line(line, self._options(behind, line))
            return
        options = self._options(behind, line)
        for option in options:
            if option.name == "--editable":
                raise self._error(line, f"{line.text!r}: -e stands at the beginning of a line of its own")
            if option.name not in _BEHIND:
                self._note(
                    line, f"pip takes no account of {option.name} behind a requirement: give it its own line"
                )
            elif option.name != "--hash":
                self._note(line, f"{option.name} is for builds, and has no effect here")
        hashes = tuple(dict.fromkeys(option.value for option in options if option.name == "--hash"))
        self._add(parse_requirement(expand(written), Origin(self._path, line.number, written), hashes=hashes))

    def _option_line(self, line: Line, options: list[Option]) -> None:
        """A line without a requirement: as in pip, its first editable or included file is all of it."""
        alone = next((option for name in _ALONE for option in options if option.name == name), None)
        for option in options:
            if alone is None or option is alone:
                self._option(option, line)
            else:
                self._note(line, f"pip takes no account of {option.name} on this line: give it its own line")

    def _option(self, option: Option, line: Line) -> None:
        name, value = option
        inputs = self._inputs
        if name == "--editable":
            self._add(parse_requirement(value, Origin(self._path, line.number, line.text), editable=True))
        elif name in ("--requirement", "--constraint"):
            self._include(name, value, line)
        elif name == "--index-url":
            if inputs.extra_index_urls:
                self._note(line, "pip forgets the --extra-index-url of earlier lines here: put --index-url first")
            inputs.index_url = value
        elif name == "--extra-index-url":
            inputs.extra_index_urls.append(value)
        elif name == "--find-links":
            near = beside(self._path, value)
            inputs.find_links.append(near if "://" not in value and is_there(near) else value)
        elif name == "--no-index":
            inputs.no_index = True
        elif name == "--pre" or option == ("--all-releases", ":all:"):
            inputs.pre = True
        elif name == "--hash":
            self._note(line, "there is no requirement in front of --hash")
        else:
            self._note(line, f"{name} has no effect here")

    def _include(self, name: str, value: str, line: Line) -> None:
        constraint = self._constraint or name == "--constraint"
        if self._constraint and name == "--requirement":
            self._note(
                line, f"what a constraints file includes are constraints too; pip would install what is in {value}"
            )
        path = self._included(value, line)
        key = _key(path)
        if key in self._chain:
            circle = [*list(self._chain.values())[list(self._chain).index(key) :], path]
            raise self._error(line, f"these files include each other: {' → '.join(circle)}")
        if (key, constraint) in self._reading.done:
            return
        try:
            text = read_included(path)
        except InputError as error:
            raise self._error(line, f"{path}: {error.message}", hint=error.hint) from error
        _File(path, self._reading, constraint=constraint, chain=self._chain)._read(text)
        self._reading.done.add((key, constraint))

    def _included(self, value: str, line: Line) -> str:
        """The path of an included file, which is relative to the file that includes it."""
        scheme = re.match(r"(https?|ftp|file):", value, re.IGNORECASE)
        if scheme and scheme[1].lower() == "file":
            return re.sub(r"^/+(?=[A-Za-z]:)", "", re.sub(r"^file:(//(localhost)?(?=/))?", "", value))
        if scheme:
            raise self._error(
                line, f"{line.text!r}: included files are not fetched", hint="download it, and include the copy"
            )
        return beside(self._path, value)

    def _options(self, text: str, line: Line) -> list[Option]:
        """Options with environment variables put in; what is no option is passed over with a note."""
        try:
            options, strays = parse_options(text)
        except InputError as error:
            raise self._error(line, error.message, hint=error.hint) from error
        if strays:
            self._note(line, f"pip takes no account of {' '.join(strays)!r} on this line")
        return [self._expanded(option, line) for option in options]

    def _expanded(self, option: Option, line: Line) -> Option:
        expanded = Option(option.name, expand(option.value))
        if option.name == "--hash" and not HASH.fullmatch(expanded.value):
            raise self._error(line, f"--hash={option.value}: not of the form sha256:…, sha384:… or sha512:…")
        return expanded

    def _add(self, written: ParsedRequirement) -> None:
        if not self._constraint:
            self._inputs.requirements.append(written)
            return
        if written.requirement is None or written.editable:
            raise InputError(
                f"{written.origin.text!r} is no constraint: a constraint has a name, and is not editable",
                path=written.origin.path,
                line=written.origin.line,
            )
        self._inputs.constraints.append(written)

    def _error(self, line: Line, message: str, *, hint: str | None = None) -> InputError:
        return InputError(message, path=self._path, line=line.number, hint=hint)

    def _note(self, line: Line, sentence: str) -> None:
        """Tell the user, each thing once a file."""
        where, seen = f"{self._path}:", self._inputs.notes
        sentence = NOT_QUOTED if self._is_outside else sentence
        if not any(note.startswith(where) and note.endswith(f": {sentence}") for note in seen):
            seen.append(f"{where}{line.number}: {sentence}")


def _key(path: str) -> str:
    """What tells files apart, however their paths are written."""
    try:
        return str(Path(path).resolve())
    except (OSError, ValueError, RuntimeError):
        return path
