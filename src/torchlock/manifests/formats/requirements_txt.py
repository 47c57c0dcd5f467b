"""pip's requirements format: every line is read as pip reads it, and no line stops the reading.

The behaviour is that of pip 26. On a line with a requirement, pip ignores every option except ``--hash`` and the
build options. On a line without one, it ignores every word that belongs to no option.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.knowledge.stack import FAMILY
from torchlock.location import NOWHERE, Edit, Place, Span
from torchlock.manifests.decoding import decode
from torchlock.manifests.document import Document, Entry, IndexLine, ParseIssue
from torchlock.manifests.paths import beside, is_folder, is_there
from torchlock.manifests.syntax import pep508
from torchlock.manifests.syntax.pip_lines import ENDS, Line, LineJoiner, pieces
from torchlock.manifests.syntax.pip_options import HASH, Option, expand, parse_options, split_options
from torchlock.manifests.text import read_bytes
from torchlock.redaction import masked, shortened
from torchlock.runtime.project_folder import NOT_QUOTED, is_outside
from torchlock.standards.filenames import file_name, is_variant
from torchlock.standards.names import normalise
from torchlock.terms import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.manifests.decoding import Decoded
    from torchlock.manifests.syntax.pep508 import Pep508Requirement
    from torchlock.terms import ParsedRequirement

# Longer than every ordinary line; longer lines take the slow path.
_LONG = 1000
# A longer line is not a requirement, except for its hashes; some patterns would be slow on it.
_ENDLESS = 4000
_ORDINARY = re.compile(
    rf"[ \t]*{pep508.ORDINARY}[ \t]*(?P<marker>;[^#\r\n]*)?(?:(?<=[ \t])\#[^\r\n]*)?(?:\r\n|\n|\r)?\Z"
)
_HASHES = re.compile(r"(?:--hash[= ](?:sha256|sha384|sha512):[0-9a-fA-F]+(?: +|\Z))+")
_VARIABLE = re.compile(r"\$\{\w+\}|\$[A-Za-z_]\w*|(?<![\w%])%[A-Z_]+%")
_USERINFO = re.compile(r"//[^/@]*@")
_TEMPLATE = re.compile(r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\{%(?:(?!\{%|%\}).)*%\}")
_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})(\s|$)")
_SECTION = re.compile(r"\[([^\]:]*)(:.*)?\]$")
_COMMAND = re.compile(
    r"[!%$>]*(?![!%$>])\s*(?:sudo\s+)?(?:\S*python[\d.]*\s+-m\s+)?(?:uv\s+)?pip[\d.]*\s+install\s+"
)
# A pip list inside a file of conda is still in pip's format.
_YAML = (".yml", ".yaml")
_SINGLE_EQUALS = re.compile(r"^[^#=\n]*[^#=\n<>!~]=[^=\n]", re.MULTILINE)
_KINDS = {
    "--index-url": "index",
    "--extra-index-url": "extra",
    "--find-links": "find-links",
    "--no-index": "no-index",
}
_BEHIND = ("--hash", "--config-settings", "--global-option", "--install-option")
_ALONE = ("--editable", "--requirement", "--constraint")
# A larger file was included by mistake, and might have no end.
_HUGE = 10_000_000
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


# An option on its own line is for every package of the file.
_PRE = "Remove the options to keep what pip does; --pre on its own line would allow pre-releases of every package"


class _Reader:
    """Reads one file into its document.

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
        self._document = document
        self._entries = document.entries
        self._text = document.text
        self._path = document.path
        self._constraint = constraint
        self._chain = {**chain, _key(document.path): document.path}
        self._variables = variables
        self._scope = ""
        self._pip_only = False
        self._done = set() if done is None else done
        self._outside = bool(chain) and is_outside(document.path, next(iter(chain.values())))

    def read(self) -> None:
        """Read ordinary lines directly, all others as logical lines."""
        # The line as editors count, the offset of the line, and that of this part of it.
        number, begin, offset = 1, 0, 0
        joiner = LineJoiner()
        for physical in self._text.splitlines(keepends=True):
            match = _ORDINARY.match(physical) if not joiner.open and len(physical) < _LONG else None
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
        for entry in self._entries if self._pip_only else ():
            entry.pip_only = True

    def _ordinary(self, match: re.Match[str], number: int, offset: int, begin: int) -> bool:
        """Add a name with its versions and marker; False if the line is not as plain as it looks."""
        name, extras, versions, marker = match.group("name", "extras", "versions", "marker")
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
        self._entries.append(
            Entry(
                normalise(name),
                versions.replace(" ", "") if versions else "",
                Place(number, offset - begin + first + 1),
                match.string[first:last].rstrip(),
                self._path,
                marker=condition,
                extras=pep508.extras_of(extras) if extras else (),
                version=Span(offset + start, offset + end),
                scope=self._scope,
                constraint=self._constraint,
            )
        )
        return True

    # Logical lines.

    def _line(self, line: Line) -> None:
        if len(line.text) > _ENDLESS and not self._is_long_for_its_hashes(line.text):
            rule, severity = ("TL902", "note") if line.text.startswith("-") else ("TL501", "error")
            self._issue(rule, severity, "this line is longer than any requirement, so it was not judged", line)
        elif _TEMPLATE.search(line.text):
            message = f"{shortened(line.text)!r} has a placeholder of a template, so it was not judged"
            self._issue("TL902", "note", message, line)
        elif _CONFLICT.match(line.text):
            message = "a merge conflict was left in the file: no installer can read this line"
            self._issue("TL501", "error", message, line, because="both sides of the conflict are judged here")
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
        self._scope = f"extra:{normalise(name)}" if name else ""
        message = f"{line.text!r} is not a requirement: a requirements file has no sections"
        because = "sections with brackets are those of setup.cfg and of the requires.txt that setuptools writes"
        self._issue("TL501", "error", message, line, because=because)

    def _requirement(self, line: Line, written: str, text: str) -> None:
        options, strays = self._options(line, text)
        hashes = []
        for option in options:
            if option.name == "--hash":
                hashes += self._hash(option.value, line)
            elif option.name == "--editable":
                self._issue("TL501", "error", "-e must begin its own line", line)
            elif option.name in _BEHIND:
                self._note(f"{option.name} affects only builds, and has no effect here", line)
        ignored = [option for option in options if option.name not in (*_BEHIND, "--editable")]
        entries = self._asked(line, written, tuple(dict.fromkeys(hashes)))
        if (ignored or strays) and entries:
            self._passed_over(line, written, ignored, strays)

    def _hash(self, written: str, line: Line) -> list[str]:
        """The hash of ``--hash``; empty and an issue if pip refuses it."""
        value = self._expanded(written)
        if HASH.fullmatch(value):
            return [value]
        self._issue(
            "TL501", "error", f"--hash={written} does not have the form sha256:…, sha384:… or sha512:…", line
        )
        return []

    def _expanded(self, text: str) -> str:
        return text if self._variables is None else expand(text, self._variables)

    def _options(self, line: Line, text: str) -> tuple[list[Option], list[str]]:
        if not text:
            return [], []
        if _HASHES.fullmatch(text):
            return [Option("--hash", word[7:] if word[6:7] == "=" else "") for word in _hash_words(text)], []
        try:
            return parse_options(text)
        except InputError as error:
            self._issue("TL501", "error", error.message, line, because=error.hint or "")
            return [], []

    def _passed_over(self, line: Line, written: str, ignored: list[Option], strays: list[str]) -> None:
        """Report options behind a requirement, where pip allows only hashes."""
        from torchlock.manifests.line_edits import move_options

        options, words = ", ".join(option.name for option in ignored), " ".join(strays)
        listed = f"{options}, and {words!r}," if options and words else options or repr(words)
        message = f"pip ignores {listed} behind a requirement"
        because = "an index option needs its own line, and applies to the whole file; uv refuses this line"
        movable = not strays and "--pre" not in {option.name for option in ignored}
        edits = move_options(line, len(written), ignored, self._newline, self._lines) if movable else ()
        names = " and ".join(dict.fromkeys(option.name for option in ignored))
        remedy = f"Put {names} on its own line" if edits else "" if movable or strays else _PRE
        self._issue("TL504", "warning", message, line, because=because, remedy=remedy, edits=edits)
        self._pip_only = True

    # Requirements.

    def _asked(self, line: Line, written: str, hashes: tuple[str, ...]) -> bool:
        """Add a requirement, or report why it is invalid; returns whether it is valid."""
        variable = self._unknown_variable(written)
        if variable:
            return self._unknown(line, written, variable)
        stated = self._expanded(written)
        asked = pep508.parse_ordinary(stated)
        if asked is not None:
            self._add(line, written, asked if stated == written else asked._replace(versions=None), hashes)
            return True
        from torchlock.manifests.syntax.requirement import parse_requirement

        try:
            located = parse_requirement(stated, Origin(self._path, None, written), hashes=hashes)
        except InputError as error:
            self._broken(line, written, error)
            return False
        if located.requirement is None:
            self._add_nameless(line, written, located)
            return True
        # The name of a wheel is a valid name of a project too.
        asked = None if located.url else pep508.parse_general(stated)
        asked = asked or pep508.parse_general(str(located.requirement))
        if asked is not None:
            url = located.url
            versions = None if url or stated != written else asked.versions
            self._add(line, written, asked._replace(url=url, versions=versions), hashes)
        return True

    def _unknown_variable(self, text: str) -> str:
        """A variable without a known value in a text; "" if there is none, or if pip's rules apply."""
        if self._variables is not None or ("$" not in text and "%" not in text):
            return ""
        variable = _VARIABLE.search(_USERINFO.sub("//", text))
        return variable[0] if variable else ""

    def _add_nameless(self, line: Line, text: str, located: ParsedRequirement) -> None:
        """Add an address or path that does not contain the name of the project."""
        self._check_constraint(line, text)
        self._entries.append(
            Entry(
                "",
                "",
                self._place(line.at(0)),
                text,
                self._path,
                marker=located.marker,
                scope=self._scope,
                url=located.url,
                hashes=located.hashes,
                constraint=self._constraint,
                editable=located.editable,
            )
        )

    def _check_constraint(self, line: Line, text: str) -> None:
        """Report a constraint without a name, and an editable one."""
        if self._constraint:
            message = f"{text!r} cannot be a constraint: a constraint has a name, and is not editable"
            self._issue("TL501", "error", message, line)

    def _add(
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
            self._issue("TL403", "warning", message, line, because=because)
        span = None if asked.versions is None else line.span(at + asked.versions[0], at + asked.versions[1])
        self._entries.append(
            Entry(
                asked.name,
                specifier,
                self._place(line.at(at)),
                written,
                self._path,
                marker=asked.marker,
                extras=asked.extras,
                version=span,
                scope=self._scope,
                url=url,
                hashes=hashes,
                constraint=self._constraint,
                editable=editable,
            )
        )

    def _unknown(self, line: Line, written: str, variable: str) -> bool:
        """Report a requirement with a variable; the text without the variable may still be judged."""
        rest = _VARIABLE.sub("", written.replace(f"+{variable}", ""))
        asked = pep508.parse_general(written if "@" in written and "://" in written else rest)
        name = asked.name if asked else written
        message = f"the value of {variable} is unknown here, so {name} was not judged by it"
        self._issue("TL902", "note", message, line)
        if asked is not None and (asked.specifier or asked.url):
            self._add(line, written, asked._replace(versions=None))
        return asked is not None

    # Lines that no installer can read.

    def _broken(self, line: Line, written: str, error: InputError) -> None:
        from torchlock.manifests.corrections import find_requirement

        message, because = error.message, error.hint or ""
        if self._several(line) or self._corrected(line, written, message, because):
            return
        stretch = find_requirement(written)
        if stretch is None:
            self._issue("TL501", "error", message, line, because=because)
            return
        start, end = stretch
        self._place_asked(line, start, end)
        glued = written[end : end + 1] == "#"
        around = [(end, end, "  ")] if glued else [(0, start, ""), (end, len(written), "")]
        edits = tuple(Edit(line.span(first, last), new) for first, last, new in around if first < last or new)
        remedy = "Put spaces in front of the comment" if glued else f"Write {written[start:end]}"
        self._issue("TL501", "error", message, line, because=because, remedy=remedy, edits=edits)

    def _place_asked(self, line: Line, start: int, end: int) -> None:
        asked = pep508.parse(line.text[start:end])
        if asked is not None:
            self._add(line, line.text[start:end], asked, at=start)

    def _corrected(self, line: Line, written: str, message: str, because: str) -> bool:
        """Report a mistake with its correction, and judge the corrected text.

        The edit covers the span of a version change.
        """
        from torchlock.manifests.corrections import suggest

        meant = suggest(written)
        asked = pep508.parse(meant) if meant else None
        if meant is None or asked is None:
            return False
        old, new = pep508.specifier_span(written), pep508.specifier_span(meant)
        same = written[: old[0]] == meant[: new[0]] and written[old[1] :] == meant[new[1] :]
        stretch, text = (old, meant[slice(*new)]) if same else ((0, len(written)), meant)
        self._add(line, written, asked._replace(versions=old if same and asked.url is None else None))
        edits = (Edit(line.span(*stretch), text),)
        remedy = f"Write {meant}"
        self._issue("TL501", "error", message, line, because=because, remedy=remedy, edits=edits)
        return True

    def _several(self, line: Line) -> bool:
        """Report several requirements on one line, each with versions: prose has no versions."""
        from torchlock.manifests.line_edits import split_lines

        found = pieces(line.text)
        words = [piece for piece in found if not piece.option]
        if len(words) < 2 or not all(_has_versions(piece.value) for piece in words):
            return False
        for piece in words:
            self._place_asked(line, piece.start, piece.end)
        names = [_name(piece.value) for piece in words]
        message = f"{' and '.join(names)} are on one line: each needs its own line"
        edits = split_lines(line, found, self._newline)
        self._issue("TL501", "error", message, line, remedy="Put each on its own line", edits=edits)
        return True

    def _command(self, line: Line) -> None:
        """Report ``pip install …``, a command for a shell; its requirements are still judged."""
        from torchlock.manifests.line_edits import split_lines

        match = _COMMAND.match(line.text)
        found = pieces(line.text, match.end() if match else 0)
        for piece in found:
            if piece.option:
                self._index(Option(piece.option, piece.value), line, line.at(piece.start))
            else:
                self._place_asked(line, piece.start, piece.end)
        message = "this is a shell command: a requirements file lists only the requirements"
        fits = found and all(piece.option or pep508.parse(piece.value) for piece in found)
        edits = split_lines(line, found, self._newline) if fits else ()
        remedy = "Replace the command with its requirements, each on its own line" if edits else ""
        self._issue("TL501", "error", message, line, remedy=remedy, edits=edits)

    # Lines of options.

    def _option_line(self, line: Line, text: str) -> None:
        options, strays = self._options(line, text)
        alone = next((option for name in _ALONE for option in options if option.name == name), None)
        for option in options:
            if alone is None or option is alone:
                self._option(option, line)
            else:
                message = f"pip ignores {option.name} on this line: put it on its own line"
                self._issue("TL504", "warning", message, line)
        if strays[:1] == ["@"] and alone is not None and alone.name == "--editable":
            message = f"{line.text!r}: pip allows no name in front of an editable address"
            self._issue("TL501", "error", message, line, because="write the address alone, with #egg=NAME")
        elif strays:
            self._strays(line, options, strays)

    def _option(self, option: Option, line: Line) -> None:
        if option.name == "--editable":
            self._editable(option.value, line)
        elif option.name in ("--requirement", "--constraint"):
            self._include(option, line)
        elif option.name == "--pre" or option == ("--all-releases", ":all:"):
            self._document.pre = True
        elif option.name == "--hash":
            self._hash(option.value, line)
            self._issue("TL504", "warning", "there is no requirement in front of --hash", line)
        else:
            self._index(option, line, line.at(0))

    def _editable(self, value: str, line: Line) -> None:
        from torchlock.manifests.syntax.requirement import parse_requirement

        try:
            located = parse_requirement(self._expanded(value), Origin(self._path, None, line.text), editable=True)
        except InputError as error:
            self._issue("TL501", "error", error.message, line, because=error.hint or "")
            return
        if located.requirement is None:
            self._add_nameless(line, line.text, located)
            return
        self._check_constraint(line, line.text)
        asked = pep508.parse_general(str(located.requirement))
        if asked is not None:
            self._add(line, line.text, asked._replace(url=located.url or value, versions=None), editable=True)

    def _index(self, option: Option, line: Line, at: int) -> None:
        kind = _KINDS.get(option.name)
        if kind is None:
            self._note(f"{option.name} has no effect here", line)
            return
        if option.value.startswith("-"):
            message = f"pip reads {option.value!r} as the address of {option.name}"
            self._issue("TL504", "warning", message, line)
            return
        variable = self._unknown_variable(option.value)
        if variable:
            self._issue(
                "TL902",
                "note",
                f"the value of {variable} is unknown here, and so are the packages of this index",
                line,
            )
        indexes = self._document.indexes
        if kind == "index" and any(known.kind == "index" for known in indexes):
            message = "pip uses the last --index-url, and ignores the one above"
            self._issue("TL504", "note", message, line)
            indexes[:] = [known for known in indexes if known.kind != "index"]
        elif kind == "index" and any(known.kind == "extra" for known in indexes):
            message = (
                "this --index-url makes pip ignore the --extra-index-url of earlier lines: put --index-url first"
            )
            self._issue("TL504", "warning", message, line)
        indexes.append(IndexLine(kind, self._expanded(option.value), self._place(at), self._path))

    def _strays(self, line: Line, options: list[Option], strays: list[str]) -> None:
        """Report words that belong to no option, which pip ignores: a requirement, a second address."""
        from torchlock.manifests.line_edits import fix_strays

        message = f"pip ignores {' '.join(strays)!r} on this line"
        hyphen = line.text.startswith("- ")
        because = "to pip, the hyphen begins an option" if hyphen else "an option takes one value"
        edits, remedy = fix_strays(line, options, self._newline)
        # For example a list item of Markdown: its author wants it, but pip installs nothing.
        error = message if hyphen and pep508.parse(line.text[2:]) else ""
        self._issue("TL504", "warning", message, line, because=because, remedy=remedy, edits=edits, error=error)

    # Included files.

    def _include(self, option: Option, line: Line) -> None:
        """Read an included file, once as requirements and once as constraints."""
        name, value = option.value, self._expanded(option.value)
        constraint = self._constraint or option.name == "--constraint"
        if self._constraint and option.name == "--requirement":
            message = "files that a constraints file includes are constraints too"
            self._note(f"{message}; pip would install the packages of {name}", line)
        path = beside(
            self._path, re.sub(r"^/+(?=[A-Za-z]:)", "", re.sub(r"^file:(//(localhost)?(?=/))?", "", value))
        )
        key = _key(path)
        if key in self._chain:
            self._circle(name, path, line)
        elif len(self._chain) > _DEEP:
            message = f"{name} is not judged: files include each other more than {_DEEP} deep"
            self._issue("TL901", "note", message, line, error="its includes are nested too deeply")
        elif (key, constraint) not in self._done:
            self._done.add((key, constraint))
            decoded = self._included(name, value, path, line)
            if decoded is not None:
                kind = "constraints" if constraint else "requirements"
                self._read_in_place(decoded.apply_to(Document(path, kind, decoded.text)), name, line)

    def _circle(self, name: str, path: str, line: Line) -> None:
        message = f"{name} is being read already: these files include each other"
        because = "pip reads the same files again and again, or reports an error"
        circle = " → ".join([*list(self._chain.values())[list(self._chain).index(_key(path)) :], path])
        error = f"these files include each other: {circle}"
        self._issue("TL504", "warning", message, line, because=because, error=error)

    def _included(self, name: str, value: str, path: str, line: Line) -> Decoded | None:
        """The text of an included file; None and an issue if it cannot be read."""
        if re.match(r"(https?|ftp):", value, re.IGNORECASE):
            message = f"{name} is not fetched, so its requirements are not judged"
            error, hint = f"{line.text!r}: included files are not fetched", "download it, and include the copy"
            self._issue("TL901", "note", message, line, error=error, hint=hint)
            return None
        try:
            return _decoded(path)
        except InputError as error:
            if is_there(path):
                message = f"{name} is not judged: {error.message}"
            else:
                message = f"{name} does not exist, so its requirements are not judged"
            self._issue("TL901", "note", message, line, error=f"{path}: {error.message}", hint=error.hint)
            return None

    def _read_in_place(self, found: Document, name: str, line: Line) -> None:
        constraint = found.kind == "constraints"
        _Reader(found, constraint=constraint, chain=self._chain, variables=self._variables, done=self._done).read()
        self._take(found, name, line)

    def _take(self, found: Document, name: str, line: Line) -> None:
        """Take the content of an included file. Edits of this file do not change that one."""
        document = self._document
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
            mine = self._issue(
                issue.rule, issue.severity, masked(f"{where}: {issue.message}"), line, because=issue.because
            )
            if mine is not None and not self._outside:
                mine.origin = issue.origin or Origin(found.path, issue.place.line, issue.message)
                mine.error = issue.error

    # Places.

    @cached_property
    def _newline(self) -> str:
        match = re.search(r"\r\n|\r|\n", self._text)
        return match[0] if match else "\n"

    @cached_property
    def _lines(self) -> set[str]:
        """The lines of the file, including those that fixes add."""
        return {line.strip() for line in self._text.splitlines()}

    def _note(self, text: str, line: Line) -> None:
        """Record a line that has no effect on a lock, each text once per file."""
        text = NOT_QUOTED if self._outside else text
        if not any(note.path == self._path and note.text == text for note in self._document.notes):
            self._document.notes.append(Origin(self._path, self._place(line.at(0)).line, text))

    def _issue(
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
        place = self._place(line.at(0))
        if self._outside:
            if any(known.rule == rule for known in self._document.issues):
                return None
            message, because, remedy, edits, error, hint = NOT_QUOTED, "", "", (), error and NOT_QUOTED, None
        stop = InputError(error, path=self._path, line=place.line, hint=hint) if error else None
        issue = ParseIssue(rule, severity, message, place, because, remedy, edits, error=stop)
        self._document.issues.append(issue)
        return issue

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", self._text))]

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1) if line else NOWHERE


def _hash_words(text: str) -> list[str]:
    return text.replace("--hash ", "--hash=").split()


def _has_versions(word: str) -> bool:
    asked = pep508.parse(word)
    return asked is not None and bool(asked.specifier or asked.name in FAMILY)


def _name(word: str) -> str:
    asked = pep508.parse(word)
    return asked.name if asked is not None else word


def _decoded(path: str) -> Decoded:
    """The text of an included file.

    Raises:
        InputError: it cannot be read, or might never end.
    """
    if is_there(path) and not (Path(path).is_file() or is_folder(path)):
        raise InputError("is not a regular file", path=path)
    if is_there(path) and Path(path).stat().st_size > _HUGE:
        raise InputError(f"is larger than {_HUGE // 1_000_000} MB", path=path)
    return decode(read_bytes(path), path)


def _key(path: str) -> str:
    """The identity of a file, however its path is written."""
    try:
        return str(Path(path).resolve())
    except (OSError, ValueError, RuntimeError):
        return path
