"""pip's requirements format: every line is read as pip reads it, and no line stops the reading.

The behaviour is that of pip 26. On a line with a requirement, pip ignores every option except ``--hash`` and the
build options. On a line without one, it ignores every word that belongs to no option.
"""

from __future__ import annotations

import re

from torchlock.errors import InputError
from torchlock.location import Place, Span
from torchlock.manifests.document import Document, Entry, IndexLine
from torchlock.manifests.formats.requirements_mistakes import MistakeReporter
from torchlock.manifests.formats.requirements_recorder import VARIABLE
from torchlock.manifests.included_files import identity, read_included
from torchlock.manifests.paths import beside, is_there
from torchlock.manifests.syntax import pep508
from torchlock.manifests.syntax.pip_lines import ENDS, Line, LineJoiner, pieces
from torchlock.manifests.syntax.pip_options import HASH, Option, parse_options, split_options
from torchlock.patterns import pattern
from torchlock.redaction import masked, shortened
from torchlock.standards.names import normalise
from torchlock.standards.plain_requirement import match_plain
from torchlock.terms import Origin
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.manifests.decoding import Decoded

# Longer than every ordinary line; longer lines take the slow path.
_LONG = 1000
# A longer line is not a requirement, except for its hashes; some patterns would be slow on it.
_ENDLESS = 4000
_ORDINARY = pattern(
    rf"[ \t]*{pep508.ORDINARY}[ \t]*(?P<marker>;[^#\r\n]*)?(?:(?<=[ \t])\#[^\r\n]*)?(?:\r\n|\n|\r)?\Z"
)
_HASHES = pattern(r"(?:--hash[= ](?:sha256|sha384|sha512):[0-9a-fA-F]+(?: +|\Z))+")
_TEMPLATE = pattern(r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\{%(?:(?!\{%|%\}).)*%\}")
_CONFLICT = pattern(r"(<{7}|={7}|>{7}|\|{7})(\s|$)")
_SECTION = pattern(r"\[([^\]:]*)(:.*)?\]$")
_COMMAND = pattern(r"[!%$>]*(?![!%$>])\s*(?:sudo\s+)?(?:\S*python[\d.]*\s+-m\s+)?(?:uv\s+)?pip[\d.]*\s+install\s+")
# A pip list inside a file of conda is still in pip's format.
_YAML = (".yml", ".yaml")
_SINGLE_EQUALS = pattern(r"^[^#=\n]*[^#=\n<>!~]=[^=\n]", re.MULTILINE)
_KINDS = {
    "--index-url": "index",
    "--extra-index-url": "extra",
    "--find-links": "find-links",
    "--no-index": "no-index",
}
_BEHIND = ("--hash", "--config-settings", "--global-option", "--install-option")
_ALONE = ("--editable", "--requirement", "--constraint")
_DEEP = 30


def read(text: str, path: str, variables: Mapping[str, str] | None = None) -> Document:
    """Read a requirements file with all included files.

    ``variables`` replace ``${NAME}``, as in pip. With None, the file is read for audit: a line with a variable is
    reported, and a list that conda wrote is read as conda reads it, because only its name is that of a
    requirements file.
    """
    from torchlock.manifests import declarations

    if variables is None and _SINGLE_EQUALS.search(text) and not path.lower().endswith(_YAML):
        from torchlock.manifests.formats import conda_list

        if conda_list.is_conda_list(text):
            return conda_list.read(text, path)
    document = _read(text, path, "requirements", variables, constraint=False)
    declarations.declare(document)
    return document


def read_constraints(text: str, path: str, variables: Mapping[str, str] | None = None) -> Document:
    """Read a constraints file: like ``read``, but its packages are not installed by themselves."""
    return _read(text, path, "constraints", variables, constraint=True)


def _read(text: str, path: str, kind: str, variables: Mapping[str, str] | None, *, constraint: bool) -> Document:
    document = Document(path=path, kind=kind, text=text)
    _Reader(document, constraint=constraint, chain={}, variables=variables).read()
    return document


class _Reader(MistakeReporter):
    """Reads one file into its document."""

    def read(self) -> None:
        """Read ordinary lines directly, all others as logical lines."""
        # The line as editors count, the offset of the line, and that of this part of it.
        number, begin, offset = 1, 0, 0
        joiner = LineJoiner()
        for physical in self.text.splitlines(keepends=True):
            match = _matched(physical) if not joiner.open and len(physical) < _LONG else None
            if match is None or not self._ordinary(match, number, offset, begin):
                line = joiner.add(physical.rstrip(ENDS), offset)
                if line is not None:
                    self._line(line)
            offset += len(physical)
            if physical[-1] in "\r\n":
                number, begin = number + 1, offset
        last = joiner.end()
        if last is not None:
            self._line(last)
        for entry in self.entries if self.pip_only else ():
            entry.pip_only = True

    def _ordinary(self, match: re.Match[str], number: int, offset: int, begin: int) -> bool:
        """Add a name with its versions and marker; False if the line is not as plain as it looks."""
        name, extras, versions = match.group("name", "extras", "versions")
        marker = match.groupdict().get("marker")
        if match.string[-1] == "\\" or not pep508.is_plain(name, versions or ""):
            return False
        behind = pep508.behind(match)
        start, end = match.span("versions") if versions else (behind, behind)
        last, condition = max(behind, end), ""
        if marker:
            condition = pep508.marker_of(marker[1:]) or ""
            if not condition or "\\" in marker:
                return False
            last = match.end("marker")
        elif "\\" in match.string:
            return False
        first = match.start("name")
        self.entries.append(
            Entry(
                normalise(name),
                versions.replace(" ", "") if versions else "",
                Place(number, offset - begin + first + 1),
                match.string[first:last].rstrip(),
                self.path,
                marker=condition,
                extras=pep508.extras_of(extras) if extras else (),
                version=Span(offset + start, offset + end),
                scope=self.scope,
                constraint=self.constraint,
            )
        )
        return True

    # Logical lines.

    def _line(self, line: Line) -> None:
        if len(line.text) > _ENDLESS and not self._is_long_for_its_hashes(line.text):
            rule, severity = ("TL902", "note") if line.text.startswith("-") else ("TL501", "error")
            self.issue(rule, severity, "this line is longer than any requirement, so it was not judged", line)
        elif _TEMPLATE.search(line.text):
            message = f"{shortened(line.text)!r} has a placeholder of a template, so it was not judged"
            self.issue("TL902", "note", message, line)
        elif _CONFLICT.match(line.text):
            message = "a merge conflict was left in the file: no installer can read this line"
            self.issue("TL501", "error", message, line, because="both sides of the conflict are judged here")
        elif _COMMAND.match(line.text):
            self._command(line)
        elif _SECTION.fullmatch(line.text):
            self._section(line)
        else:
            written, options = split_options(line.text)
            if written:
                self._requirement(line, written, options)
            else:
                self._option_line(line, options)

    def _is_long_for_its_hashes(self, text: str) -> bool:
        written, options = split_options(text)
        return 0 < len(written) < _ENDLESS and _HASHES.fullmatch(options) is not None

    def _section(self, line: Line) -> None:
        match = _SECTION.fullmatch(line.text)
        name = match[1].strip() if match else ""
        self.scope = f"extra:{normalise(name)}" if name else ""
        message = f"{line.text!r} is not a requirement: a requirements file has no sections"
        because = "sections with brackets are those of setup.cfg and of the requires.txt that setuptools writes"
        self.issue("TL501", "error", message, line, because=because)

    def _requirement(self, line: Line, written: str, text: str) -> None:
        options, strays = self._options(line, text)
        hashes = []
        for option in options:
            if option.name == "--hash":
                hashes += self._hash(option.value, line)
            elif option.name == "--editable":
                self.issue("TL501", "error", "-e must begin its own line", line)
            elif option.name in _BEHIND:
                self.note(f"{option.name} affects only builds, and has no effect here", line)
        ignored = [option for option in options if option.name not in (*_BEHIND, "--editable")]
        entries = self._asked(line, written, tuple(dict.fromkeys(hashes)))
        if (ignored or strays) and entries:
            self.report_ignored(line, written, ignored, strays)

    def _hash(self, written: str, line: Line) -> list[str]:
        """The hash of ``--hash``; empty and an issue if pip refuses it."""
        value = self.expanded(written)
        if HASH.fullmatch(value):
            return [value]
        self.issue(
            "TL501", "error", f"--hash={written} does not have the form sha256:…, sha384:… or sha512:…", line
        )
        return []

    def _options(self, line: Line, text: str) -> tuple[list[Option], list[str]]:
        if not text:
            return [], []
        if _HASHES.fullmatch(text):
            return [Option("--hash", word[7:] if word[6:7] == "=" else "") for word in _hash_words(text)], []
        try:
            return parse_options(text)
        except InputError as error:
            self.issue("TL501", "error", error.message, line, because=error.hint or "")
            return [], []

    # Requirements.

    def _asked(self, line: Line, written: str, hashes: tuple[str, ...]) -> bool:
        """Add a requirement, or report why it is invalid; returns whether it is valid."""
        variable = self.unknown_variable(written)
        if variable:
            return self._unknown(line, written, variable)
        stated = self.expanded(written)
        asked = pep508.parse_ordinary(stated)
        if asked is not None:
            self.add(line, written, asked if stated == written else asked._replace(versions=None), hashes)
            return True
        from torchlock.manifests.syntax.requirement import parse_requirement

        try:
            located = parse_requirement(stated, Origin(self.path, None, written), hashes=hashes)
        except InputError as error:
            self.report_broken(line, written, error)
            return False
        if located.requirement is None:
            self.add_nameless(line, written, located)
            return True
        # The name of a wheel is a valid name of a project too.
        asked = None if located.url else pep508.parse_general(stated)
        asked = asked or pep508.parse_general(str(located.requirement))
        if asked is not None:
            url = located.url
            versions = None if url or stated != written else asked.versions
            self.add(line, written, asked._replace(url=url, versions=versions), hashes)
        return True

    def _unknown(self, line: Line, written: str, variable: str) -> bool:
        """Report a requirement with a variable; the text without the variable may still be judged."""
        rest = VARIABLE.sub("", written.replace(f"+{variable}", ""))
        asked = pep508.parse_general(written if "@" in written and "://" in written else rest)
        name = asked.name if asked else written
        message = f"the value of {variable} is unknown here, so {name} was not judged by it"
        self.issue("TL902", "note", message, line)
        if asked is not None and (asked.specifier or asked.url):
            self.add(line, written, asked._replace(versions=None))
        return asked is not None

    def _command(self, line: Line) -> None:
        """Report ``pip install …``, a command for a shell; its requirements are still judged."""
        from torchlock.manifests.line_edits import split_lines

        match = _COMMAND.match(line.text)
        found = pieces(line.text, match.end() if match else 0)
        for piece in found:
            if piece.option:
                self._index(Option(piece.option, piece.value), line, line.at(piece.start))
            else:
                self.add_part(line, piece.start, piece.end)
        message = "this is a shell command: a requirements file lists only the requirements"
        fits = found and all(piece.option or pep508.parse(piece.value) for piece in found)
        edits = split_lines(line, found, self.newline) if fits else ()
        remedy = "Replace the command with its requirements, each on its own line" if edits else ""
        self.issue("TL501", "error", message, line, remedy=remedy, edits=edits)

    # Lines of options.

    def _option_line(self, line: Line, text: str) -> None:
        options, strays = self._options(line, text)
        alone = next((option for name in _ALONE for option in options if option.name == name), None)
        for option in options:
            if alone is None or option is alone:
                self._option(option, line)
            else:
                message = f"pip ignores {option.name} on this line: put it on its own line"
                self.issue("TL504", "warning", message, line)
        if strays[:1] == ["@"] and alone is not None and alone.name == "--editable":
            message = f"{line.text!r}: pip allows no name in front of an editable address"
            self.issue("TL501", "error", message, line, because="write the address alone, with #egg=NAME")
        elif strays:
            self.report_strays(line, options, strays)

    def _option(self, option: Option, line: Line) -> None:
        if option.name == "--editable":
            self._editable(option.value, line)
        elif option.name in ("--requirement", "--constraint"):
            self._include(option, line)
        elif option.name == "--pre" or option == ("--all-releases", ":all:"):
            self.document.pre = True
        elif option.name == "--hash":
            self._hash(option.value, line)
            self.issue("TL504", "warning", "there is no requirement in front of --hash", line)
        else:
            self._index(option, line, line.at(0))

    def _editable(self, value: str, line: Line) -> None:
        from torchlock.manifests.syntax.requirement import parse_requirement

        try:
            located = parse_requirement(self.expanded(value), Origin(self.path, None, line.text), editable=True)
        except InputError as error:
            self.issue("TL501", "error", error.message, line, because=error.hint or "")
            return
        if located.requirement is None:
            self.add_nameless(line, line.text, located)
            return
        self.check_constraint(line, line.text)
        asked = pep508.parse_general(str(located.requirement))
        if asked is not None:
            self.add(line, line.text, asked._replace(url=located.url or value, versions=None), editable=True)

    def _index(self, option: Option, line: Line, at: int) -> None:
        kind = _KINDS.get(option.name)
        if kind is None:
            self.note(f"{option.name} has no effect here", line)
            return
        if option.value.startswith("-"):
            message = f"pip reads {option.value!r} as the address of {option.name}"
            self.issue("TL504", "warning", message, line)
            return
        variable = self.unknown_variable(option.value)
        if variable:
            self.issue(
                "TL902",
                "note",
                f"the value of {variable} is unknown here, and so are the packages of this index",
                line,
            )
        indexes = self.document.indexes
        if kind == "index" and any(known.kind == "index" for known in indexes):
            message = "pip uses the last --index-url, and ignores the one above"
            self.issue("TL504", "note", message, line)
            indexes[:] = [known for known in indexes if known.kind != "index"]
        elif kind == "index" and any(known.kind == "extra" for known in indexes):
            message = (
                "this --index-url makes pip ignore the --extra-index-url of earlier lines: put --index-url first"
            )
            self.issue("TL504", "warning", message, line)
        indexes.append(IndexLine(kind, self.expanded(option.value), self.place(at), self.path))

    # Included files.

    def _include(self, option: Option, line: Line) -> None:
        """Read an included file, once as requirements and once as constraints."""
        name, value = option.value, self.expanded(option.value)
        constraint = self.constraint or option.name == "--constraint"
        if self.constraint and option.name == "--requirement":
            message = "files that a constraints file includes are constraints too"
            self.note(f"{message}; pip would install the packages of {name}", line)
        path = beside(
            self.path, re.sub(r"^/+(?=[A-Za-z]:)", "", re.sub(r"^file:(//(localhost)?(?=/))?", "", value))
        )
        key = identity(path)
        if key in self.chain:
            self._circle(name, path, line)
        elif len(self.chain) > _DEEP:
            message = f"{name} is not judged: files include each other more than {_DEEP} deep"
            self.issue("TL901", "note", message, line, error="its includes are nested too deeply")
        elif (key, constraint) not in self.done:
            self.done.add((key, constraint))
            decoded = self._included(name, value, path, line)
            if decoded is not None:
                kind = "constraints" if constraint else "requirements"
                self._read_in_place(decoded.apply_to(Document(path, kind, decoded.text)), name, line)

    def _circle(self, name: str, path: str, line: Line) -> None:
        message = f"{name} is being read already: these files include each other"
        because = "pip reads the same files again and again, or reports an error"
        circle = " → ".join([*list(self.chain.values())[list(self.chain).index(identity(path)) :], path])
        error = f"these files include each other: {circle}"
        self.issue("TL504", "warning", message, line, because=because, error=error)

    def _included(self, name: str, value: str, path: str, line: Line) -> Decoded | None:
        """The text of an included file; None and an issue if it cannot be read."""
        if re.match(r"(https?|ftp):", value, re.IGNORECASE):
            message = f"{name} is not fetched, so its requirements are not judged"
            error, hint = f"{line.text!r}: included files are not fetched", "download it, and include the copy"
            self.issue("TL901", "note", message, line, error=error, hint=hint)
            return None
        try:
            return read_included(path)
        except InputError as error:
            if is_there(path):
                message = f"{name} is not judged: {error.message}"
            else:
                message = f"{name} does not exist, so its requirements are not judged"
            self.issue("TL901", "note", message, line, error=f"{path}: {error.message}", hint=error.hint)
            return None

    def _read_in_place(self, found: Document, name: str, line: Line) -> None:
        constraint = found.kind == "constraints"
        _Reader(found, constraint=constraint, chain=self.chain, variables=self.variables, done=self.done).read()
        self._take(found, name, line)

    def _take(self, found: Document, name: str, line: Line) -> None:
        """Take the content of an included file. Edits of this file do not change that one."""
        document = self.document
        for entry in found.entries:
            entry.version = None
        document.entries += found.entries
        if any(known.kind == "index" for known in found.indexes):
            document.indexes[:] = [known for known in document.indexes if known.kind != "index"]
        document.indexes += found.indexes
        document.notes += found.notes
        document.pre |= found.pre
        document.includes += [path for path in (found.path, *found.includes) if path not in document.includes]
        for issue in found.issues:
            where = f"{name}:{issue.place.line}" if issue.place.line else name
            mine = self.issue(
                issue.rule, issue.severity, masked(f"{where}: {issue.message}"), line, because=issue.because
            )
            if mine is not None and not self.outside:
                mine.origin = issue.origin or Origin(found.path, issue.place.line, issue.message)
                mine.error = issue.error


def _matched(physical: str) -> re.Match[str] | None:
    """The match of an ordinary line; the pattern for plain ones compiles in a third of the time."""
    if not physical.lstrip(" \t")[:1].isalnum():
        return None  # a comment, an option
    return match_plain(physical.rstrip(ENDS)) or _ORDINARY.match(physical)


def _hash_words(text: str) -> list[str]:
    return text.replace("--hash ", "--hash=").split()
