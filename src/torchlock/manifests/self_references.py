"""Requirements of a project on itself: ``name[extra]`` stands for what the extra holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from torchlock.manifests.document import ParseIssue
from torchlock.manifests.lock_readers.extras import DEEPEST
from torchlock.manifests.syntax.markers import both
from torchlock.redaction import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.manifests.document import Entry


class OwnExtras:
    """The extras of one project, by their normalised names.

    ``problems`` are entries behind which nothing was followed, because too many led there.
    """

    def __init__(self, own: str, extras: Mapping[str, Sequence[Entry]]) -> None:
        self._own = canonicalize_name(own)
        self._extras = extras
        self.issues: list[ParseIssue] = []

    def unfold(self, entries: Sequence[Entry], scope: str) -> list[Entry]:
        """The entries in a scope, those of the project's own extras in place of the requirement on these."""
        return list(self._unfold(entries, scope, "", set(), 0))

    def _unfold(
        self, entries: Sequence[Entry], scope: str, marker: str, done: set[tuple[str, str]], depth: int
    ) -> Iterator[Entry]:
        for entry in entries:
            if not self._own or entry.name != self._own:
                yield replace(entry, scope=scope, marker=both(marker, entry.marker))
                continue
            if depth == DEEPEST:
                self._refuse(entry)
                continue
            within = both(marker, entry.marker)
            for extra in entry.extras:
                if (extra, within) not in done and (extra, "") not in done and len(done) < 1000:
                    done.add((extra, within))
                    yield from self._unfold(self._extras.get(extra, ()), scope, within, done, depth + 1)

    def _refuse(self, entry: Entry) -> None:
        """Report the first of these entries; the others follow from it."""
        if not self.issues:
            message = f"extras include each other more than {DEEPEST} deep, up to {shortened(entry.text)!r}"
            self.issues.append(ParseIssue("TL501", "error", message, entry.place))
