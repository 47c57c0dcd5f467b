"""The number of errors and warnings, to compare a document before and after a change."""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.finding import Finding


def weighed(findings: Iterable[Finding]) -> tuple[int, int]:
    """The number of errors and of warnings."""
    severities = [finding.severity for finding in findings]
    return severities.count("error"), severities.count("warning")
