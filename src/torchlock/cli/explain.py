"""``torchlock explain``: the story of a rule, or why requirements do or do not go together."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.cli.exit_codes import FOUND, OK
from torchlock.errors import InputError
from torchlock.knowledge.rules import Matrix
from torchlock.redaction import masked, one_line
from torchlock.report.safe_json import dumped

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from torchlock.cli.streams import Console
    from torchlock.finding import Evidence
    from torchlock.index.sources import Sources
    from torchlock.knowledge.rules import Statement
    from torchlock.lock.model import Pin
    from torchlock.target import Target

_RULE = re.compile(r"TL\d{3}", re.IGNORECASE)
_EXAMPLES = 12
# Rules of check whose numbers do not begin with TL6, and rules on files that no line speaks of.
_OF_ENVIRONMENTS = frozenset({"TL208", "TL209", "TL907"})
_OF_WHOLE_FILES = frozenset({"TL905", "TL906"})


@dataclass
class Story:
    """An answer: a headline, numbered sentences, what would work, and where it is known from."""

    headline: str
    together: bool = True
    steps: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    remedies: list[str] = field(default_factory=list)
    sources: dict[str, Evidence] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    dated: str = ""


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Carry the command out; returns its exit code.

    Raises:
        InputError: a requirement that cannot be read, a rule that is none, both at once.
    """
    rules = [text for text in arguments.requirements if _RULE.fullmatch(text)]
    if rules and len(rules) < len(arguments.requirements):
        raise InputError("rules and requirements are explained one at a time")
    matrix = Matrix()
    stories = [_rule(rule.upper(), matrix) for rule in rules] or [_requirements(arguments, matrix, console)]
    if arguments.json:
        rows = [_row(story) for story in stories]
        table = {"torchlock": __version__, "data": matrix.date, "explained": rows}
        sys.stdout.write(dumped(table))
    else:
        sys.stdout.write("\n".join(_text(story) for story in stories))
    return OK if all(story.together for story in stories) else FOUND


def _rule(rule: str, matrix: Matrix) -> Story:
    """What a rule says, why, and its first statements."""
    if not matrix.has(rule):
        raise InputError(f"no rule is called {rule}", hint=f"there are {', '.join(matrix.rules())}")
    story = Story(f"{rule}: {matrix.title(rule)}")
    story.steps.append(f"Because {matrix.because(rule)}.")
    statements = matrix.statements_of(rule)
    is_of_environments = rule.startswith("TL6") or rule in _OF_ENVIRONMENTS
    if statements:
        count = f"{len(statements)} statements, such as" if len(statements) > 1 else "One statement"
        story.steps.append(f"{count}:")
        for statement in statements[-_EXAMPLES:]:
            story.steps[-1] += f"\n     {statement.when}: {_said(statement)}"
    elif not is_of_environments:
        story.steps.append("torchlock audit derives it from the file and the tables.")
    else:
        story.steps.append("torchlock check finds it in the files of an environment and of its machine.")
    if is_of_environments:
        story.steps.append(f"To leave it out of a report: torchlock check --ignore {rule}")
    elif rule in _OF_WHOLE_FILES:
        story.steps.append(f"To leave it out of a report: torchlock audit --ignore {rule}")
    else:
        story.steps.append(f"To ignore it, add a comment to the line: # torchlock: ignore[{rule}] reason")
    cited = [*matrix.sources_of(rule), *(source for statement in statements for source in statement.sources)]
    story.sources = {source: matrix.source(source) for source in dict.fromkeys(cited)}
    return story


def _said(statement: Statement) -> str:
    """``needs torch==2.8.0``, ``loads with nothing``, …"""
    parts = ["loads with nothing"] if statement.never else []
    for verb, dependencies in (
        ("needs", statement.needs),
        ("does not go with", statement.forbids),
        ("can use", statement.wants),
    ):
        if dependencies:
            parts.append(f"{verb} {', '.join(str(dependency) for dependency in dependencies)}")
    if statement.refused:
        parts.append(f"declares {statement.refused!r}")
    if statement.bundles:
        parts.append(f"brings {', '.join(statement.bundles)}")
    return "; ".join(parts)


def _requirements(arguments: argparse.Namespace, matrix: Matrix, console: Console) -> Story:
    """Solve, and tell what was chosen and why, or what stands against it."""
    from torchlock.cli.target import target_of
    from torchlock.lock import Conflict, Options, lock
    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.terms import Inputs, Origin

    target, _ = target_of(arguments)
    sources = _sources(arguments, console)

    def solved(texts: list[str]) -> Any:
        inputs = Inputs(requirements=[parse_requirement(text, Origin(None, None, text)) for text in texts])
        return lock(
            inputs,
            target,
            Options(unproven=arguments.unproven),
            matrix,
            sources.releases,
            sources.metadata,
            sources.at_hand,
            sources.renew,
            sources.provenance,
        )

    result = solved(arguments.requirements)
    console.clear()
    told = (
        _conflict(result)
        if isinstance(result, Conflict)
        else _together(arguments.requirements, result, matrix, solved, sources)
    )
    for note in sources.notes:
        console.say("note", note)
    return told


def _sources(arguments: argparse.Namespace, console: Console) -> Sources:
    from torchlock.index.sources import Sources

    if arguments.build:
        from torchlock.index.sdist.building import check_library

        check_library()
    return Sources(
        index_url=arguments.index_url,
        extra_index_urls=arguments.extra_index_urls,
        offline=arguments.offline,
        refresh=arguments.refresh,
        build=arguments.build,
        cache_dir=arguments.cache_dir,
        report=console.progress,
    )


def _conflict(conflict: Any) -> Story:
    from torchlock.lock.explain import explain
    from torchlock.lock.suggest import nearest

    explanation = explain(conflict)
    asked = " and ".join(unit.written.origin.text.strip() for unit in explanation.units)
    target = conflict.universe.target
    story = Story(f"{asked}: no environment on {target} can have these{explanation.dated}", together=False)
    story.steps = [f"{step}." for step in explanation.steps]
    story.remedies = [str(suggestion) for suggestion in nearest(conflict, explanation.units)]
    story.sources = {source.id: source for source in explanation.sources}
    if explanation.as_of:
        story.hints.append(explanation.advice)
        story.dated = explanation.dated
    return story


def _together(texts: list[str], result: Any, matrix: Matrix, solved: Any, sources: Any) -> Story:
    """The pins of what was asked for, the facts that bind them, and what keeps newer ones out."""

    named = {_name(text) for text in texts}
    pins = {pin.name: pin for pin in result.pins if pin.version}  # the notes tell of the others
    bound = named | {name for pin in result.pins for name, _ in pin.rules}
    story = Story(
        "", hints=list(result.notes), packages={name: pins[name].version for name in pins if name in bound}
    )
    chosen = ", ".join(f"{name} {version}" for name, version in story.packages.items())
    found = f"they go together on {result.target}: {chosen}"
    story.headline = found if chosen else f"no version is known of what is asked for on {result.target}"
    _add_facts(story, pins, result.target, matrix)
    _add_newer(story, texts, named, pins, solved, sources)
    return story


def _add_facts(story: Story, pins: Mapping[str, Pin], target: Target, matrix: Matrix) -> None:
    """Add the rules by which the packages of a story need each other."""
    from packaging.version import Version

    from torchlock.knowledge.judge import NamedVersion

    for name in story.packages:
        pin = pins[name]
        for statement in matrix.statements_for(NamedVersion(name, Version(pin.version)), target):
            said = [dependency for dependency in statement.needs if dependency.name in story.packages]
            if said:
                story.steps.append(
                    f"{name} {pin.version} needs {', '.join(map(str, said))}, because {statement.because} "
                    f"({statement.rule}, {statement.kind})."
                )
                story.sources.update((source, matrix.source(source)) for source in statement.sources)


def _add_newer(
    story: Story, texts: list[str], named: set[str], pins: Mapping[str, Pin], solved: Any, sources: Any
) -> None:
    """Add what keeps newer releases of the packages that were asked for out."""
    from torchlock.lock import Conflict

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
                f"{name} {newer} is newer, but goes only with {which}, which the data do not cover."
            )
            held = [pins[pin.name] for pin in unproven if pin.name in pins]
            beside = "".join(f" with {pin.name} {pin.version}" for pin in held)
            other = solved([*texts, newer_pin, *(f"{pin.name}=={pin.version}" for pin in held)])
        if isinstance(other, Conflict):
            told = _conflict(other)
            dated = sources.provenance(name).dated
            story.steps.append(
                f"{name} {newer} is newer, but cannot be used{beside}{dated}: {' '.join(told.steps)}"
            )
            story.sources.update(told.sources)


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
    from packaging.utils import canonicalize_name

    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.terms import Origin

    requirement = parse_requirement(text, Origin(None, None, text)).requirement
    return canonicalize_name(requirement.name) if requirement is not None else text


def _text(story: Story) -> str:
    lines = [one_line(story.headline)]
    lines += [f"  {number}. {step}" for number, step in enumerate(dict.fromkeys(story.steps), 1)]
    if story.remedies:
        lines += [f"what would work{story.dated}", *(f"  - {remedy}" for remedy in story.remedies)]
    lines += [f"note: {hint}" for hint in story.hints]
    if story.sources:
        lines.append("sources")
        lines += [f"  {source.kind} {source.date}: {source.address}" for source in story.sources.values()]
    return "\n".join(map(masked, lines)) + "\n"


def _row(story: Story) -> dict[str, Any]:
    return {
        "headline": story.headline,
        "together": story.together,
        "packages": [{"name": name, "version": version} for name, version in story.packages.items()],
        "steps": list(dict.fromkeys(story.steps)),
        "remedies": story.remedies,
        "notes": story.hints,
        "sources": [
            {"id": source.id, "address": source.address, "kind": source.kind, "date": source.date}
            for source in story.sources.values()
        ],
    }
