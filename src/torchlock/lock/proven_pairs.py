"""What of a lock is proven by wheels that were read, and not by rules alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.knowledge.proofs import Cell
    from torchlock.lock.model import Lock


def proven_pairs(locks: Iterable[Lock]) -> list[Cell]:
    """The proofs that companions load beside the torch of their lock, each once, in the order of the pins.

    Wheels of the public index were read, so a lock of other builds has no proofs.
    """
    from torchlock.knowledge.proofs import cell

    found: dict[tuple[object, ...], Cell] = {}
    for lock in locks:
        pins = {pin.name: pin.version for pin in lock.pins if not pin.page and pin.written is None}
        torch, target = pins.pop("torch", ""), lock.target
        for name, version in pins.items() if torch and target.accelerator == "pypi" else ():
            proof = cell(name, version, torch, str(target.platform), str(target.python))
            if proof is not None and proof.verdict == "loads":
                found[proof.package, proof.version, proof.torch, proof.evidence] = proof
    return list(found.values())
