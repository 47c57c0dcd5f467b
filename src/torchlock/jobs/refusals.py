"""Messages of a run that ends without a lock: a conflict with its reasons, or a build that cannot be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.jobs.build_choice import command_for, frontier_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.jobs.listener import Listener
    from torchlock.lock import Conflict
    from torchlock.lock.build_choice import Refusal, Verdict


def print_refusal(refusal: Refusal, argv: Sequence[str], console: Listener) -> None:
    """Write to standard error why there is no build, what is known about each, and the nearest one that works."""
    if refusal.conflict is not None:
        print_conflict(refusal.conflict, console)
    else:
        console.say("error", refusal.because)
    others = [verdict for verdict in refusal.frontier if verdict.label != "cpu" or not refusal.nearest]
    if refusal.conflict is None or len(others) > 1:
        print_frontier(others, console)
    if refusal.nearest:
        command = command_for(argv, refusal.nearest)
        console.say("hint", f"the nearest build that works is {refusal.nearest}: {command}")
    if refusal.advice:
        console.say("hint", refusal.advice)


def print_frontier(frontier: Sequence[Verdict], console: Listener) -> None:
    """Write what is known about each build."""
    if frontier:
        console.line("builds, newest first")
    for line in frontier_lines(frontier):
        console.line(f"  {line}")


def print_conflict(conflict: Conflict, console: Listener) -> None:
    """Write to standard error which requirements conflict, why, and which changes would work."""
    from torchlock.lock.explain import explain
    from torchlock.lock.suggest import suggestions_for

    console.progress("explaining the conflict")
    target = conflict.universe.target
    try:
        explanation = explain(conflict)
    except Exception:  # a bug, which is reported after the result
        console.say("error", f"no solution for {target}")
        raise
    units = explanation.units
    headline = f"no solution for {target}{explanation.dated}"
    console.say("error", f"{headline}: these requirements conflict" if len(units) > 1 else f"{headline}")
    for unit in units:
        console.line(f"  {unit.written.origin}: {unit.written.origin.text.strip()}")
    for written in conflict.overrides:
        console.line(f"  {written.origin}: {written.origin.text.strip()} (override)")
    console.line("because")
    for number, step in enumerate(explanation.steps, 1):
        console.line(f"  {number}. {step}")
    if explanation.sources:
        console.line("sources")
        for source in explanation.sources:
            console.line(f"  {source.kind} {source.date}: {source.address}")
    suggestions = suggestions_for(conflict, units)
    if suggestions:
        console.line(f"what would work{explanation.dated}")
        for suggestion in suggestions:
            console.line(f"  - {suggestion}")
    if explanation.as_of:
        console.say("hint", explanation.advice)
