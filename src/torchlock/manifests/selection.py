"""Selects the part of a document to lock: its own requirements, and those of some extras and groups."""

from __future__ import annotations

import os
import re

from torchlock.errors import InputError
from torchlock.manifests.paths import beside, is_there
from torchlock.manifests.syntax.pip_options import expand
from torchlock.spelling import meant
from torchlock.standards.names import normalise
from torchlock.terms import Inputs, Origin
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from torchlock.manifests.document import Declared, Document, Entry, IndexLine, ParseIssue
    from torchlock.terms import ExclusiveScopes, ParsedRequirement


def select(
    document: Document,
    *,
    extras: Collection[str] = (),
    groups: Collection[str] = (),
    all_extras: bool = False,
    all_groups: bool = False,
    variables: Mapping[str, str] | None = None,
    conflicts: Sequence[ExclusiveScopes] = (),
) -> Inputs:
    """The inputs of a lock: the requirements that always apply, and those of these extras and groups.

    ``variables`` replace ``${NAME}``. ``conflicts`` exclude each other, beside those of the document.

    Raises:
        InputError: an extra or group is not declared, or the document has an error or something unread that could
            change the lock.
    """
    return _Selection(document, variables or {}, conflicts).inputs(extras, groups, all_extras, all_groups)


class _Selection:
    def __init__(
        self, document: Document, variables: Mapping[str, str], conflicts: Sequence[ExclusiveScopes]
    ) -> None:
        self._document = document
        self._configured = conflicts
        self._variables = variables
        self._inputs = Inputs()

    def inputs(
        self, extras: Collection[str], groups: Collection[str], all_extras: bool, all_groups: bool
    ) -> Inputs:
        document, inputs = self._document, self._inputs
        scopes = self._scopes(extras, groups, all_extras, all_groups)
        self._refuse_issues(scopes)
        self._refuse_conflicts(scopes)
        self._refuse_what_is_declared_nowhere(scopes, all_extras)
        self._add(self._of_the_index(scopes), scopes)
        inputs.overrides += [self._parsed(entry) for entry in document.overrides]
        self._python()
        for line in document.indexes:
            self._index(line)
        for line in (*document.indexes, *document.explicit):
            address = expand(line.address, self._variables)
            inputs.index_origins.setdefault(address, Origin(line.path, line.place.line or None, line.address))
        inputs.pre = document.pre
        inputs.routes = {pattern.lower(): expand(url, self._variables) for pattern, url in document.routes.items()}
        inputs.environments = list(document.environments)
        inputs.files = list(document.includes)
        inputs.scopes = [scope for scope in scopes if _is_part(scope)]
        inputs.notes += self._notes(scopes)
        return inputs

    # The requested parts.

    def _scopes(
        self, extras: Collection[str], groups: Collection[str], all_extras: bool, all_groups: bool
    ) -> list[str]:
        """The requested scopes: the rest of the project first, unless a group is installed alone."""
        declared = self._document.extras
        asked = [self._known("extra", extra, declared) for extra in extras]
        asked += [item.scope for item in declared.values()] if all_extras else []
        asked += [self._known("dependency group", group, self._document.groups) for group in groups]
        grouped = [item.scope for item in self._document.groups.values()] if all_groups else []
        asked += [scope for scope in grouped if _is_part(scope)]  # another environment is not part of the project
        rest = [] if any(scope.startswith("alone:") for scope in asked) else [""]
        return list(dict.fromkeys([*rest, *asked]))

    def _known(self, kind: str, asked: str, declared: Mapping[str, Declared]) -> str:
        """The scope of a declared extra or group.

        Raises:
            InputError: it is not declared; the hint lists those that are.
        """
        name = normalise(asked)
        if name in declared:
            return declared[name].scope
        names = ", ".join(sorted(item.name for item in declared.values()))
        hint = f"declared: {names}" if names else f"the project has no {kind}s"
        raise InputError(f"unknown {kind} {asked!r}", path=self._document.path, hint=hint)

    # Reasons to refuse a lock.

    def _refuse_what_is_declared_nowhere(self, scopes: Collection[str], all_extras: bool) -> None:
        """Refuse a pyproject.toml without a project, unless only groups are asked for."""
        document = self._document
        only_groups = (
            len({*scopes} - {""}) > 0 and not all_extras and not any(each.startswith("extra:") for each in scopes)
        )
        if document.kind == "pyproject" and not (document.project or only_groups):
            raise InputError("has no [project] table", path=document.path, hint=_where_else(document))

    def _refuse_issues(self, scopes: Collection[str]) -> None:
        for issue in self._document.issues:
            if issue.stops_a_lock and issue.scope in scopes:
                raise self._error(issue)
        for scope, error in self._document.refusals:
            if scope in scopes:
                raise error

    def _error(self, issue: ParseIssue) -> InputError:
        path, line, message = self._where(issue)
        return issue.error or InputError(message, path=path, line=line or None, hint=issue.because or None)

    def _where(self, issue: ParseIssue) -> Origin:
        return issue.origin or Origin(self._document.path, issue.place.line, issue.message)

    def _refuse_conflicts(self, scopes: Collection[str]) -> None:
        for declared in self._configured:
            self._refuse_unknown(declared)
        for declared in (*self._document.conflicts, *self._configured):
            both = [scope for scope in declared.scopes if scope in scopes]
            if len(both) > 1:
                spelled = " and ".join(f"--{scope.replace(':', ' ')}" for scope in both)
                message = f"{spelled} are declared as conflicting"
                way = "choose one; or -o pylock.toml has all of them, and -o 'requirements-{extra}.txt' one each"
                raise InputError(message, path=declared.path, line=declared.line, hint=way)

    def _refuse_unknown(self, declared: ExclusiveScopes) -> None:
        """Refuse a set that names one extra or group of this file, and another that it does not declare."""
        document = self._document
        known = [item.scope for item in (*document.extras.values(), *document.groups.values())]
        unknown = [scope for scope in declared.scopes if scope not in known]
        if unknown and len(unknown) < len(declared.scopes):
            kind, _, name = unknown[0].partition(":")
            names = [scope.partition(":")[2] for scope in known if scope.startswith(kind)]
            message = f"conflicts: {document.path} declares no {kind} {name!r}{meant(name, names)}"
            raise InputError(message, path=declared.path, line=declared.line)

    # The selected entries.

    def _of_the_index(self, scopes: Collection[str]) -> list[Entry]:
        """The entries without conda packages that no index has; each of these gets a note."""
        entries = self._document.entries
        if not any(entry.channel == "conda" for entry in entries):
            return entries
        from torchlock.manifests.conda_packages import note_on

        found = []
        for entry in entries:
            note = note_on(entry)
            if note and note.text and entry.scope in scopes:
                self._document.notes.append(Origin(entry.path, entry.place.line, note.text))
            if note is None or note.kept:
                found.append(entry)
        return found

    def _add(self, entries: Iterable[Entry], scopes: list[str]) -> None:
        """Add the entries of some scopes in the order of the scopes, each line once."""
        found: dict[str, list[Entry]] = {scope: [] for scope in scopes}
        for entry in entries:
            if entry.scope in found:
                found[entry.scope].append(entry)
        seen: dict[tuple[object, ...], int] = {}
        requirements = self._inputs.requirements
        for scope, entry in ((each, entry) for each in scopes for entry in found[each]):
            line = (entry.constraint, entry.path, entry.place, entry.text)
            known = next((seen[key] for key in ((*line, ""), (*line, entry.marker)) if key in seen), None)
            if known is None:
                written = self._parsed(entry)._replace(scopes=(scope,) if _is_part(scope) else ())
                lines = self._inputs.constraints if entry.constraint else requirements
                seen[(*line, "" if entry.marker in entry.text else entry.marker)] = len(lines)
                lines.append(written)
            elif not entry.constraint and requirements[known].scopes:
                requirements[known] = _also_in(requirements[known], scope)

    def _parsed(self, entry: Entry) -> ParsedRequirement:
        from torchlock.manifests.conversion import parsed_requirement

        return parsed_requirement(entry, self._document.sources, self._variables)

    def _python(self) -> None:
        document = self._document
        if document.python and document.kind not in ("requirements", "constraints"):
            from packaging.specifiers import SpecifierSet

            origin = Origin(document.path, document.python_place.line or None, document.python)
            self._inputs.requires_python = SpecifierSet(document.python), origin

    def _index(self, line: IndexLine) -> None:
        inputs, address = self._inputs, expand(line.address, self._variables)
        if line.kind == "index":
            inputs.index_url = inputs.index_url or address
        elif line.kind == "extra":
            inputs.extra_index_urls.append(address)
        elif line.kind == "no-index":
            inputs.no_index = True
        else:
            beside_it = beside(line.path, address)
            inputs.find_links.append(beside_it if "://" not in address and is_there(beside_it) else address)

    # Notes.

    def _notes(self, scopes: Collection[str]) -> Iterator[str]:
        notes = [*self._document.notes]
        notes += [self._where(issue) for issue in self._document.issues if issue.scope in scopes]
        notes += self._idle_sources()
        yield from dict.fromkeys(
            map(_note, sorted(notes, key=lambda origin: (origin.path or "", origin.line or 0)))
        )
        for written in self._inputs.requirements:
            if written.requirement is not None and written.requirement.name.lower() == "pytorch":
                yield f"{written.origin}: pytorch is its name in conda; package indexes call it torch"

    def _idle_sources(self) -> Iterator[Origin]:
        """Sources of packages that no requirement of the file names: the name may be wrong."""
        document = self._document
        named = {entry.name for entry in [*document.entries, *document.overrides]}
        for name, sources in document.sources.items():
            for path, line, text in (source.origin for source in sources[:1]):
                if name not in named and path == document.path:
                    yield Origin(path, line, f"no requirement names {name}, so its source ({text}) has no effect")


def _is_part(scope: str) -> bool:
    """Whether a scope is an extra or a group, which an installer can leave out."""
    return scope.startswith(("extra:", "group:"))


def _also_in(written: ParsedRequirement, scope: str) -> ParsedRequirement:
    """A line of some extras and groups that another scope has, too."""
    return written._replace(scopes=(*written.scopes, scope) if _is_part(scope) else ())


def _where_else(document: Document) -> str:
    """A hint where the requirements of a pyproject.toml without a project may be."""
    if re.search(r"^lock-version\b", document.text, re.MULTILINE):
        return "this is a lock file: it records chosen versions, not the requirements of a project"
    if is_there(config := beside(document.path, "setup.cfg")):
        return f"perhaps its requirements are in {config}"
    return "requirements are read from [project] and [tool.poetry], and from [dependency-groups] with --group"


def _note(origin: Origin) -> str:
    path, line, text = origin
    return f"{path}:{line}: {text}" if line else f"{path}: {text}"


def read_inputs(
    path: str,
    *,
    extras: Collection[str] = (),
    groups: Collection[str] = (),
    all_extras: bool = False,
    all_groups: bool = False,
    conflicts: Sequence[ExclusiveScopes] = (),
) -> Inputs:
    """Read the part of a file to lock, ``-`` for standard input. ``conflicts`` are those of a configuration file.

    Raises:
        InputError: it cannot be read or locked, or it does not declare an extra or group that was asked for.
    """
    from torchlock.manifests.lockable import document_to_lock

    document = document_to_lock(path, extras=bool(extras or all_extras), groups=bool(groups or all_groups))
    return select(
        document,
        extras=extras,
        groups=groups,
        all_extras=all_extras,
        all_groups=all_groups,
        variables=os.environ,
        conflicts=conflicts,
    )


def read_list(path: str) -> Inputs:
    """Read a file in pip's format, whatever its content looks like.

    Raises:
        InputError: it cannot be read.
    """
    from torchlock.manifests.lockable import list_to_lock

    return select(list_to_lock(path, "requirements"), variables=os.environ)


def read_constraints(path: str) -> Inputs:
    """Read a constraints file, ``-`` for standard input; its index options count, as in pip.

    Raises:
        InputError: it cannot be read.
    """
    from torchlock.manifests.lockable import list_to_lock

    return select(list_to_lock(path, "constraints"), variables=os.environ)


def read_overrides(path: str) -> Inputs:
    """Read requirements that replace all others on the same packages, from a file of any format.

    Raises:
        InputError: it cannot be read, or one of them has no name.
    """
    inputs = read_inputs(path)
    for written in inputs.requirements:
        if written.requirement is None:
            path_of, line, text = written.origin
            raise InputError(f"{text!r} cannot be an override: it has no name", path=path_of, line=line)
    inputs.overrides += inputs.requirements
    inputs.requirements = []
    inputs.requires_python = None
    return inputs
