"""TL502: pins of releases that a package which uses the stack never had."""

from __future__ import annotations

from bisect import bisect

from torchlock.audit.install_sets import Demand, pinned
from torchlock.audit.phrasing import as_of, asked, listed
from torchlock.knowledge.registry import rule
from torchlock.standards.ordering import parsed
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.version import Version

    from torchlock.audit.context import AuditContext
    from torchlock.finding import Finding

_BECAUSE = "an installer takes no other release for an exact pin, and the public index does not have this one"


@rule("TL502", on="document")
def absent_dependents(context: AuditContext) -> Iterator[Finding]:
    """Pins of releases that the public index does not have, although it has later ones."""
    known = context.known.declared
    for entry in () if context.document.locked else context.document.entries:
        version = pinned(entry.specifier)
        if version is None or version.local or entry.name not in known.dependents:
            continue
        if entry.constraint or entry.url is not None or entry.channel != "pip":
            continue
        releases = sorted(map(parsed, known.versions(entry.name) or ()))
        absent = releases and version < releases[-1] and not known.allowed(entry.name, entry.specifier)
        if absent and context.offer(entry).only_public and not version.is_prerelease:
            yield _finding(context, Demand(entry, None, exact=True), _near(version, releases))


def _finding(context: AuditContext, demand: Demand, near: Sequence[Version]) -> Finding:
    nearest = f"its nearest releases are {listed([str(version) for version in near])}"
    message = f"there is no {asked(demand)} ({as_of(context.known.oldest_date)}): {nearest}"
    return context.finding("TL502", "error", message, [demand], _BECAUSE)


def _near(version: Version, releases: Sequence[Version]) -> list[Version]:
    """The final releases before and behind a version."""
    final = [release for release in releases if not release.is_prerelease]
    at = bisect(final, version)
    return final[max(0, at - 1) : at + 1]
