"""The remedy for a package that ends ``import torch``: torch imports it by its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.conda import conda_remove, is_recorded
from torchlock.check.fix.commands import uninstall
from torchlock.check.torch_backends import VARIABLE, ends_import
from torchlock.finding import Remedy

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding


def of_backend(context: CheckContext, finding: Finding) -> Remedy | None:
    """Remove the package, or keep torch from importing it; None for other findings."""
    name = finding.package
    if not name or not ends_import(context, name, finding.path):
        return None
    words = (
        f"Uninstall {name}; or install its release that was built for {context.named('torch')}, if there is one; "
        f"or set {VARIABLE}=0, with which torch does not import it."
    )
    by_conda = is_recorded(context, name)
    return Remedy(words, commands=conda_remove(context, name) if by_conda else uninstall(context, [name]))
