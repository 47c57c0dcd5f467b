"""TL614: what the smoke test met, beside what the files had shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.scene import VITAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.scene import Scene
    from torchlock.finding import Finding
    from torchlock.inspect.probe import Probe, Step

# About files that are loaded and saved, not about the import.
_SOUND = frozenset({"TL301", "TL302", "TL303", "TL304", "TL305", "TL306", "TL102", "TL610", "TL611", "TL201"})


def compared(scene: Scene, findings: Sequence[Finding], probe: Probe) -> list[Finding]:
    """The findings with what the interpreter itself says; what ran decides over what was read.

    An import that works makes a warning of each error that foretold its failure, and the disagreement is a
    finding of its own; so is a failure that nothing foretold.
    """
    found = list(findings)
    if probe.problem:
        severity = "warning" if probe.steps else "error"
        message = f"the smoke test came to no end: {probe.problem}"
        found.append(scene.finding("TL614", severity, message, "torch"))
    found += list(_imports(scene, found, probe))
    found += list(_calls(scene, found, probe))
    return found


def _imports(scene: Scene, findings: list[Finding], probe: Probe) -> Iterator[Finding]:
    torch = probe.step("import torch")
    for finding in findings if torch is not None and torch.state == "ok" else ():
        if finding.rule == "TL615" and finding.severity != "note":
            finding.severity, finding.message = "note", "torchaudio is not installed in this environment"
            message = "import torch works in this interpreter, though no file of it was found"
            because = "code that runs at its start may add folders"
            yield scene.finding("TL614", "warning", message, "torch", because=because)
    for name in VITAL:
        step = probe.step(f"import {name}")
        if step is None:
            continue
        # A module of one's own in torch's place may well be imported: it is not what was meant.
        foretold = [each for each in findings if each.severity == "error" and _is_about(each, name)]
        foretold = [each for each in foretold if each.rule != "TL606" or step.state != "ok"]
        if step.state == "ok" and foretold and (name == "torchaudio" or probe.step("import torchaudio") is None):
            yield from _wrong(scene, name, foretold)
        elif step.state != "ok" and name == "torchaudio" and _is_absent(scene, name):
            return
        elif step.state != "ok" and foretold:
            foretold[0].says = said(step)
            return
        elif step.state != "ok":
            message = f"import {name} {_how(step)}, though nothing in the files shows why"
            yield scene.finding("TL614", "error", message, name, says=said(step), because=step.library)
            return


def _is_absent(scene: Scene, name: str) -> bool:
    return scene.copy(name) is None and scene.installed.get(name) is None


def _is_about(finding: Finding, name: str) -> bool:
    """Whether a finding foretells that this import fails: torchaudio's does with torch's, torch's with numpy's."""
    suffering = {each for each, _ in finding.packages[:1]}
    return bool(suffering & {name, "numpy", "torch" if name == "torchaudio" else name})


def _wrong(scene: Scene, name: str, foretold: Sequence[Finding]) -> Iterator[Finding]:
    for finding in foretold:
        finding.severity = "warning"
    message = f"import {name} works in this interpreter, though the files speak against it ({foretold[0].rule})"
    yield scene.finding("TL614", "warning", message, name, because="what runs decides over what was read")


def _how(step: Step) -> str:
    if step.state == "crashed":
        last = f", having loaded {step.library} last" if step.library else ""
        return f"crashes ({step.text}){last}"
    return "does not end" if step.state == "timed out" else "fails"


def said(step: Step) -> str:
    """The text that Python printed, or how it ended."""
    return step.text if step.state == "failed" else f"{step.state}: {step.text}"


def _calls(scene: Scene, findings: Sequence[Finding], probe: Probe) -> Iterator[Finding]:
    """What imports, and fails when it is used."""
    told = any(each.rule in _SOUND and each.severity != "note" for each in findings)
    imports = [probe.step(f"import {name}") for name in VITAL]
    broken = any(step is not None and step.state != "ok" for step in imports)
    for step in probe.steps:
        if step.state == "ok" or step.name in ("import torch", "import torchaudio") or broken:
            continue
        name = step.name.removeprefix("import ").partition(".")[0]
        known = scene.pins.get(name)
        message = f"{step.name} {_how(step)}"
        severity = "note" if told else "warning"
        about = (name,) if known is not None else ("torchaudio",) if "save" in step.name else ("torch",)
        yield scene.finding("TL614", severity, message, *about, says=said(step))
