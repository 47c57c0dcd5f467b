"""The audit: find the lines that make an installation fail, explain them, and suggest the smallest fix."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType

from torchlock.audit.context import AuditContext, Knowledge
from torchlock.audit.rules.host_libraries import set_platform_floor, use_free_threaded
from torchlock.audit.suppressions import without_ignored
from torchlock.audit.targets import judged_on
from torchlock.errors import InputError, TorchlockError
from torchlock.finding import SEVERITIES, FileReport, Finding, Remedy
from torchlock.knowledge import registry
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.severity import softened
from torchlock.location import NOWHERE
from torchlock.manifests.document import ParseIssue
from torchlock.records import NamedTuple
from torchlock.runtime.fence import breakage
from torchlock.runtime.project_folder import NOT_QUOTED, is_outside
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from torchlock.audit.fix.fixer import Fixer
    from torchlock.audit.install_sets import InstallSet
    from torchlock.knowledge.gpus import Gpu
    from torchlock.location import Place
    from torchlock.manifests.document import Document
    from torchlock.target import Platform, PythonVersion

__all__ = ["Auditor", "Options", "broken"]

# A fixed line may show further errors. More rounds than this find nothing new.
_ROUNDS = 4
# The unit of work is one demand. A set of entries without demands costs as much as _SET demands; so do
# _CHARACTERS characters of text as one demand.
_SET, _CHARACTERS = 8, 20_000
_NOTHING = "no requirement was found here, so nothing was judged"
_WORDS = "this may not be a list of requirements: neither its name nor a version in it shows that it is one"

_RULES = "torchlock.audit.rules"


class Options(NamedTuple):
    """The settings of a run: targets (None: those that a file declares, else all) and rules to ignore.

    ``libraries`` maps host libraries to their versions, None for a library that is known to be missing. ``gpus``
    are the GPUs that the files must run on. ``wanted`` are the builds of the torch family that shall be
    installed, the preferred one first; empty for those that a file asks for. ``wanted_by_machine``: these are the
    builds that a machine runs.
    """

    pythons: tuple[PythonVersion, ...] | None = None
    platforms: tuple[Platform, ...] | None = None
    ignore: frozenset[str] = frozenset()
    libraries: Mapping[str, str | None] = MappingProxyType({})
    gpus: tuple[Gpu, ...] = ()
    wanted: tuple[str, ...] = ()
    wanted_by_machine: bool = False
    docs: bool = False


class Auditor:
    """Judges files, one after the other, with the bundled knowledge."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()

    @cached_property
    def known(self) -> Knowledge:
        options = self._options
        known = Knowledge(
            CompatibilityTable(),
            Matrix(),
            dict(options.libraries),
            options.gpus,
            options.wanted,
            options.wanted_by_machine,
        )
        for platform in self._options.platforms or ():
            if platform != type(platform).parse(str(platform)):
                set_platform_floor(known, platform)
        for python in self._options.pythons or ():
            if python.free_threaded:
                use_free_threaded(known, python.minor)
        return known

    @cached_property
    def _fixer(self) -> Fixer:
        from torchlock.audit.fix.fixer import Fixer

        return Fixer(self.known, self.judge, self.still, self._size, self.context)

    def report(self, path: str, raw: bytes | None = None, kind: str | None = None) -> FileReport:
        """Read and judge one file (``-``: standard input); ``raw`` is its content, if it was already read.

        A file that cannot be read gets a report with the reason. So does a file that meets a bug.

        Raises:
            DataError: the bundled knowledge is damaged.
        """
        try:
            return self._report(path, raw, kind)
        except InputError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return FileReport(path, kind or "", error=f"{error.message}{hint}")
        except TorchlockError:
            raise
        except OSError as error:
            return FileReport(path, kind or "", error=error.strerror or str(error))
        except Exception as error:
            return broken(path, error)

    def _report(self, path: str, raw: bytes | None, kind: str | None) -> FileReport:
        from torchlock.manifests import read_document

        document = read_document(path, raw=raw, kind=kind or self._kind(path))
        if not document.entries and not document.issues:
            document.issues.append(ParseIssue("TL905", "note", _NOTHING, NOWHERE))
        if document.guessed and document.kind == "requirements":
            document.issues.append(ParseIssue("TL905", "note", _WORDS, NOWHERE))
        outside = is_outside(path, path)
        if outside:
            first = {(issue.rule, issue.severity): issue for issue in reversed(document.issues)}
            document.issues = [_unquoted(issue) for issue in first.values()]
        findings = self.judge(document)
        if any(finding.severity != "note" for finding in findings):
            self._fixer.add_remedies(document, findings)
        for finding in findings if outside else ():
            if finding.remedy is not None:
                finding.remedy = Remedy(finding.remedy.summary)
        text = "" if outside else document.text
        named = any(entry.name in self.known.stack.packages for entry in document.entries)
        return FileReport(path, document.kind, findings, text, guessed=document.guessed, names_stack=named)

    def fixed(self, path: str, severities: Collection[str] = ("error",), raw: bytes | None = None) -> bytes | None:
        """The content of a file after the fewest line changes that remove all findings of these severities.

        What cannot be fixed does not change. Neither does a file whose format was only guessed. None if nothing
        changes.

        Raises:
            InputError: the file cannot be read, or is a link out of the project that would have to be changed.
        """
        from torchlock.audit.fix.edits import encoded
        from torchlock.manifests import read_document

        document = read_document(path, raw=raw, kind=self._kind(path))
        if document.guessed and path != "-":
            return None
        whole = encoded(document, document.text)
        for _ in range(_ROUNDS):
            text = self._fixer.fixed_text(document, frozenset(severities))
            if text == document.text:
                break
            after = read_document(path, raw=encoded(document, text), kind=document.kind)
            if _errors(self.judge(after)) > _errors(self.judge(document)):
                break  # The new text means something else than expected: keep the file as it is.
            document = after
        now = encoded(document, document.text)
        if now == whole:
            return None
        if is_outside(path, path):
            reason = "is a link to a file outside of the project; its lines are neither shown nor changed"
            raise InputError(reason, path=path, hint="give the path of that file")
        return now

    def _kind(self, path: str) -> str | None:
        """The format of a text that is read on request."""
        if not self._options.docs:
            return None
        from torchlock.manifests.detection import is_text_document

        return "docs" if is_text_document(path) else None

    def judge(self, document: Document) -> list[Finding]:
        """All findings in a document, in the order of its lines."""
        findings = [_of_issue(issue, document, self.known.matrix) for issue in document.issues]
        findings += _distinct(self._found(document))
        kept = without_ignored(findings, document.text, self._options.ignore)
        return sorted(kept, key=lambda finding: (finding.place, SEVERITIES.index(finding.severity), finding.rule))

    def context(self, document: Document) -> AuditContext:
        """The document, with the knowledge and the targets to judge it by."""
        stack, options = self.known.stack, self._options
        pythons = None
        if options.pythons is not None:
            minors = [python.minor for python in options.pythons]
            pythons = [index for index, minor in enumerate(stack.pythons) if minor in minors]
        platforms = None if options.platforms is None else [str(platform) for platform in options.platforms]
        judged = judged_on(document, stack, pythons, platforms)
        platforms_given, pythons_given = platforms is not None, pythons is not None
        return AuditContext(
            document, self.known, *judged, platforms_given=platforms_given, pythons_given=pythons_given
        )

    def _size(self, document: Document) -> int:
        """The amount of work to judge a document: its lines, and the demands of every set of entries."""
        beside = len(document.text) // _CHARACTERS + document.text.count("torchlock:")
        return (
            len(document.entries)
            + beside
            + sum(_SET + install_set.size for install_set in self.context(document).install_sets)
        )

    def still(self, document: Document, rules: frozenset[str], wanted: Callable[[Finding], bool]) -> bool:
        """Whether some rules certainly report a wanted finding: an answer before a document is judged by all."""
        if document.kind == "constraints" or document.locked:
            return False  # The severity of a finding depends on others.
        context = self.context(document)
        return any(
            wanted(finding)
            for rule in registry.functions(_RULES)
            if not rules.isdisjoint(rule.rules)
            for install_set in context.install_sets
            for finding in rule.function(context, install_set)
        )

    def _found(self, document: Document) -> Iterator[Finding]:
        context = self.context(document)
        rules = registry.functions(_RULES)
        by_set = [
            [finding for rule in rules for finding in rule.function(context, install_set)]
            for install_set in context.install_sets
        ]
        if document.kind == "constraints":
            _soften(by_set)
        if document.locked:
            _spare_what_works(context.install_sets, by_set)
        for findings in by_set:
            yield from findings
        for rule in registry.functions(_RULES, on="document"):
            yield from rule.function(context)


@registry.rule("TL501", "TL503", "TL504", "TL505", "TL901", "TL902", "TL903", "TL905", on="issue")
def _of_issue(issue: ParseIssue, document: Document, matrix: Matrix) -> Finding:
    """The finding for an issue that the reader of a format reports."""
    remedy = None
    if issue.remedy or issue.edits:
        from torchlock.audit.fix.edits import changes_of

        remedy = Remedy(issue.remedy, changes_of(document, issue.edits), issue.edits)
    because = issue.because or matrix.because(issue.rule)
    return Finding(issue.rule, issue.severity, issue.message, issue.place, because=because, remedy=remedy)


@registry.rule("TL908", on="bug")
def broken(path: str, error: Exception, where: str = "here, so nothing of this file was judged") -> FileReport:
    """The report on a file that met a bug; ``where`` continues the sentence "torchlock failed"."""
    found = breakage(error)
    message = f"torchlock failed {where}: {found}"
    return FileReport(path, "", [Finding("TL908", "error", message, because=found.because)], broken=found)


def _unquoted(issue: ParseIssue) -> ParseIssue:
    """An issue without its message, because that may quote a line of another file; whole-file issues stay."""
    return ParseIssue(issue.rule, issue.severity, NOT_QUOTED, issue.place) if issue.place.line else issue


def _errors(findings: list[Finding]) -> int:
    return sum(finding.severity == "error" for finding in findings)


def _soften(by_set: list[list[Finding]]) -> None:
    """Lower the severities of constraints: they count only if another file requires the package."""
    for findings in by_set:
        for finding in findings:
            finding.severity = softened(finding.severity)


def _spare_what_works(install_sets: list[InstallSet], by_set: list[list[Finding]]) -> None:
    """Lower errors to warnings in a lock for many targets if another set of entries works."""

    def names(finding: Finding) -> frozenset[str]:
        return frozenset(name for name, _ in finding.packages)

    broken = [{names(finding) for finding in findings if finding.severity == "error"} for findings in by_set]
    works: dict[frozenset[str], bool] = {}
    for findings in by_set:
        for finding in findings:
            mine = names(finding)
            if finding.severity == "error" and mine not in works:
                works[mine] = any(
                    mine <= install_set.demands.keys() and mine not in bad
                    for install_set, bad in zip(install_sets, broken, strict=True)
                )
            if finding.severity == "error" and works[mine]:
                finding.severity = softened(finding.severity)


def _distinct(findings: Iterator[Finding]) -> list[Finding]:
    """Report each finding once, at its worst severity. Drop a warning that an error on the same lines explains."""
    best: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        names = frozenset(name for name, _ in finding.packages)
        key = finding.rule, finding.place, names
        known = best.get(key)
        if known is None or SEVERITIES.index(finding.severity) < SEVERITIES.index(known.severity):
            best[key] = finding
    kept, hidden = list(best.values()), registry.hidden_by_error()
    errors: dict[Place, list[set[Place]]] = {}
    for finding in kept:
        places = {finding.place, *finding.related}
        for place in places if finding.severity == "error" else ():
            errors.setdefault(place, []).append(places)
    return [
        finding
        for finding in kept
        if finding.severity != "warning"
        or finding.rule not in hidden
        or not any({finding.place, *finding.related} <= places for places in errors.get(finding.place, ()))
    ]
