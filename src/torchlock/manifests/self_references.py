"""Requirements of a project on itself: ``name[extra]`` stands for the requirements of the extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.manifests.document import ParseIssue
from torchlock.manifests.syntax.markers import both
from torchlock.records import replace
from torchlock.redaction import shortened
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.manifests.document import Declared, Document, Entry

# Extras and groups of real projects are not nested deeper.
DEEPEST = 100


class OwnExtras:
    """The extras of one project, by their normalised names.

    ``issues`` are the references that were not followed, each kind once; ``refusals`` stop a lock of their scopes.
    """

    def __init__(self, own: str, extras: Mapping[str, Sequence[Entry]], declared: Mapping[str, Declared]) -> None:
        self._own = normalise(own)
        self._extras = extras
        self._declared = declared
        self.issues: list[ParseIssue] = []
        self.refusals: list[tuple[str, InputError]] = []

    def unfold(self, entries: Sequence[Entry], scope: str) -> list[Entry]:
        """The entries of a scope, with the project's own extras replaced by their requirements."""
        return list(self._unfold(entries, scope, "", set(), 0))

    def _unfold(
        self, entries: Sequence[Entry], scope: str, marker: str, done: set[tuple[str, str]], depth: int
    ) -> Iterator[Entry]:
        for entry in entries:
            if not self._own or entry.name != self._own:
                home = entry.home or (entry.scope if depth else "")
                yield replace(entry, scope=scope, home=home, marker=both(entry.marker, marker))
                continue
            if depth == DEEPEST:
                self._refuse_depth(entry, scope)
                continue
            within = both(entry.marker, marker)
            for extra in entry.extras:
                if extra not in self._extras:
                    self._report_unknown(extra, entry, scope)
                elif (extra, within) not in done and (extra, "") not in done and len(done) < 1000:
                    done.add((extra, within))
                    yield from self._unfold(self._extras[extra], scope, within, done, depth + 1)

    def _report_unknown(self, extra: str, entry: Entry, scope: str) -> None:
        message = f"unknown extra {extra!r}"
        names = ", ".join(sorted(item.name for item in self._declared.values()))
        hint = f"declared: {names}" if names else "the project has no extras"
        error = InputError(message, path=entry.path, line=entry.place.line or None, hint=hint)
        self._report(ParseIssue("TL504", "warning", message, entry.place, scope=scope), error)

    def _refuse_depth(self, entry: Entry, scope: str) -> None:
        message = f"extras include each other more than {DEEPEST} deep, up to {shortened(entry.text)!r}"
        error = InputError(message, path=entry.path, line=entry.place.line or None)
        self._report(ParseIssue("TL501", "error", message, entry.place, scope=scope), error)

    def _report(self, issue: ParseIssue, error: InputError) -> None:
        """Report the first issue of each kind; the others follow from it, and only stop a lock of their scopes."""
        self.refusals.append((issue.scope, error))
        if not any(known.rule == issue.rule for known in self.issues):
            issue.error = error
            self.issues.append(issue)

    def report_to(self, document: Document) -> None:
        """Add the unresolved references to the document."""
        document.issues += self.issues
        document.refusals += self.refusals
