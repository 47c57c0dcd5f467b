"""What all parts of the bench are given, and how they make a step of a question."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from benching.rounds import Budget, Step
from benching.running import Server
from benching.samples import Store, Trial
from benching.tools import TOOLS, Question, environment


class Setting(NamedTuple):
    """A run: its folder, samples and tools, the rounds of the fast tools, the limit of a process in seconds."""

    folder: Path
    store: Store
    tools: list[str]
    runs: int
    limit: float
    budget: Budget

    def fast(self) -> list[str]:
        """The tools of every round."""
        return [name for name in self.tools if not TOOLS[name].is_slow]

    def slow(self) -> list[str]:
        """The tools of the first round only."""
        return [name for name in self.tools if TOOLS[name].is_slow]

    def requirements(self, part: str, case: str, text: str) -> Path:
        """Write the requirements of a case, a line each, and return the file."""
        path = self.folder / "inputs" / part / f"{plain(case)}.in"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def step(
        self,
        trial: Trial,
        requirements: Path,
        *,
        index: str = "",
        is_offline: bool = False,
        server: Server | None = None,
        smaller: Trial | None = None,
    ) -> Step:
        """The step that measures a tool on a requirements file; each case and tool has its own cache.

        Cold and warm runs of a case share it. An offline step fills it from the index. What a server on this
        machine has filled is of no use to a later one, which has another port.
        """
        kind = server.address.rpartition(":")[2] if server else "index"
        place = self.folder / "caches" / trial.part / plain(trial.case) / f"{trial.tool}-{kind}"
        output = self.folder / "outputs" / trial.part / f"{plain(trial.case)}.{trial.tool}.txt"
        output.parent.mkdir(parents=True, exist_ok=True)
        asked = Question(requirements, output, index, is_offline)
        make = TOOLS[trial.tool].command
        return Step(
            trial,
            make(asked),
            self.folder,
            environment(place),
            self.limit,
            place,
            output,
            server,
            make(asked._replace(is_offline=False)),
            smaller,
        )


def plain(text: str) -> str:
    """A name for files made of the name of a case."""
    return re.sub(r"[^\w.=-]+", "_", text)
