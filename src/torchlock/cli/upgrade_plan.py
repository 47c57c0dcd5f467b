"""The lines of an input that an upgrade changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.audit.fix.edits import changes_of, encoded
from torchlock.audit.fix.remedies import edits_of, fixed
from torchlock.audit.fix.upgrading import admits, moved
from torchlock.errors import InputError
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests import read_document
from torchlock.manifests.lockable import lock_kind
from torchlock.manifests.pins import exact_version
from torchlock.runtime.project_folder import is_outside
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.finding import Change
    from torchlock.manifests.document import Document, Entry
    from torchlock.terms import ParsedRequirement


class Line(NamedTuple):
    """One requirement of an input: an entry of a document, by its number."""

    document: Document
    number: int

    @property
    def entry(self) -> Entry:
        return self.document.entries[self.number]

    def is_of(self, written: ParsedRequirement) -> bool:
        """Whether this is the line that the lock command read as that requirement."""
        requirement, (path, line, _) = written.requirement, written.origin
        here = (self.entry.path, self.entry.place.line) == (path, line)
        return here and requirement is not None and normalise(requirement.name) == self.entry.name


class Plan:
    """The documents of an input, and the lines in them whose release is free to change.

    ``asked`` has the packages to move, each with the specifier set that is asked for ("": the newest).
    """

    def __init__(self, paths: Iterable[str], asked: Mapping[str, str]) -> None:
        self._asked = asked
        self.build = build_asked(asked)
        self.documents = list(_documents(paths))
        self._free: list[Line] = []
        self._labelled = {line.entry.name for line in self._lines() if "+" in line.entry.specifier}
        led = any(name in FAMILY and not exact_version(specifier) for name, specifier in asked.items())
        for line in self._lines():
            name = line.entry.name
            if name in asked and line.entry.specifier and not self._may_stay(line, asked[name]):
                self._open(line)
            elif (
                self.build
                and name in FAMILY
                and name not in asked
                and label_of(line.entry) not in ("", self.build)
            ):
                self._open(line)  # the family comes from one build
            elif led and name in FAMILY and name not in asked and line.entry.specifier and self._is_editable(line):
                self._free.append(line)  # it must not hold back the newest release of the others

    def _lines(self) -> Iterator[Line]:
        for document in self.documents:
            for number, entry in enumerate(document.entries):
                if entry.path == document.path:
                    yield Line(document, number)

    @property
    def names(self) -> set[str]:
        """The packages that the lines name."""
        return {line.entry.name for line in self._lines()}

    def _open(self, line: Line) -> None:
        """Free a line.

        Raises:
            InputError: no edit can change it, or its file is outside of the project.
        """
        entry, path = line.entry, line.document.path
        if is_outside(path, path):
            hint = "give the path of that file"
            raise InputError(
                "is a link to a file outside of the project, so it is not changed", path=path, hint=hint
            )
        if not self._is_editable(line):
            why = "it has hashes" if entry.hashes else "its version is not written on this line"
            raise InputError(
                f"{entry.text.strip()}: torchlock cannot change this line: {why}",
                path=path,
                line=entry.place.line,
                hint="change this line by hand",
            )
        self._free.append(line)

    def _is_editable(self, line: Line) -> bool:
        return bool(edits_of(line.document, {line.number: self._wanted(line.entry.name)}))

    def _wanted(self, name: str) -> str:
        return self._asked.get(name) or ">=0"

    def follow(self, conflicting: Sequence[ParsedRequirement]) -> bool:
        """Free the lines of the torch family among those that conflict; return whether there was one."""
        found = [
            line
            for line in self._conflicting(conflicting)
            if line not in self._free and line.entry.name in FAMILY and line.entry.name not in self._asked
        ]
        for line in found:
            self._open(line)
        return bool(found)

    def others(self, conflicting: Sequence[ParsedRequirement]) -> list[str]:
        """The packages with a version that conflict, and that nobody asked to move."""
        names = dict.fromkeys(line.entry.name for line in self._conflicting(conflicting))
        return [name for name in names if name not in self._asked and name not in FAMILY]

    def _conflicting(self, conflicting: Sequence[ParsedRequirement]) -> Iterator[Line]:
        for line in self._lines():
            if line.entry.specifier and any(line.is_of(written) for written in conflicting):
                yield line

    def opened(self) -> dict[str, bytes]:
        """The contents of the files in which the free lines allow what is asked for."""
        return self._contents({line: self._wanted(line.entry.name) for line in self._free})

    def closed(self, versions: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
        """The contents of the files for the versions that were found; only files that change."""
        return self._contents(self._final(versions))

    def changes(self, versions: Mapping[str, Sequence[str]]) -> Iterator[Change]:
        """The lines that change for these versions, old and new."""
        for document, specifiers in self._by_document(self._final(versions)):
            yield from changes_of(document, edits_of(document, specifiers))

    def build_freed(self) -> str:
        """The build whose label the free lines of the torch family lose in ``opened``; "" if none does.

        Raises:
            InputError: the lines have different labels.
        """
        if self.build or all(exact_version(self._asked.get(line.entry.name, "")) for line in self._free):
            return ""
        found = {label_of(line.entry): line for line in self._free if line.entry.name in FAMILY}
        found.pop("", None)
        if len(found) > 1:
            told = " and ".join(f"+{label}" for label in found)
            hint = "name the release with its label, like torch==2.9.1+cu128"
            raise InputError(f"the lines of the input name several builds: {told}", hint=hint)
        return next(iter(found), "")

    def _final(self, versions: Mapping[str, Sequence[str]]) -> dict[Line, str]:
        """The lines that exclude these versions, each with its new specifier.

        A line allows all versions of a package, or else the oldest one, which comes first.
        """
        found = {}
        for line in self._free:
            several = [self._version(line, each) for each in versions.get(line.entry.name, ())]
            if all(self._admits(line, each) for each in several):
                continue
            for version in several[::-1]:
                new = moved(line.document, line.entry, version)
                if _admits_all(new, several) or version == several[0]:
                    if not self._admits(line, version):
                        found[line] = new
                    break
        return found

    def _version(self, line: Line, version: str) -> str:
        """The version for a line, with the label of the build if that is asked for."""
        name, base = line.entry.name, version.partition("+")[0]
        if self._takes_label(line):
            label = exact_version(self._asked.get(name, "")).partition("+")[2]
            label = label or (self.build if name in FAMILY and label_of(line.entry) else "")
            return f"{base}+{label}" if label else base
        return base

    def _takes_label(self, line: Line) -> bool:
        """Whether a label can be written on a line: a pin, and of several for a package those that have one."""
        is_pin = bool(exact_version(line.entry.specifier))
        return is_pin and (line.entry.name not in self._labelled or bool(label_of(line.entry)))

    def _admits(self, line: Line, version: str) -> bool:
        """Whether a line need not change for a version; a pin without a label does not name the build."""
        label = version.partition("+")[2]
        return admits(line.entry, version) and (
            not label or not self._takes_label(line) or label_of(line.entry) == label
        )

    def _may_stay(self, line: Line, asked: str) -> bool:
        """Whether a line need not change: it allows the version that is asked for, or has only lower bounds."""
        version = exact_version(asked)
        if version:
            return self._admits(line, version)
        clauses = line.entry.specifier.split(",")
        return all(clause.strip().startswith(">") for clause in clauses)

    def names_build(self, versions: Mapping[str, Sequence[str]]) -> bool:
        """Whether a line will pin a member of the torch family with the label that is asked for."""
        final = self._final(versions)
        return any(
            final.get(line, line.entry.specifier).endswith(f"+{self.build}")
            for line in self._lines()
            if line.entry.name in FAMILY
        )

    def _contents(self, specifiers: Mapping[Line, str]) -> dict[str, bytes]:
        return {
            document.path: encoded(document, fixed(document, own))
            for document, own in self._by_document(specifiers)
        }

    def _by_document(self, specifiers: Mapping[Line, str]) -> Iterator[tuple[Document, dict[int, str]]]:
        for document in self.documents:
            own = {line.number: new for line, new in specifiers.items() if line.document is document}
            if own:
                yield document, own


def label_of(entry: Entry) -> str:
    """The label of the build that an entry pins; "" if it pins none."""
    return exact_version(entry.specifier).partition("+")[2]


def build_asked(asked: Mapping[str, str]) -> str:
    """The build of the torch family that is asked for by a label; "" if none is.

    Raises:
        InputError: several are, or a label is not that of one version.
    """
    for name, specifier in asked.items():
        if "+" in specifier and not exact_version(specifier):
            raise InputError(f"{name}{specifier}: a label names one version", hint=f"use {name}==VERSION+LABEL")
    labels = {exact_version(each).partition("+")[2]: name for name, each in asked.items() if name in FAMILY}
    labels.pop("", None)
    if len(labels) > 1:
        told = " and ".join(f"{name}{asked[name]}" for name in labels.values())
        raise InputError(f"{told} ask for different builds", hint="use one build for the torch family")
    return next(iter(labels), "")


def _admits_all(specifier: str, versions: Iterable[str]) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return False
    return all(allowed.contains(version, prereleases=True) for version in versions)


def _documents(paths: Iterable[str]) -> Iterator[Document]:
    """Each file, and each file that it includes, once."""
    waiting, seen = list(paths), set[str]()
    while waiting:
        path = waiting.pop(0)
        if path in seen or lock_kind(path):
            continue
        seen.add(path)
        document = read_document(path)
        waiting += document.includes
        yield document
