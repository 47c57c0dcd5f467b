"""What is proven about an installed companion: by its libraries, or by the wheels of both releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.linking import is_torchs_library

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.inspect.loading.outcome import Outcome
    from torchlock.knowledge.proofs import Cell


def is_import_refused(context: CheckContext, name: str) -> bool:
    """Whether the import of a package surely ends: each library of which it must load one lacks a part of torch.

    A part is a symbol, or a library that only a torch package contains, such as libc10_cuda.so. That a library of
    the machine is missing proves nothing here, as it may be searched for elsewhere.
    """
    from torchlock.inspect.loading.imports import choices

    groups = choices([each for each in context.attempts if each.package == name]).values()
    return bool(groups) and all(any(_lacks_torch(each.outcome) for each in group) for group in groups)


def _lacks_torch(outcome: Outcome) -> bool:
    return bool(outcome.undefined) or any(is_torchs_library(each.name) for each in outcome.missing)


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
