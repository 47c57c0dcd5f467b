"""How many files have which findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchlock.finding import SEVERITIES
from torchlock.knowledge.stories import story
from torchlock.report.summary import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class RuleCount:
    """One rule: its worst severity, in how many files it was found, and how often."""

    rule: str
    severity: str
    files: int
    findings: int


@dataclass(frozen=True)
class Summary:
    """A whole run: its rows, how many are of an earlier run, their statuses, and the rules with findings."""

    rows: int
    kept: int
    statuses: tuple[tuple[str, int], ...]
    rules: tuple[RuleCount, ...]

    def lines(self) -> list[str]:
        """The summary as a table: errors first, of these the rule in most files."""
        found = [f"{'rule':<7}  {'severity':<8}  {'files':>7}  {'findings':>8}  title"] if self.rules else []
        for each in self.rules:
            title = story(each.rule).title
            found.append(f"{each.rule:<7}  {each.severity:<8}  {each.files:>7}  {each.findings:>8}  {title}")
        statuses = ", ".join(f"{count} {status}" for status, count in self.statuses)
        kept = f"; {counted(self.kept, 'row')} of an earlier run" if self.kept else ""
        return [*found, f"{counted(self.rows, 'row')}: {statuses}{kept}" if self.rows else "0 rows"]


def summary_of(rows: Iterable[Mapping[str, Any]], kept: int) -> Summary:
    """The summary of some rows, of which so many are of an earlier run."""
    count, statuses = 0, Counter[str]()
    files, findings, worst = Counter[str](), Counter[str](), dict[str, str]()
    for row in rows:
        count += 1
        statuses[row["status"]] += 1
        files.update({finding["rule"] for finding in row["findings"]})
        for finding in row["findings"]:
            rule, severity = finding["rule"], finding["severity"]
            findings[rule] += 1
            worst[rule] = min(worst.get(rule, severity), severity, key=SEVERITIES.index)
    rules = sorted(files, key=lambda rule: (SEVERITIES.index(worst[rule]), -files[rule], rule))
    return Summary(
        count,
        kept,
        tuple(sorted(statuses.items())),
        tuple(RuleCount(rule, worst[rule], files[rule], findings[rule]) for rule in rules),
    )
