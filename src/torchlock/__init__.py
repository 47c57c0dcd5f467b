"""torchlock: environments of the PyTorch audio stack that load.

``torchlock.api`` has the public functions; ``torchlock.fleet`` audits many files on many machines.
"""

from __future__ import annotations

TYPE_CHECKING = False  # to a type checker, this name is true

if TYPE_CHECKING:
    from typing import Any

    from torchlock import api as api
    from torchlock import fleet as fleet

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import ``torchlock.api`` or ``torchlock.fleet`` when it is first used.

    Raises:
        AttributeError: any other name.
    """
    if name in ("api", "fleet"):
        from importlib import import_module

        return import_module(f"torchlock.{name}")
    raise AttributeError(f"module 'torchlock' has no attribute {name!r}")
