"""The targets of a lock that have no solution, with the reason, and the newest set that each could have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.report.targets import target_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.jobs.listener import Listener
    from torchlock.lock import Conflict
    from torchlock.target import Target


class LeftOut(NamedTuple):
    """Why a target has no lock: a sentence, the steps that explain it, and what the target could have."""

    target: Target
    because: str
    steps: tuple[str, ...] = ()
    nearest: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The reason for JSON."""
        return (self.because, *self.steps, *([f"newest set: {self.nearest}"] if self.nearest else ()))


def of_conflict(conflict: Conflict, target: Target) -> LeftOut:
    """Explain a conflict in short."""
    from torchlock.lock.explain import explain
    from torchlock.lock.nearest import nearest_set

    found = explain(conflict)
    lines = [unit.written.origin.text.strip() for unit in found.units]
    listed = ", ".join(lines)
    said = f"these requirements conflict: {listed}" if len(lines) > 1 else f"nothing satisfies {listed}"
    nearest = nearest_set(conflict, found.units)
    steps = tuple(step.replace(str(target), "this target") for step in found.steps)
    return LeftOut(target, f"{said}{found.dated}", steps, "" if nearest is None else str(nearest))


def print_left_out(found: Sequence[LeftOut], count: int, console: Listener, *, partial: bool, quiet: bool) -> None:
    """Say which of ``count`` targets have no solution, those with one reason together."""
    what = "1 target" if len(found) == 1 else f"{len(found)} targets"
    said = "left out" if partial else "no solution for"
    console.say("warning" if partial else "error", f"{said} {what} of {count}")
    for because, steps, group in () if partial and quiet else _groups(found):
        console.line(f"  {target_words([each.target for each in group])}: {because}")
        for number, step in enumerate(steps, 1):
            console.line(f"    {number}. {step}")
        nearest: dict[str, list[Target]] = {}
        for each in group:
            nearest.setdefault(each.nearest, []).append(each.target)
        for text, targets in nearest.items():
            where = f" on {target_words(targets)}" if len(nearest) > 1 else ""
            if text:
                console.line(f"    the newest set{where} is {text}")
    if not partial and len(found) < count:
        console.say("hint", "--partial locks the other targets")


def _groups(found: Iterable[LeftOut]) -> list[tuple[str, tuple[str, ...], list[LeftOut]]]:
    """The targets by their reason."""
    groups: dict[tuple[str, tuple[str, ...]], list[LeftOut]] = {}
    for each in found:
        groups.setdefault((each.because, each.steps), []).append(each)
    return [(*key, group) for key, group in groups.items()]
