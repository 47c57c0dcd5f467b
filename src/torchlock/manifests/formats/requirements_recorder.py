"""What a requirements file contains so far: its entries, indexes, notes and issues, each with its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from torchlock.errors import InputError
from torchlock.location import NOWHERE, Edit, Place
from torchlock.manifests.document import Document, Entry, ParseIssue
from torchlock.manifests.included_files import identity
from torchlock.manifests.syntax import pep508
from torchlock.manifests.syntax.pip_options import expand
from torchlock.patterns import pattern
from torchlock.runtime.project_folder import NOT_QUOTED, is_outside
from torchlock.standards.filenames import file_name, is_variant
from torchlock.terms import Origin
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.manifests.syntax.pep508 import Pep508Requirement
    from torchlock.manifests.syntax.pip_lines import Line
    from torchlock.terms import ParsedRequirement

VARIABLE = pattern(r"\$\{\w+\}|\$[A-Za-z_]\w*|(?<![\w%])%[A-Z_]+%")
_USERINFO = pattern(r"//[^/@]*@")


class Recorder:
    """Records what lines contain, in the document of their file.

    ``chain`` are the files that include it, each with its path. ``done`` are the files included so far, each with
    whether it was a constraints file.
    """

    def __init__(
        self,
        document: Document,
        *,
        constraint: bool,
        chain: Mapping[str, str],
        variables: Mapping[str, str] | None,
        done: set[tuple[str, bool]] | None = None,
    ) -> None:
        self.document = document
        self.entries = document.entries
        self.text = document.text
        self.path = document.path
        self.constraint = constraint
        self.chain = {**chain, identity(document.path): document.path}
        self.variables = variables
        self.scope = ""
        self.pip_only = False
        self.done = set() if done is None else done
        self.outside = bool(chain) and is_outside(document.path, next(iter(chain.values())))

    def expanded(self, text: str) -> str:
        return text if self.variables is None else expand(text, self.variables)

    def unknown_variable(self, text: str) -> str:
        """A variable without a known value in a text; "" if there is none, or if pip's rules apply."""
        if self.variables is not None or ("$" not in text and "%" not in text):
            return ""
        variable = VARIABLE.search(_USERINFO.sub("//", text))
        return variable[0] if variable else ""

    # Entries.

    def add(
        self,
        line: Line,
        written: str,
        asked: Pep508Requirement,
        hashes: tuple[str, ...] = (),
        at: int = 0,
        *,
        editable: bool = False,
    ) -> None:
        """Add a requirement at an offset of the line."""
        specifier, url = asked.specifier, asked.url
        if url and not specifier:
            wheel = pep508.wheel_of(url)
            specifier = f"=={wheel[1]}" if wheel and wheel[0] == asked.name else ""
        if url and is_variant(name := file_name(url)):
            message = f"{name} is a variant wheel (PEP 825), which today's installers refuse"
            because = "pip cannot install it, and uv only with --preview-features wheel-variants"
            self.issue("TL403", "warning", message, line, because=because)
        span = None if asked.versions is None else line.span(at + asked.versions[0], at + asked.versions[1])
        self.entries.append(
            Entry(
                asked.name,
                specifier,
                self.place(line.at(at)),
                written,
                self.path,
                marker=asked.marker,
                extras=asked.extras,
                version=span,
                scope=self.scope,
                url=url,
                hashes=hashes,
                constraint=self.constraint,
                editable=editable,
            )
        )

    def add_nameless(self, line: Line, text: str, located: ParsedRequirement) -> None:
        """Add an address or path that does not contain the name of the project."""
        self.check_constraint(line, text)
        self.entries.append(
            Entry(
                "",
                "",
                self.place(line.at(0)),
                text,
                self.path,
                marker=located.marker,
                scope=self.scope,
                url=located.url,
                hashes=located.hashes,
                constraint=self.constraint,
                editable=located.editable,
            )
        )

    def check_constraint(self, line: Line, text: str) -> None:
        """Report a constraint without a name, and an editable one."""
        if self.constraint:
            message = f"{text!r} cannot be a constraint: a constraint has a name, and is not editable"
            self.issue("TL501", "error", message, line)

    def add_part(self, line: Line, start: int, end: int) -> None:
        asked = pep508.parse(line.text[start:end])
        if asked is not None:
            self.add(line, line.text[start:end], asked, at=start)

    # Places.

    @cached_property
    def newline(self) -> str:
        match = re.search(r"\r\n|\r|\n", self.text)
        return match[0] if match else "\n"

    @cached_property
    def lines(self) -> set[str]:
        """The lines of the file, including those that fixes add."""
        return {line.strip() for line in self.text.splitlines()}

    def note(self, text: str, line: Line) -> None:
        """Record a line that has no effect on a lock, each text once per file."""
        text = NOT_QUOTED if self.outside else text
        if not any(note.path == self.path and note.text == text for note in self.document.notes):
            self.document.notes.append(Origin(self.path, self.place(line.at(0)).line, text))

    def issue(
        self,
        rule: str,
        severity: str,
        message: str,
        line: Line,
        *,
        because: str = "",
        remedy: str = "",
        edits: tuple[Edit, ...] = (),
        error: str = "",
        hint: str | None = None,
    ) -> ParseIssue | None:
        """Record an issue; ``error`` is the message of lock, with its hint."""
        place = self.place(line.at(0))
        if self.outside:
            if any(known.rule == rule for known in self.document.issues):
                return None
            message, because, remedy, edits, error, hint = NOT_QUOTED, "", "", (), error and NOT_QUOTED, None
        stop = InputError(error, path=self.path, line=place.line, hint=hint) if error else None
        issue = ParseIssue(rule, severity, message, place, because, remedy, edits, error=stop)
        self.document.issues.append(issue)
        return issue

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", self.text))]

    def place(self, offset: int) -> Place:
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1) if line else NOWHERE
