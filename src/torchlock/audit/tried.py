"""Whether it was tried that releases of torchcodec fail beside releases of torch.

The metadata of torchcodec does not require torch. The wheels that show for which torch a release is made do not
show that it fails with every other one.
"""

from __future__ import annotations

from torchlock.knowledge.masks import bits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.audit.install_sets import Demand
    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.knowledge.rules import Statement

_PROOFS = "proofs-from-wheels"
_MOST_PAIRS = 400


def is_tried(statement: Statement, stack: CompatibilityTable, demands: Iterable[Demand]) -> bool:
    """Whether a statement about torchcodec rests on a run, or the wheels of every pair show that it fails.

    Raises:
        DataError: the table of the proofs is missing or damaged.
    """
    if statement.kind == "measured" and _PROOFS not in statement.sources:
        return True
    releases = {
        demand.name: {stack.packages[demand.name].versions[index] for index in bits(demand.releases)}
        for demand in demands
        if demand.releases and demand.name in ("torch", "torchcodec")
    }
    codecs, torches = releases.get("torchcodec", set()), releases.get("torch", set())
    return 0 < len(codecs) * len(torches) <= _MOST_PAIRS and all(_fails(codec, torches) for codec in codecs)


def _fails(codec: str, torches: set[str]) -> bool:
    """Whether the wheels of a torchcodec show that it fails beside each of these releases of torch."""
    from torchlock.knowledge.proofs import cells

    verdicts: dict[str, set[str]] = {torch: set() for torch in torches}
    for cell in cells("torchcodec", codec):
        if str(cell.torch) in verdicts:
            verdicts[str(cell.torch)].add(cell.verdict)
    return all(found == {"fails"} for found in verdicts.values())
