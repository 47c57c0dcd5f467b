"""Package indexes, for releases that are not in the bundled catalogue. Modules are imported when needed.

``configuration`` reads which indexes the user means, ``client`` asks them, ``source`` hands the answers to
the solver as releases. A socket, and the library that opens it, appear in ``transport`` alone.
"""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchlock.index.client import Index
    from torchlock.index.configuration import read_settings
    from torchlock.index.settings import IndexSettings
    from torchlock.index.source import IndexRelease, releases

__all__ = ["Index", "IndexRelease", "IndexSettings", "read_settings", "releases"]

_HOMES = {
    "Index": "client",
    "IndexRelease": "source",
    "IndexSettings": "settings",
    "read_settings": "configuration",
    "releases": "source",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
