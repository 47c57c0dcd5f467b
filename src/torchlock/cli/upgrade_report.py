"""What ``torchlock upgrade`` reports besides the lock: lines of the input, consequences, new findings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from torchlock.lock import Conflict
from torchlock.lock.consequences import consequences_of
from torchlock.redaction import masked_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.audit import Options
    from torchlock.cli.streams import Console
    from torchlock.finding import Change, Finding
    from torchlock.lock import Lock
    from torchlock.lock.consequences import Consequence
    from torchlock.manifests.pin_sets import PinSet
    from torchlock.report.together import NewFile


class Outcome(NamedTuple):
    """What an upgrade means: the changed lines of the input, consequences, and findings, each with its file."""

    lines: tuple[Change, ...]
    consequences: tuple[Consequence, ...]
    findings: tuple[tuple[str, Finding], ...]

    def tell_lines(self, console: Console, *, dry: bool) -> None:
        """Say which lines of the input change."""
        for change in self.lines:
            where, verb = f"{change.path}:{change.line}", "would become" if dry else "became"
            old, new = ((text or "").rstrip().removesuffix("\\").strip() for text in (change.old, change.new))
            console.say("note", f"{where}: {old} {verb} {new}" if old else f"{where}: {new} is new")
        if not self.lines:
            console.say("note", "no line of the input changes, only the lock")

    def tell_meaning(self, console: Console) -> None:
        """Say what the new releases mean for machines, and warn about what audit finds."""
        from torchlock.report.changes_text import consequence_lines

        for line in consequence_lines(self.consequences):
            console.say("note", line)
        for path, finding in self.findings:
            place = f"{path}:{finding.place.line}" if finding.place.line else path
            console.say("warning", f"{place}: {finding.rule} {finding.message}")
            if finding.remedy is not None:
                console.say("hint", finding.remedy.summary)

    def added_to(self, text: str) -> str:
        """The JSON of the lock command with what an upgrade adds."""
        from torchlock.report.changes_json import consequence_rows, finding_row

        more = {
            "input_changes": [
                {"path": each.path, "line": each.line, "old": each.old, "new": each.new} for each in self.lines
            ],
            "consequences": consequence_rows(self.consequences),
            "new_findings": [{"path": path, **finding_row(finding)} for path, finding in self.findings],
        }
        return json.dumps({**json.loads(text), **masked_values(more)}, indent=2) + "\n"


def outcome_of(
    lines: Iterator[Change],
    before: PinSet,
    after: PinSet,
    files: Sequence[NewFile],
    results: Sequence[Lock | Conflict],
) -> Outcome:
    """What an upgrade means on the targets of the lock. ``before`` and ``after`` are the pins of the lock."""
    from torchlock.audit import Options

    targets = [each.target for each in results if not isinstance(each, Conflict)]
    platforms = dict.fromkeys(str(target.platform) for target in targets)
    options = Options(
        pythons=tuple(dict.fromkeys(target.python for target in targets)),
        platforms=tuple(dict.fromkeys(target.platform for target in targets)),
    )
    found = consequences_of(before, after, list(platforms))
    return Outcome(tuple(lines), tuple(found), tuple(_new_findings(files, options)))


def _new_findings(files: Sequence[NewFile], options: Options) -> Iterator[tuple[str, Finding]]:
    """What audit finds in the new files and did not find before, such as a dependent that breaks."""
    from torchlock.audit import Auditor
    from torchlock.report.lock_diff import findings_between

    auditor = Auditor(options)
    for file in files:
        if file.old is not None:
            reports = auditor.report(file.path, file.old), auditor.report(file.path, file.content)
            yield from ((file.path, finding) for finding in findings_between(*reports)[0])
