"""Measure steps in turn, round after round, until each has its runs or the time of the part is spent."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from benching.processes import Run, run
from benching.running import Server
from benching.samples import Store, Trial

# The mark of a cache that a whole run has filled.
FILLED = "filled-by-bench"


class Step(NamedTuple):
    """One process to measure.

    ``cache``: the folder of its cache. In state ``cold`` it is removed before the run, in state ``warm`` a run
    that nobody counts fills it first, if none has. ``output`` is removed before each run. ``server`` counts
    requests. ``filling`` is the command that fills the cache, if it is another one. ``smaller``: a trial that
    must have come to an answer, or this one is left out.
    """

    trial: Trial
    command: list[str]
    folder: Path
    environment: Mapping[str, str]
    limit: float
    cache: Path | None = None
    output: Path | None = None
    server: Server | None = None
    filling: list[str] | None = None
    smaller: Trial | None = None


class Budget:
    """The seconds that a part may take."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the end, at least 0."""
        return max(self._end - time.monotonic(), 0.0)


def measure(steps: Iterable[Step], rounds: int, store: Store, budget: Budget) -> None:
    """Measure every step ``rounds`` times, in turn; what the store has already is not repeated."""
    listed = list(steps)
    for number in range(rounds):
        for step in listed:
            given_up = step.smaller is not None and store.is_hopeless(step.smaller)
            if store.count(step.trial) > number or store.is_hopeless(step.trial) or given_up:
                if given_up and step.smaller and not store.count(step.trial):
                    store.add(step.trial, code=-1, over=True)
                continue
            if not budget.left():
                print(f"{step.trial.part}: its time is spent in round {number + 1}", file=sys.stderr)
                return
            _once(step, store, budget)


def _once(step: Step, store: Store, budget: Budget) -> None:
    """Measure a step once. A run that the end of the budget cut is not kept."""
    trial = step.trial
    if step.cache and trial.state.startswith("cold"):
        shutil.rmtree(step.cache, ignore_errors=True)
    elif step.cache and not (step.cache / FILLED).exists():
        _run(step, step.filling or step.command, budget)
    limit = min(step.limit, budget.left())
    if step.server:
        step.server.reset()
    found = _run(step, step.command, budget)
    if found.over and limit < step.limit:
        return
    traffic = step.server.traffic() if step.server else None
    store.add(trial, found, traffic)
    asked = f", {traffic.requests} requests" if traffic else ""
    result = f"over {limit:.0f} s" if found.over else f"exit {found.code}" if found.code else "locked"
    print(
        f"{trial.part}: {trial.case}, {trial.tool}, {trial.state}: {found.wall:.0f} ms, "
        f"CPU {found.processor:.0f} ms, {found.memory:.0f} MiB{asked}, {result}",
        file=sys.stderr,
        flush=True,
    )


def _run(step: Step, command: list[str], budget: Budget) -> Run:
    """Run a command of a step with its cache, and mark the cache as filled if it came to an answer."""
    if step.output:
        step.output.unlink(missing_ok=True)
    if step.cache:
        step.cache.mkdir(parents=True, exist_ok=True)
    found = run(command, step.folder, step.environment, max(min(step.limit, budget.left()), 0.1))
    if step.cache and found.code in (0, 1) and not found.over:
        (step.cache / FILLED).touch()
    return found
