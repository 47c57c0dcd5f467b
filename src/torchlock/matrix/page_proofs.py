"""The proofs from the wheels, packed for the page: each wheel once, and runs of releases of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.matrix.judging import parsed
from torchlock.matrix.page_facts import Pool
from torchlock.matrix.selection import COMPANIONS
from torchlock.matrix.values import KINDS, VERDICTS, sentence

if TYPE_CHECKING:
    from packaging.version import Version

    from torchlock.knowledge.proofs import Cell, Evidence
    from torchlock.matrix.page_facts import Facts
    from torchlock.matrix.table import Table


def proof_data(table: Table, facts: Facts) -> dict[str, Any]:
    """Wheels, judgements and runs. ``pairs`` maps a companion and a platform to rows.

    A row: release (its place), build, place of its wheel, the Pythons (a mask, -1 for all), then runs of four: the
    first and the last release of torch, the place of the judgement, the places of the builds and wheels of torch
    (one for each release).
    """
    wheels, judgements, texts, torches = Pool(), Pool(), Pool(), Pool()
    pairs: dict[str, dict[str, list[Any]]] = {}
    of_torch = _places(table, "torch")
    for name in COMPANIONS:
        own = _places(table, name)
        for platform, place in enumerate(table.stack.platforms):
            rows: dict[tuple[int, str, int, int], list[Any]] = {}
            for cell in table.proofs.cells(name, platform=place):
                release, torch = own.get(cell.version), of_torch.get(cell.torch)
                if release is None or torch is None or not cell.evidence:
                    continue
                mine, *theirs = [wheels.add(_wheel(each)) for each in cell.evidence]
                judged = judgements.add(_judgement(cell, texts, facts))
                build = torches.add([cell.torch_build or "", *theirs])
                _extend(
                    rows.setdefault((release, cell.build or "", mine, _mask(table, cell)), []),
                    torch,
                    judged,
                    build,
                )
            if rows:
                pairs.setdefault(name, {})[str(platform)] = [[*key, *runs] for key, runs in rows.items()]
    items = {"wheels": wheels, "judgements": judgements, "texts": texts, "torches": torches}
    return {**{name: pool.items for name, pool in items.items()}, "pairs": pairs}


def _places(table: Table, name: str) -> dict[Version, int]:
    """The place of each release of a package."""
    return {parsed(text): place for place, text in enumerate(table.stack.packages[name].versions)}


def _mask(table: Table, cell: Cell) -> int:
    """The Pythons that a proof is about, of those with a lock; -1 for all."""
    if not cell.pythons:
        return -1
    return sum(1 << at for at, minor in enumerate(table.stack.pythons) if f"3.{minor}" in cell.pythons)


def _wheel(evidence: Evidence) -> list[str]:
    return [evidence.file, evidence.sha256, evidence.date]


def _judgement(cell: Cell, texts: Pool, facts: Facts) -> list[Any]:
    """Verdict, kind, reason, symbol and sources, by their places."""
    symbol = texts.add(cell.symbol) if cell.symbol else -1
    reason = texts.add(sentence(cell.reason))
    return [VERDICTS.index(cell.verdict), KINDS.index(cell.kind), reason, symbol, facts.cite(cell.sources)]


def _extend(runs: list[Any], torch: int, judged: int, build: int) -> None:
    """Add one release of torch to the runs of a row; a run continues if only the release changes."""
    if runs and runs[-3] == torch - 1 and runs[-2] == judged:
        runs[-3] = torch
        runs[-1].append(build)
    else:
        runs += [torch, torch, judged, [build]]
