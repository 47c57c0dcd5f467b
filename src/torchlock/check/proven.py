"""What the wheels of the installed releases show about each other, if the installed builds are the proven ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.knowledge.proofs import Cell


def proof_of(context: CheckContext, name: str) -> Cell | None:
    """The proof for an installed companion beside the installed torch; None if their builds were not compared.

    Raises:
        DataError: a bundled table is damaged.
    """
    from torchlock.knowledge.proofs import cells

    pin, torch, target = context.pins.get(name), context.pins.get("torch"), context.target
    if pin is None or torch is None or target is None or pin.unversioned or torch.unversioned:
        return None
    if pin.version.is_prerelease or torch.version.is_prerelease:
        return None
    python = f"{target.python.major}.{target.python.minor}"
    found = cells(name, pin.version.public, torch.version.public, str(target.platform))
    builds = pin.build, torch.build
    return next(
        (each for each in found if each.is_about(python) and (each.build, each.torch_build) == builds), None
    )
