"""The order of findings that a log suggests: those that it shows come first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log import candidates
from torchlock.check.log_signatures import CAUSE, ECHO
from torchlock.check.verdict import strength_of
from torchlock.finding import Strength
from torchlock.knowledge.registry import group
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.redaction import shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

_MODULES = FAMILY | {"soundfile"}
_OF_TORCH = re.compile(
    r"_?(torch|c10|cuda|cudart|cublas|cufft|cusolver|curand|nccl|nvrtc|nvtoolsext|amdhip|roc|torio)"
)
# Rules about any missing library or symbol.
_LOADING = {"TL201", "TL610", "TL611", "TL613"}


def chosen(log: Log, findings: Sequence[Finding], owners: Collection[str] = ()) -> list[Finding]:
    """The findings, those that the log shows first; otherwise the order stays.

    First come findings that print a line of the log, or are about ``owners``, packages in its traceback, the one
    that failed first. A finding that only its rule connects with the log does not come before an error that was
    shown; nor does a warning that only metadata support, about the same package. A library that may be missing
    does not come before what is known to be missing in its package, or in torch.
    """
    order, depth = candidates(log), list(owners)
    shown = [each for each in findings if is_proven(each)]
    failing = {name for each in findings if each.severity == "error" for name, _ in each.packages[:1]}

    proven = {name for each in shown for name, _ in each.packages[:1]}

    def rank(finding: Finding) -> tuple[bool, int, bool, int, int]:
        rules = [finding.rule, *(effect.rule for effect in finding.consequences)]
        place = min((order.index(rule) for rule in rules if rule in order), default=len(order))
        is_likely = place < len(order)
        is_bare = strength_of(finding, ()) < Strength.SHOWN
        about = finding.packages[0][0] if finding.packages else ""
        near = depth.index(about) if about in depth else len(depth)
        is_outdone = is_bare and finding.severity == "warning" and about in failing
        is_likely_only = is_bare and bool(proven & {about, "torch"})
        if is_outdone:
            tier = 5
        elif (predicts(finding, log) and not is_likely_only) or (is_likely and about in depth):
            tier = 0
        elif is_likely and not (is_bare and shown):
            tier = 1
        else:
            tier = 2 if order and finding in shown else 3 if is_likely else 4
        return (
            finding.severity == "note",
            tier,
            tier == 0 and not _is_named_by(finding, log),
            near if tier == 0 else 0,
            place,
        )

    return sorted(findings, key=rank)


def is_proven(finding: Finding) -> bool:
    """Whether a finding is an error that the files show, or that was run."""
    return finding.severity == "error" and strength_of(finding, ()) >= Strength.SHOWN


def predicts(finding: Finding, log: Log) -> bool:
    """Whether a finding predicts the first failure of a log: its line, its symbol or its library."""
    first = log.first
    return first is not None and any(_is_of(part, first) for part in (finding, *finding.consequences))


def _is_of(part: Finding, first: Signature) -> bool:
    """Whether one finding, without its consequences, predicts a line of a log."""
    if (said := part.expected_error.rpartition("\n")[2].strip()) and (said in first.text or first.text in said):
        return True
    return _lacks(part, first)


def _lacks(part: Finding, first: Signature) -> bool:
    """Whether one finding is about the symbol or the library that a line of a log names."""
    named = (first.symbol or first.library).lower()
    return bool(named) and any(each.lower().lstrip("_") == named.lstrip("_") for each in part.lacks)


def _is_named_by(finding: Finding, log: Log) -> bool:
    first = log.first
    return first is not None and any(_lacks(part, first) for part in (finding, *finding.consequences))


def confirm(log: Log, findings: Sequence[Finding], installed: Collection[str]) -> None:
    """Make an error of a warning whose failure ended the run of the log, if it is about an installed package.

    The run ended with an exception: the line is the last of a traceback that nothing handled, and no warning.
    """
    first = log.first
    if first is None or first.weight < CAUSE or not log.ended_by(first):
        return
    for finding in findings:
        about = finding.packages[0][0] if finding.packages else ""
        if finding.severity == "warning" and about in installed and _is_shown_by(finding, log):
            finding.severity = severity_of(fails=True)


def _is_shown_by(finding: Finding, log: Log) -> bool:
    """Whether the run of a log confirms a finding: it predicts the line, or is about the module that failed."""
    if finding.strength == Strength.RAN and predicts(finding, log):
        return True
    module = log.frames[-1].partition("/")[0].removesuffix(".py") if log.frames else ""
    rules = {finding.rule, *(effect.rule for effect in finding.consequences)}
    is_of_module = bool(module) and module == finding.packages[0][0]
    is_likely = log.first is not None and log.first.rules[0] in rules
    return is_of_module and is_likely and finding.strength >= Strength.SHOWN


def quote(log: Log, findings: Sequence[Finding]) -> None:
    """Let each finding that the log shows say what the log says, and name that consequence first."""
    first = log.first
    if first is None:
        return
    for finding in findings:
        shown = [part for part in (finding, *finding.consequences) if _is_of(part, first)]
        for part in shown if first.symbol else ():
            part.expected_error = first.text if part.expected_error else ""
        others = (effect for effect in finding.consequences if effect not in shown)
        finding.consequences = (*(part for part in shown if part is not finding), *others)


def promote(log: Log, findings: Sequence[Finding]) -> None:
    """Raise a note to a warning if the log shows its effect, and to an error if the package is missing.

    A fault that the files show, and that the log names by its line, symbol or library, is confirmed: it ran.
    """
    likely = log.first.rules[:2] if log.first else ()
    for finding in findings:
        if finding.strength == Strength.SHOWN and predicts(finding, log):
            finding.strength = Strength.RAN
        is_likely = finding.rule in likely and _may_be(finding, log)
        if finding.severity == "note" and (is_likely or _is_opened_in(finding, log)):
            finding.severity = severity_of(fails=finding.rule == "TL615")


def _is_opened_in(finding: Finding, log: Log) -> bool:
    """Whether a log shows that a package does not find a library, which it opens when it is used."""
    first, about = log.first, finding.packages[0][0].split("-")[0] if finding.packages else ""
    is_of_it = any(frame.partition("/")[0] == about for frame in log.frames)
    is_named = first is not None and first.library in finding.lacks and (is_of_it or about in first.text)
    return is_named and finding.rule in group("summary")


def _may_be(finding: Finding, log: Log) -> bool:
    """Whether a note matches the log: it is about the missing module, or about packages of the stack."""
    names = {name.replace("-", "_") for name, _ in finding.packages}
    module = log.first.module.partition(".")[0] if log.first else ""
    if finding.rule in ("TL615", "TL604", "TL601") and module in _MODULES:
        return module in names
    return finding.rule != "TL609" or names <= FAMILY


def remarks(log: Log, findings: Sequence[Finding], elsewhere: str = "") -> list[str]:
    """Remarks on the log: it shows no known failure, or it is from another environment (``elsewhere``)."""
    found = [elsewhere] if elsewhere else []
    if log.split:
        places = dict(log.prefixes)
        found.append(f"the log has torch from {places['torch']} and torchaudio from {places['torchaudio']}")
    if elsewhere:
        return found
    if log.first is None:
        if any(each.rule == "TL628" and each.strength == Strength.RAN for each in findings):
            return found
        said = "the log shows no known failure"
        if log.is_handled:
            said = f"the program handled the failure in line {log.handled} of the log, and no other one is known"
        unused = ", so it does not change the order of the findings" if findings else ""
        return [*found, f"{said}{unused}"]
    innocent = next((each for each in findings if each.rule == "TL229" and predicts(each, log)), None)
    if innocent is not None:
        return [*found, innocent.message]
    bad = [each for each in findings if each.severity != "note"]
    likely = set(candidates(log))
    shown = likely & {each.rule for finding in bad for each in (finding, *finding.consequences)}
    if log.first.weight == ECHO and not any(predicts(each, log) for each in bad):
        found.append(f"{_of_echo(log.first.text)}: {shortened(log.first.text, 200)}")
    elif (
        log.first.weight != ECHO
        and not any(predicts(each, log) for each in bad)
        and (not shown or (shown <= _LOADING and not _is_named(log.first, bad)))
    ):
        found.append(f"no finding explains this line of the log: {shortened(log.first.text, 200)}")
    return found


def _of_echo(text: str) -> str:
    """What is known of a line that mostly follows an earlier failure, in a log that has no other one."""
    asked = re.search(r"partially initialized module '([\w.]{1,100})' has no attribute", text)
    if asked is not None:
        return f"code asked {asked[1]} for a name while that was being imported; the log shows no cause"
    return "this line may follow an earlier failure, which the log does not show"


def _is_named(signature: Signature, findings: Sequence[Finding]) -> bool:
    """Whether the library that a log names is in a finding; any library may be missing.

    A library of torch or CUDA matches any other: a report names only a few of the missing ones.
    """
    name = signature.library or ("libsndfile" if "sndfile" in signature.text else "")
    stem = re.split(r"[.-]|_core\d|(?<!\d)\d+_", name.lower().removeprefix("lib"))[0]
    if not stem or _OF_TORCH.match(stem):
        return True
    parts = (part for each in findings for part in (each, *each.consequences))
    return any(stem in text.lower() for part in parts for text in (part.message, part.expected_error))
