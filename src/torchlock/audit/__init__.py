"""The audit: what of a file will not load, why, on which line, and the smallest change that cures it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from torchlock.audit import around, flavours, lines, versions, wheels
from torchlock.audit.case import Case, Knowledge
from torchlock.audit.ignores import without_ignored
from torchlock.audit.targets import cells_of
from torchlock.builds import Builds
from torchlock.errors import InputError
from torchlock.finding import SEVERITIES, FileReport, Finding, Remedy
from torchlock.matrix import Matrix
from torchlock.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchlock.audit.demands import Scene
    from torchlock.document import Document, Problem
    from torchlock.target import Platform, PythonVersion

__all__ = ["Auditor", "Options"]

# In this order, since of two findings on the same lines the first tells more.
_RULES: tuple[Callable[[Case, Scene], Iterator[Finding]], ...] = (
    lines.absent,
    lines.doubles,
    versions.conflicts,
    flavours.disagreements,
    flavours.labels,
    wheels.unavailable,
    flavours.mixtures,
    versions.choices,
    flavours.pages,
    around.without_torch,
    around.dependents,
    lines.yanked,
    lines.hashes,
    lines.twice_provided,
    around.backends,
)


class Options(NamedTuple):
    """What the command line says: the targets (None: what a file declares, else all), and rules to ignore."""

    pythons: tuple[PythonVersion, ...] | None = None
    platforms: tuple[Platform, ...] | None = None
    ignore: frozenset[str] = frozenset()


class Auditor:
    """Judges files, one after the other, by the bundled knowledge."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()

    @cached_property
    def known(self) -> Knowledge:
        return Knowledge(Stack(), Matrix(), Builds())

    def report(self, path: str, raw: bytes | None = None, kind: str | None = None) -> FileReport:
        """Read and judge one file (``-``: standard input); ``raw`` is its content, where it was read already.

        A file that cannot be read is a report of its own, with the reason.
        """
        from torchlock.dialects import read_document

        try:
            document = read_document(path, raw=raw, kind=kind)
        except InputError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return FileReport(path, kind or "", error=f"{error.message}{hint}")
        return FileReport(path, document.kind, self.judge(document), document.text)

    def judge(self, document: Document) -> list[Finding]:
        """What is wrong with a document, in the order of its lines."""
        findings = [self._of_problem(problem, document) for problem in document.problems]
        findings += _distinct(self._found(document))
        kept = without_ignored(findings, document.text, self._options.ignore)
        return sorted(kept, key=lambda finding: (finding.place, SEVERITIES.index(finding.severity), finding.rule))

    def case(self, document: Document) -> Case:
        """The document with all that it is judged by."""
        stack, options = self.known.stack, self._options
        pythons = None
        if options.pythons is not None:
            minors = [python.minor for python in options.pythons]
            pythons = [index for index, minor in enumerate(stack.pythons) if minor in minors]
        platforms = None if options.platforms is None else [str(platform) for platform in options.platforms]
        return Case(document, self.known, *cells_of(document, stack, pythons, platforms))

    def _found(self, document: Document) -> Iterator[Finding]:
        case = self.case(document)
        for scene in case.scenes:
            for rule in _RULES:
                yield from rule(case, scene)

    def _of_problem(self, problem: Problem, document: Document) -> Finding:
        from torchlock.audit.edits import changes_of

        remedy = None
        if problem.remedy or problem.edits:
            changes = changes_of(document, problem.edits)
            remedy = Remedy(problem.remedy, changes, problem.edits)
        because = problem.because or self.known.matrix.because(problem.rule)
        return Finding(
            problem.rule, problem.severity, problem.message, problem.place, because=because, remedy=remedy
        )


def _distinct(findings: Iterator[Finding]) -> list[Finding]:
    """Each finding once, at its worst; of those about the same lines only what tells most."""
    best: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        names = frozenset(name for name, _ in finding.packages)
        key = finding.rule, finding.place, names
        known = best.get(key)
        if known is None or SEVERITIES.index(finding.severity) < SEVERITIES.index(known.severity):
            best[key] = finding
    kept = list(best.values())
    errors = [{finding.place, *finding.related} for finding in kept if finding.severity == "error"]
    return [
        finding
        for finding in kept
        if finding.severity != "warning"
        or finding.rule not in _CONSEQUENCES
        or not any({finding.place, *finding.related} <= places for places in errors)
    ]


# Warnings that only repeat an error on the same lines.
_CONSEQUENCES = frozenset({"TL101", "TL102", "TL103", "TL104", "TL201", "TL403"})
