"""The job ``explain``: describe a rule, or say why requirements work together or conflict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.jobs.rule_names import checked_rule, is_rule
from torchlock.knowledge import registry
from torchlock.knowledge.rules import BUILD_CUDA, Matrix
from torchlock.knowledge.stories import story as story_of
from torchlock.report.explanation import Story

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from torchlock.jobs.listener import Listener
    from torchlock.knowledge.rules import Statement
    from torchlock.lock.build_choice import Refusal
    from torchlock.lock.model import Pin
    from torchlock.target import Target
    from torchlock.terms import Inputs

_EXAMPLES = 12


def explained(arguments: argparse.Namespace, matrix: Matrix, console: Listener) -> list[Story]:
    """A story for each rule that is named, or one for all requirements together.

    Raises:
        InputError: an invalid requirement, an unknown rule, or rules together with requirements.
    """
    rules = [text for text in arguments.requirements if is_rule(text)]
    if rules and len(rules) < len(arguments.requirements):
        raise InputError(
            "rules and requirements cannot be explained together", hint="run torchlock explain once for each"
        )
    if rules:
        return stories_of([checked_rule(rule, matrix.rules()) for rule in rules], matrix)
    return [_requirements(arguments, matrix, console)]


def stories_of(rules: Sequence[str], matrix: Matrix) -> list[Story]:
    """What these rules do, one after the other."""
    return [_rule(rule, matrix) for rule in rules]


def _rule(rule: str, matrix: Matrix) -> Story:
    """What a rule does, why, an example, how to fix it, and the newest of its statements."""
    known, told = registry.get(rule), story_of(rule)
    story = Story(f"{rule}: {told.title}")
    commands = " and ".join(f"torchlock {command}" for command in known.by)
    story.steps += [told.what, told.why, f"Because {matrix.because(rule)}.", f"Example: {told.example}"]
    story.steps += [f"Fix: {told.fix}", f"Reported by {commands}. Worst severity: {known.severity}."]
    statements = matrix.statements_of(rule)
    if statements:
        count = f"{len(statements)} statements, such as" if len(statements) > 1 else "One statement"
        rows = [f"\n     {statement.when}: {said(statement)}" for statement in statements[-_EXAMPLES:]]
        story.steps.append(f"{count}:{''.join(rows)}")
    story.steps.append(_ignoring(known))
    cited = [*matrix.sources_of(rule), *(source for statement in statements for source in statement.sources)]
    story.sources = {source: matrix.source(source) for source in dict.fromkeys(cited)}
    return story


def _ignoring(rule: registry.Rule) -> str:
    """How to leave a rule out of a report."""
    if "audit" in rule.by and not rule.whole_file:
        return f"To ignore it, add a comment to the line: # torchlock: ignore[{rule.id}] reason"
    if rule.by == ("lock",):
        return "torchlock lock always follows it."
    return f"To ignore it: torchlock {rule.by[0]} --ignore {rule.id}"


def said(statement: Statement) -> str:
    """A statement in words: ``needs torch==2.8.0``, ``does not load``, …"""
    parts = [statement.does_not_load] if statement.never else []
    for verb, dependencies in (
        ("needs", statement.needs),
        ("does not work with", statement.forbids),
        ("can use", statement.wants),
    ):
        if dependencies:
            parts.append(f"{verb} {', '.join(str(dependency) for dependency in dependencies)}")
    if statement.refused:
        parts.append(f"declares {statement.refused!r}")
    if statement.bundles:
        parts.append(f"bundles {', '.join(statement.bundles)}")
    return "; ".join(parts)


def _requirements(arguments: argparse.Namespace, matrix: Matrix, console: Listener) -> Story:
    """Solve the requirements, and explain the solution or the conflict; with the frontier of builds."""
    from torchlock.jobs.build_machine import machine_of, on_machine
    from torchlock.jobs.installed_base import base_of
    from torchlock.jobs.lock_runs import Runs
    from torchlock.jobs.named_build import take_named_build
    from torchlock.jobs.sources import with_indexes
    from torchlock.jobs.target import target_of
    from torchlock.lock import Conflict, Options

    base = base_of(arguments, console)
    target, _ = target_of(arguments)
    machine = machine_of(arguments, target, console)
    target = on_machine(target, machine)

    def options_of(arguments: argparse.Namespace) -> Options:
        return Options(unproven=arguments.unproven)

    inputs = _inputs_of(arguments.requirements)
    target, advice = take_named_build(arguments, inputs, target, console)
    inputs = with_indexes(arguments, inputs, console)
    runs = Runs(arguments, target, inputs, options_of, matrix, console, base, advice)
    label, frontier, notes = target.accelerator, [], []
    if runs.has_others(label):
        from torchlock.jobs.build_choice import decide, frontier_lines, machine_notes
        from torchlock.lock.build_choice import WHOLE, Refusal

        found = decide(runs, machine, WHOLE)
        frontier = frontier_lines(found.frontier)
        if isinstance(found, Refusal):
            return _refused(found, frontier, arguments)
        label, notes = found.label, machine_notes(found, machine, target)
    run = runs.run(label)
    console.clear()

    def solved(texts: list[str]) -> Any:
        return runs.solve(label, _inputs_of(texts))

    if isinstance(run.result, Conflict):
        story = _conflict(run.result)
        if label == "pypi":
            from torchlock.jobs.proof_steps import exact_pins

            _add_proofs(story, exact_pins(inputs.requirements), target, matrix)
    else:
        story = _together(arguments.requirements, run.result, matrix, solved, run.sources)
    story.frontier = frontier
    for note in [*notes, *run.inputs.notes, *run.sources.notes]:
        console.say("note", note)
    return story


def _inputs_of(texts: list[str]) -> Inputs:
    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.terms import Inputs, Origin

    return Inputs(requirements=[parse_requirement(text, Origin(None, None, text)) for text in texts])


def _refused(refusal: Refusal, frontier: list[str], arguments: argparse.Namespace) -> Story:
    """The story of a build that cannot be taken."""
    from torchlock.jobs.build_choice import command_for

    story = _conflict(refusal.conflict) if refusal.conflict is not None else Story(refusal.because, together=False)
    story.frontier = frontier
    if refusal.nearest:
        command = command_for(arguments.argv, refusal.nearest)
        story.remedies.append(f"the build {refusal.nearest}, which is the nearest that works: {command}")
    if refusal.advice:
        story.hints.append(refusal.advice)
    return story


def _conflict(conflict: Any) -> Story:
    from torchlock.lock.explain import explain
    from torchlock.lock.suggest import suggestions_for

    explanation = explain(conflict)
    asked = " and ".join(unit.written.origin.text.strip() for unit in explanation.units)
    target = conflict.universe.target
    story = Story(f"{asked}: no environment on {target} can have these{explanation.dated}", together=False)
    story.steps = [f"{step}." for step in explanation.steps]
    story.remedies = [str(suggestion) for suggestion in suggestions_for(conflict, explanation.units)]
    story.sources = {source.id: source for source in explanation.sources}
    if explanation.as_of:
        story.hints.append(explanation.advice)
        story.dated = explanation.dated
    return story


def _together(texts: list[str], result: Any, matrix: Matrix, solved: Any, sources: Any) -> Story:
    """The story of a solution: the pins, the facts that connect them, and why newer releases are not used."""

    named = {_name(text) for text in texts}
    kept = {pin.name for pin in result.kept}
    pins = {pin.name: pin for pin in (*result.pins, *result.kept) if pin.version}  # notes are about the others
    bound = named | {name for pin in result.pins for name, _ in pin.rules}
    story = Story(
        "", hints=list(result.notes), packages={name: pins[name].version for name in pins if name in bound}
    )
    chosen = ", ".join(f"{name} {version}" for name, version in story.packages.items())
    found = f"they work together on {result.target}: {chosen}"
    story.headline = found if chosen else f"no versions of these requirements are known for {result.target}"
    _add_facts(story, pins, result.target, matrix)
    public = {
        pin.name: pin.version
        for pin in result.pins
        if pin.name in story.packages and not (pin.page or "+" in pin.version)
    }
    _add_proofs(story, public, result.target, matrix)
    story.steps += [f"{package.owner} has {package}, which stays." for package in result.stays]
    _add_newer(story, texts, named - kept, pins, solved, sources)
    return story


def _add_facts(story: Story, pins: Mapping[str, Pin], target: Target, matrix: Matrix) -> None:
    """Add the rules that connect the packages of a story."""
    from packaging.version import Version

    from torchlock.knowledge.judge import NamedVersion
    from torchlock.knowledge.rules import substitute_cuda
    from torchlock.matrix.judging import requirement_in_words

    for name in story.packages:
        pin = pins[name]
        pinned = NamedVersion(name, Version(pin.version), build=None if pin.build == "" else pin.build)
        for statement in matrix.statements_for(pinned, target):
            needs = [substitute_cuda(each, pinned.build) for each in statement.needs if _is_told(each.name, story)]
            if needs:
                said = " and ".join(requirement_in_words(each.name, each.specifier) for each in needs)
                story.steps.append(
                    f"{name} {pin.version} needs {said}, because {statement.because} "
                    f"({statement.rule}, {statement.kind})."
                )
                story.sources.update((source, matrix.source(source)) for source in statement.sources)


def _is_told(needed: str, story: Story) -> bool:
    """Whether a story is about what is needed: one of its packages, or the CUDA version of its torch."""
    return ("torch" if needed == BUILD_CUDA else needed) in story.packages


def _add_proofs(story: Story, pins: Mapping[str, str], target: Target, matrix: Matrix) -> None:
    """Add what the wheels of these pins show."""
    from torchlock.jobs.proof_steps import proven

    for sentence, cell in proven(pins, target):
        story.steps.append(sentence)
        story.sources.update((source, matrix.source(source)) for source in cell.sources)


def _add_newer(
    story: Story, texts: list[str], named: set[str], pins: Mapping[str, Pin], solved: Any, sources: Any
) -> None:
    """Add why newer releases of the requested packages are not used."""
    from torchlock.lock import Conflict
    from torchlock.lock.explain import CONCLUSION

    pinned = {_name(text) for text in texts if "==" in text}
    for name in sorted((named - pinned) & set(pins)):
        newer = _newest(pins[name].version, sources.releases(name))
        if newer is None:
            continue
        newer_pin, beside = f"{name}=={newer}", ""
        other = solved([*texts, newer_pin])
        unproven = [] if isinstance(other, Conflict) else [pin for pin in other.pins if pin.unproven is not None]
        if any(pin.name == name for pin in unproven):
            continue  # the notes say so
        if unproven:
            which = " and ".join(f"{pin.name} {pin.version}" for pin in unproven)
            story.steps.append(
                f"{name} {newer} is newer, but works only with {which}, which the data do not cover."
            )
            held = [pins[pin.name] for pin in unproven if pin.name in pins]
            beside = "".join(f" with {pin.name} {pin.version}" for pin in held)
            other = solved([*texts, newer_pin, *(f"{pin.name}=={pin.version}" for pin in held)])
        if isinstance(other, Conflict):
            conflict = _conflict(other)
            reasons = [step for step in conflict.steps if not step.startswith(CONCLUSION)] or conflict.steps
            dated = sources.provenance(name).dated
            why = "; ".join(step.rstrip(".") for step in reasons)
            story.steps.append(f"{name} {newer} is newer, but cannot be used{beside}{dated}: {why}.")
            story.sources.update(conflict.sources)


def _newest(version: str, releases: Any) -> str | None:
    """The newest final release of a project, if it is newer than this one."""
    from packaging.version import Version

    finals = [
        release.version
        for release in releases
        if release.yanked is None and not Version(release.version).is_prerelease
    ]
    newest = max(finals, key=Version, default=version)
    return newest if Version(newest) > Version(version) else None


def _name(text: str) -> str:
    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.standards.names import normalise
    from torchlock.terms import Origin

    requirement = parse_requirement(text, Origin(None, None, text)).requirement
    return normalise(requirement.name) if requirement is not None else text
