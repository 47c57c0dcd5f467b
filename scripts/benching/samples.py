"""Measurements as they are taken: kept in a file line by line, so that a run that ends early can go on."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benching.processes import Run
from benching.running import Traffic


class Trial(NamedTuple):
    """What is measured: the part of the bench, the case in it, the tool, and the state of its cache."""

    part: str
    case: str
    tool: str
    state: str


class Summary(NamedTuple):
    """The measurements of one trial.

    Medians of wall and processor time in milliseconds and of requests and bytes (None where nobody counted), the
    highest memory in MiB, the exit status. ``over``: a run reached the time limit, so that the times are a lower
    bound.
    """

    runs: int
    wall: float
    processor: float
    memory: float
    code: int
    over: bool
    said: str
    requests: int | None = None
    bytes: int | None = None

    @property
    def is_answer(self) -> bool:
        """Whether the tool came to an end with a lock, or with the sentence that there is none."""
        return not self.over and self.code in (0, 1)


class Store:
    """The samples of all trials. Raises OSError if its file cannot be written."""

    def __init__(self, path: Path, *, is_resumed: bool) -> None:
        self._path = path
        self._samples: dict[Trial, list[dict[str, Any]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if not is_resumed:
            path.unlink(missing_ok=True)
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    sample = json.loads(line)
                    trial = Trial(*sample.pop("trial"))
                except (ValueError, KeyError, TypeError):
                    continue  # the last line of a run that was cut
                self._samples.setdefault(trial, []).append(sample)

    def add(self, trial: Trial, run: Run | None = None, traffic: Traffic | None = None, **more: int) -> None:
        """Keep one measurement."""
        sample: dict[str, Any] = {**(run._asdict() if run else {}), **more}
        if traffic:
            sample |= {"requests": traffic.requests, "bytes": traffic.bytes}
        self._samples.setdefault(trial, []).append(sample)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"trial": trial, **sample}) + "\n")

    def count(self, trial: Trial) -> int:
        """How many measurements of this trial there are."""
        return len(self._samples.get(trial, ()))

    def is_hopeless(self, trial: Trial) -> bool:
        """Whether a run of this trial reached the time limit or gave no answer."""
        return any(
            each["over"] or each["code"] not in (0, 1) for each in self._samples.get(trial, ()) if "over" in each
        )

    def trials(self) -> list[Trial]:
        """All trials, in the order in which they began."""
        return list(self._samples)

    def values(self, trial: Trial, name: str) -> list[Any]:
        """The values of one field of a trial."""
        return [each[name] for each in self._samples.get(trial, ()) if name in each]

    def summary(self, trial: Trial) -> Summary | None:
        """The measurements of a trial together; None if no process of it was measured."""
        timed = [each for each in self._samples.get(trial, ()) if "wall" in each]
        if not timed:
            return None
        requests, sizes = self.values(trial, "requests"), self.values(trial, "bytes")
        return Summary(
            len(timed),
            statistics.median(each["wall"] for each in timed),
            statistics.median(each["processor"] for each in timed),
            max(each["memory"] for each in timed),
            timed[-1]["code"],
            any(each["over"] for each in timed),
            timed[-1]["said"],
            round(statistics.median(requests)) if requests else None,
            round(statistics.median(sizes)) if sizes else None,
        )

    def summaries(self) -> Iterator[tuple[Trial, Summary]]:
        """All trials that were measured as processes."""
        for trial in self._samples:
            if summary := self.summary(trial):
                yield trial, summary
