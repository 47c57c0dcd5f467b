"""The part of the bench with generated universes: how the cost grows with the number of packages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benching.rounds import Step, measure
from benching.running import Server
from benching.samples import Trial
from benching.setting import Setting

SEED = 1
SIZES = (10, 30, 100, 300, 1000, 3000, 10000)
# How far pip and pip-tools go.
SLOW_SIZES = (10, 30, 100, 300)


class Series(NamedTuple):
    """A shape of universes, the sizes to measure, and the milliseconds that the index waits before each answer."""

    shape: str
    sizes: tuple[int, ...]
    delay: int = 0

    def case(self, size: int) -> str:
        """The name of one case."""
        return f"{self.shape} {size}" + (f", {self.delay} ms" if self.delay else "")


SERIES = (
    *(Series(shape, SIZES) for shape in ("wide", "layers", "chain")),
    Series("boto", (10, 30, 100, 300)),
    Series("diamond", (10, 30, 100, 300, 1000)),
    Series("backtracking", (10, 30, 100, 300, 1000)),
    Series("core", (10, 30, 100, 300, 1000)),
    Series("pigeonhole", (4, 6, 8, 10)),
    Series("wide", (10, 100, 1000), 50),
    Series("layers", (10, 100, 1000), 50),
    Series("chain", (10, 100), 50),
)


def generated(setting: Setting) -> None:
    """Locks from an index on this machine, small universes first; it counts requests and bytes.

    With a delay only cold caches are measured: a warm run asks nothing.
    """
    with Server("loopback") as server:
        fast = list(_steps(setting, setting.fast(), server))
        measure(fast, 1, setting.store, setting.budget)
        slow = [step for step in _steps(setting, setting.slow(), server) if _size(step.trial) in SLOW_SIZES]
        measure(slow, 1, setting.store, setting.budget)
        measure(fast, setting.runs, setting.store, setting.budget)


def _size(trial: Trial) -> int:
    """The number of packages of a case."""
    return int(trial.case.partition(",")[0].split()[1])


def _steps(setting: Setting, names: list[str], server: Server) -> Iterator[Step]:
    """Every step of these tools, by size."""
    cells = [(size, series) for series in SERIES for size in series.sizes]
    for size, series in sorted(cells, key=lambda cell: cell[0]):
        universe = f"/{series.shape}/{size}/{SEED}"
        case = series.case(size)
        file = setting.requirements("generated", case, server.get(f"{universe}/roots"))
        index = f"{server.address}{universe}/metadata/{series.delay}/simple/"
        before = [each for each in series.sizes if each < size]
        for state in ("cold",) if series.delay else ("cold", "warm"):
            for name in names:
                smaller = Trial("generated", series.case(before[-1]), name, state) if before else None
                trial = Trial("generated", case, name, state)
                yield setting.step(trial, file, index=index, server=server, smaller=smaller)
