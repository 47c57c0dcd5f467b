"""What the wheels of the packages that ``explain`` talks about show, as sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.knowledge import proofs
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torchlock.knowledge.proofs import Cell
    from torchlock.target import Target
    from torchlock.terms import ParsedRequirement

_EXACT = re.compile(r"===?\s*([\w.!]{1,40})")


def proven(pins: Mapping[str, str], target: Target) -> Iterator[tuple[str, Cell]]:
    """A sentence for each companion whose wheel shows whether it loads beside their torch.

    ``pins`` are releases by name, of the builds of the public index.
    """
    torch, python = pins.get("torch", ""), str(target.python)
    for name, version in pins.items() if torch else ():
        cell = proofs.cell(name, version, torch, str(target.platform), python) if name != "torch" else None
        if cell is None or cell.verdict == "unknown":
            continue
        wheels = " and ".join(each.file for each in cell.evidence)
        pair = f"{name} {version} {cell.verdict} beside torch {torch}"
        yield f"{pair}, as their wheels show: {cell.reason} ({wheels}).", cell


def exact_pins(requirements: Iterable[ParsedRequirement]) -> dict[str, str]:
    """The requirements that name one release each: its version by its name."""
    found = {}
    for each in requirements:
        exact = _EXACT.fullmatch(str(each.requirement.specifier)) if each.requirement is not None else None
        if exact and each.requirement is not None:
            found[normalise(each.requirement.name)] = exact[1]
    return found
