"""The words of an install command that name a package: as pip, poetry and conda take them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.location import Edit, Span
from torchlock.manifests.conda_builds import label_of
from torchlock.manifests.document import Entry
from torchlock.manifests.syntax import conda_match_spec
from torchlock.manifests.syntax.pep508 import NAME, parse_general, wheel_of
from torchlock.manifests.syntax.poetry_constraints import specifier_of
from torchlock.patterns import pattern
from torchlock.records import replace
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.syntax.installed import Installed
    from torchlock.manifests.syntax.shell import Command, Word

# Placeholders of template engines, test runners and notebooks.
_FIELD = pattern(r"\{\{?[^{}]*\}\}?|\{\{|\{%|<%|\$\(")
# The rest of a specifier set that a shell reads as a redirection (``<0.11`` of ``>=0.9,<0.11``).
_CLAUSES = pattern(r"[<>=!~,.*+\w]{0,200}")
# A version that ends with an operator: the value behind it is empty.
_HOLLOW = pattern(r"[=<>!~+]\s*\Z")
_VARIABLE = pattern(r"\$\{[^{}\s]{0,100}\}|\$\([^()\s]{0,100}\)|\$\w{1,100}|%\w{1,100}%")
# A text with one of these is not the same in double quotes.
_QUOTED = set("\"'\\$`\n")


class RequirementWords:
    """Reads words as requirements; what cannot be read becomes an issue of the document."""

    def __init__(self, builder: DocumentBuilder, state: Installed) -> None:
        self._builder = builder
        self._state = state

    def asked(self, word: Word) -> Iterator[Entry]:
        """A requirement as pip and uv take it."""
        value, emptied = word.value, self._emptied(word)
        if emptied is not None:
            yield from self.unknown(emptied) if emptied.value else ()
            return
        if re.match(r"[./~-]|(?:git|hg|svn|bzr)\+", value) and "#egg=" not in value and ".whl" not in value:
            if "://" in value:
                self._builder.document.nameless.append(value)
            return
        if value.endswith((".whl", ".tar.gz", ".zip")) and not set("*?[").isdisjoint(value):
            return  # The shell replaces it with the matching files.
        if word.unknown and not re.match(rf"{NAME}\s*(?:\[[^\]]*\]\s*)?@", value):
            yield from self.unknown(word)
            return
        field = _FIELD.search(value.partition("@")[0])
        if field:
            yield from self.unknown(replace(word, unknown=(field[0],)))
            return
        wheel = wheel_of(value)
        if wheel is not None and not re.match(rf"{NAME}\s*@", value):
            yield self._located(word, wheel[0])
        elif "#egg=" in value and "://" in value:
            yield self._located(word, re.split(r"[&\[]", value.rpartition("#egg=")[2])[0])
        elif "://" not in value.partition("@")[0] and not re.search(
            r"[/\\]", value.partition("@")[0].partition(";")[0]
        ):
            entry = self._builder.requirement(value, word.start, word.content)
            if entry is not None:
                yield entry

    def _emptied(self, word: Word) -> Word | None:
        """The word as written, if a variable that is empty here left nothing of it, or of its version.

        Such a variable is set in a way that no reader sees: in a loop, by a called label, by a build argument.
        """
        written = self._builder.text[word.start : word.end].strip("\"'")
        by_variable = not word.value.strip() or not {"$", "%"}.isdisjoint(written)
        if not by_variable or (word.value.strip() and not _HOLLOW.search(word.value)):
            return None
        return replace(word, value=written, unknown=tuple(_VARIABLE.findall(written)) or (written,))

    def _located(self, word: Word, name: str) -> Entry:
        place = self._builder.place(word.start)
        return Entry(normalise(name), "", place, word.value, self._builder.path, url=word.value)

    def poetry(self, word: Word) -> Iterator[Entry]:
        """``torch@^2.1``, ``torch==2.1``, ``torch``."""
        match = re.fullmatch(rf"(?P<name>{NAME})(?:\[[^\]]*\])?\s*@\s*(?P<versions>(?!\s)[^/:]*)", word.value)
        if word.unknown or not match:
            yield from self.asked(word)
            return
        versions = "" if match["versions"] == "latest" else match["versions"]
        specifier = specifier_of(versions)
        if specifier is None:
            message = f"{versions!r} is not a version constraint that poetry knows"
            self._builder.issue("TL501", "error", message, word.start)
            return
        start, end = match.span("versions")
        content = word.content
        yield Entry(
            normalise(match["name"]),
            specifier,
            self._builder.place(word.start),
            word.value,
            self._builder.path,
            version=Span(content.start + start, content.start + end) if content else None,
            style="poetry",
        )

    def spec(self, word: Word) -> Iterator[Entry]:
        """A package as conda takes it: ``channel::name=version=build``."""
        word = self._emptied(word) or word
        if word.unknown:
            if not re.match(r"python\s*=", word.value):
                yield from self.unknown(word)
            return
        spec = conda_match_spec.parse(word.value)
        if spec is None:
            return
        if spec.name == "python":
            if spec.specifier:
                self._builder.python_of_command(spec.specifier, word.start)
                self._state.named_pythons.add(spec.specifier)
            return
        content = word.content
        yield Entry(
            spec.index_name,
            spec.specifier or "",
            self._builder.place(word.start),
            word.value,
            self._builder.path,
            version=Span(content.start + spec.start, content.start + spec.end) if content else None,
            style="conda",
            channel="conda",
            index=spec.channel or None,
            build=label_of(spec.build),
        )

    def unknown(self, word: Word) -> list[Entry]:
        names = ", ".join(dict.fromkeys(word.unknown))
        message = f"{word.value} is not judged: the value of {names} is unknown here"
        self._builder.issue("TL902", "note", message, word.start)
        return []

    def redirected(self, command: Command) -> None:
        """Report ``torch>=2.0`` without quotes: the shell redirects to a file named ``=2.0``, or from one."""
        from torchlock.manifests.corrections import suggest

        for redirect in command.redirects:
            if (
                redirect.glued is None
                or redirect.target is None
                or not swallows(redirect.operator, redirect.target)
            ):
                continue
            word = redirect.glued
            end = _CLAUSES.match(self._builder.text, redirect.target.end)
            whole = Span(word.start, end.end() if end else redirect.target.end)
            raw = self._builder.text[slice(*whole)]
            reads = redirect.operator.startswith("<")
            message = f"the shell reads {redirect.operator}{redirect.target.value} as a redirection"
            because = f"pip sees {word.value} without its versions; quotes prevent this"
            meant = raw if parse_general(raw) or set(raw) & _QUOTED else suggest(raw)
            remedy = "" if meant is None else "Put it in quotes" if meant == raw else f'Write "{meant}"'
            edits = () if meant is None or set(meant) & _QUOTED else (Edit(whole, f'"{meant}"'),)
            severity = "error" if reads else "warning"
            self._builder.issue(
                "TL501", severity, message, word.start, because=because, remedy=remedy, edits=edits
            )


def swallows(operator: str, target: Word | None) -> bool:
    """Whether a redirect is the operator of a version."""
    return target is not None and operator in ("<", ">") and bool(re.match(r"=?\s*\d", target.value))
