"""Packages that ``import torch`` imports by itself: those with an entry point in the group ``torch.backends``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.knowledge.rules import specifier_set
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.inspect.distributions import Distribution

VARIABLE = "TORCH_DEVICE_BACKEND_AUTOLOAD"
BECAUSE = "torch 2.5 and later import each package with an entry point in the group torch.backends"
_FILE, _LARGEST = "entry_points.txt", 64 << 10
# What the packages of the vendors import first: the module _C (Ascend, Intel), _XLAC (XLA), and Intel's libraries.
_FIRST = pattern(r"(?:_C|_XLAC|(?:lib)?intel-ext-pt-(?:cpu|gpu|python))\.")


def entry_of(context: CheckContext, distribution: Distribution) -> str:
    """The name of the entry point by which this torch imports a package; "" if it does not."""
    if not _imports_backends(context) or _FILE not in context.environment.tree.names(distribution.path):
        return ""
    section = ""
    for line in (files.text(os.path.join(distribution.path, _FILE), _LARGEST) or "").splitlines():
        name, equals, _ = line.partition("=")
        if line.lstrip().startswith("["):
            section = line.strip()
        elif section == "[torch.backends]" and equals:
            return name.strip()
    return ""


def ends_import(context: CheckContext, name: str, path: str) -> str:
    """The entry point by which ``import torch`` ends if this library of a package does not load; else ""."""
    record = context.installed.get(name)
    if record is None or not _FIRST.match(os.path.basename(path)):
        return ""
    return entry_of(context, record)


def failure(entry: str) -> str:
    """What Python prints if the import of such a package fails."""
    return (
        f"RuntimeError: Failed to load the backend extension: {entry}. You can disable extension auto-loading "
        f"with {VARIABLE}=0."
    )


def _imports_backends(context: CheckContext) -> bool:
    """Whether this torch imports such packages: since 2.5, unless the variable of this process forbids it."""
    pin = context.pins.get("torch")
    if pin is None or pin.unversioned or not specifier_set(">=2.5").contains(pin.version.base_version):
        return False
    return not context.live or os.environ.get(VARIABLE, "1") == "1"
