"""TL614: compare the results of the smoke test with the files and the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.log import candidates, read_log
from torchlock.check.rules.not_examined import not_examined
from torchlock.check.verdict import strength_of
from torchlock.finding import Strength
from torchlock.knowledge.registry import group, rule, shown_by
from torchlock.knowledge.severity import severity_of, softened
from torchlock.knowledge.stack import CORE, FAMILY, MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.probe import Probe, Step

# Rules whose violation makes an import fail.
_OF_IMPORTS = shown_by("import") | {MEMBERS[name].rule for name in FAMILY - {"torch"}}
# Rules about loading and saving files, not about the import.
_SOUND = shown_by("files")


@rule("TL614", on="probe")
def compared(context: CheckContext, findings: Sequence[Finding], probe: Probe) -> list[Finding]:
    """Correct the findings by the smoke test: a test run is stronger evidence than the files.

    If an import works, each rule that predicted its failure becomes a note. A failure that the files showed
    becomes a warning, and the disagreement is a finding. So is a failure that nothing predicted. What did not run
    does not change.
    """
    context.ran |= {
        step.name.removeprefix("import ").partition(".")[0] for step in probe.steps if step.state == "ok"
    }
    found = [*(each for each in findings if each.rule not in group("unexamined")), *not_examined(context)]
    for name in sorted({name for each in found for name, _ in each.packages[:1]}):
        _weigh(name, found, probe)
    if probe.problem:
        severity = severity_of(fails=not probe.steps)
        message = f"the smoke test did not finish: {probe.problem}"
        found.append(context.finding("TL614", severity, message, "torch", strength=Strength.RAN))
    found += list(_imports(context, found, probe))
    found += list(_calls(context, found, probe))
    return found


def _weigh(name: str, findings: list[Finding], probe: Probe) -> None:
    """Rules without other evidence: an import that works refutes them, their failure confirms them."""
    steps = [each for each in probe.steps if each.name.removeprefix("import ").partition(".")[0] == name]
    steps = [each for each in steps if each.name.startswith("import ")]
    bare = [
        each
        for each in findings
        if each.rule in _OF_IMPORTS
        and each.packages[:1]
        and each.packages[0][0] == name
        and strength_of(each, findings) < Strength.SHOWN
    ]
    if not steps or not bare:
        return
    if all(step.state == "ok" for step in (*steps, *_used(name, probe))):
        for finding in bare:
            finding.severity = "note"
            finding.because = f"import {name} works in this interpreter, and this test counts more than the rule"
        return
    failed = next((step for step in steps if step.state == "failed"), None)
    likely = candidates(read_log(failed.text)) if failed else ()
    for finding in bare:
        if failed is not None and finding.rule in likely and finding.rule not in group("requirements"):
            finding.severity = "error" if name in CORE else finding.severity
            finding.strength, finding.expected_error = Strength.RAN, said(failed)


def _used(name: str, probe: Probe) -> list[Step]:
    """The step that calls the package. If it crashes, the package was built for another torch."""
    calls = {"torchaudio": "resample", "torchcodec": "torchcodec", "torchvision": "torchvision"}
    step = probe.step(calls.get(name, ""))
    return [step] if step is not None and step.state == "crashed" else []


def _imports(context: CheckContext, findings: list[Finding], probe: Probe) -> Iterator[Finding]:
    torch = probe.step("import torch")
    for finding in findings if torch is not None and torch.state == "ok" else ():
        if finding.rule in group("absence") and finding.severity != "note":
            finding.severity, finding.message = "note", "torchaudio is not installed in this environment"
            message = "import torch works in this interpreter, although no file of it was found"
            because = "code that runs at its start may add folders"
            yield context.finding("TL614", "warning", message, "torch", because=because, strength=Strength.RAN)
    for name in CORE:
        step = probe.step(f"import {name}")
        if step is None:
            continue
        # A user's module with the name torch may import, but it is not torch.
        foretold = [each for each in findings if each.severity == "error" and _is_about(each, name)]
        foretold = [each for each in foretold if each.rule not in group("path") or step.state != "ok"]
        if step.state == "ok" and foretold and (name == "torchaudio" or probe.step("import torchaudio") is None):
            yield from _wrong(context, name, foretold)
        elif step.state != "ok" and name == "torchaudio" and _is_absent(context, name):
            return
        elif step.state != "ok" and foretold:
            foretold[0].expected_error = said(step)
            return
        elif step.state != "ok":
            message = f"import {name} {_how(step)}, and no file shows why"
            yield context.finding(
                "TL614",
                "error",
                message,
                name,
                expected_error=said(step),
                because=step.library,
                strength=Strength.RAN,
            )
            return


def _is_absent(context: CheckContext, name: str) -> bool:
    return context.copy(name) is None and context.installed.get(name) is None


def _is_about(finding: Finding, name: str) -> bool:
    """Whether a finding predicts that this import fails: torchaudio fails with torch, torch with numpy."""
    suffering = {each for each, _ in finding.packages[:1]}
    return bool(suffering & {name, "numpy", "torch" if name == "torchaudio" else name})


def _wrong(context: CheckContext, name: str, foretold: Sequence[Finding]) -> Iterator[Finding]:
    for finding in foretold:
        finding.severity = softened(finding.severity)
    message = f"import {name} works in this interpreter, although the files show an error ({foretold[0].rule})"
    because = "a test run is stronger evidence than the files"
    yield context.finding("TL614", "warning", message, name, because=because, strength=Strength.RAN)


def _how(step: Step) -> str:
    if step.state == "crashed":
        last = f", having loaded {step.library} last" if step.library else ""
        return f"crashes ({step.text}){last}"
    return "does not end" if step.state == "timed out" else "fails"


def said(step: Step) -> str:
    """The text that Python printed, or how the step ended."""
    return step.text if step.state == "failed" else f"{step.state}: {step.text}"


def _calls(context: CheckContext, findings: Sequence[Finding], probe: Probe) -> Iterator[Finding]:
    """Calls that fail although the imports work."""
    is_reported = any(each.rule in _SOUND and each.severity != "note" for each in findings)
    imports = [probe.step(f"import {name}") for name in CORE]
    broken = any(step is not None and step.state != "ok" for step in imports)
    for step in probe.steps:
        if step.state == "ok" or step.name in ("import torch", "import torchaudio") or broken:
            continue
        name = step.name.removeprefix("import ").partition(".")[0]
        known = context.pins.get(name)
        message = f"{step.name} {_how(step)}"
        severity = severity_of(fails=False, partly=not is_reported)
        about = (name,) if known is not None else ("torchaudio",) if "save" in step.name else ("torch",)
        yield context.finding("TL614", severity, message, *about, expected_error=said(step), strength=Strength.RAN)
