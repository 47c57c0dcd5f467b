"""The figures of each release of torchlock, kept in ``docs/benchmarks/``, and the comparison of two of them."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from benching.samples import Store, Summary, Trial

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


class Figures(NamedTuple):
    """What one run of the bench found: the machine with the tools, all trials, and instructions by hot path."""

    machine: dict[str, Any]
    trials: dict[Trial, Summary]
    instructions: dict[str, int]

    def ratio(self, trial: Trial, field: str, peer: str = "uv") -> float | None:
        """Our figure by that of a peer in the same case and state; None if one of them has no answer.

        A case that only one of them can lock has no ratio either. Of other commands status 1 says that they found
        something.
        """
        ours = self.trials.get(trial)
        theirs = self.trials.get(trial._replace(tool=peer))
        if not ours or not theirs or not (ours.is_answer and theirs.is_answer):
            return None
        if trial.part != "commands" and ours.code != theirs.code:
            return None
        above, below = getattr(ours, field), getattr(theirs, field)
        return above / below if above and below else None

    def ratios(self, part: str, state: str, field: str, tool: str = "torchlock") -> list[float]:
        """The ratios of all cases of a part in one state."""
        chosen = [
            trial for trial in self.trials if trial.part == part and trial.state == state and trial.tool == tool
        ]
        found = (self.ratio(trial, field, "peer" if part == "commands" else "uv") for trial in chosen)
        return [ratio for ratio in found if ratio is not None]


def figures(store: Store, tools: dict[str, str], runs: int) -> Figures:
    """The figures of a run."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    machine = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": load,
        "runs": runs,
        "tools": tools,
    }
    counted = {t.case: store.values(t, "instructions")[-1] for t in store.trials() if t.part == "instructions"}
    return Figures(machine, dict(store.summaries()), counted)


def write(found: Figures, folder: Path = FOLDER) -> Path:
    """Keep the figures as those of the release that was measured; returns the file."""
    path = folder / f"{found.machine['tools']['torchlock']}.json"
    rows = [
        {**trial._asdict(), **summary._asdict(), "wall": round(summary.wall, 1),
         "processor": round(summary.processor, 1), "memory": round(summary.memory, 1)}
        for trial, summary in found.trials.items()
    ]  # fmt: skip
    parts = ",\n".join(json.dumps(row) for row in rows)
    head = {"machine": found.machine, "instructions": found.instructions}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{json.dumps(head, indent=1)[:-2]},\n "trials": [\n{parts}\n]}}\n', encoding="utf-8")
    return path


def read(release: str, folder: Path = FOLDER) -> Figures:
    """The figures of a release; raises FileNotFoundError if there are none."""
    kept = json.loads((folder / f"{release}.json").read_text(encoding="utf-8"))
    trials = {}
    for row in kept["trials"]:
        trial = Trial(*(row.pop(name) for name in Trial._fields))
        trials[trial] = Summary(**row)
    return Figures(kept["machine"], trials, kept["instructions"])


def mean(ratios: Iterable[float]) -> float | None:
    """The geometric mean; None if there are no ratios."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else None


def slope(points: Iterable[tuple[float, float]]) -> float | None:
    """The exponent of growth, by the logarithms: 1 is linear. None for fewer than three points."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(logs) < 3:
        return None
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    below = sum((x - middle_x) ** 2 for x, _ in logs)
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / below


def changes(now: Figures, then: Figures) -> Iterator[tuple[str, str, float, float]]:
    """What can be compared between two machines: ratios to uv, requests, bytes, memory and instructions.

    Gives (what, unit, then, now), of the cases that both have.
    """
    for part, state in sorted({(trial.part, trial.state) for trial in now.trials if trial.part != "commands"}):
        cases = [
            t for t in now.trials if (t.part, t.state, t.tool) == (part, state, "torchlock") and t in then.trials
        ]
        for field, title in (("wall", "wall"), ("processor", "CPU"), ("requests", "requests"), ("bytes", "bytes")):
            both = [(then.ratio(t, field), now.ratio(t, field)) for t in cases]
            kept = [(old, new) for old, new in both if old is not None and new is not None]
            before, after = mean(old for old, _ in kept), mean(new for _, new in kept)
            if before and after:
                yield f"{part}, {state}: {title}, mean of {len(kept)} cases", "times uv", before, after
    for title, count in now.instructions.items():
        if title in then.instructions:
            yield title, "million instructions", then.instructions[title] / 1e6, count / 1e6
    for trial, summary in now.trials.items():
        old = then.trials.get(trial)
        if trial.part == "commands" and trial.tool == "torchlock" and old:
            yield f"{trial.case}: memory", "MiB", old.memory, summary.memory
