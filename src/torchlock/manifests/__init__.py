"""Files in which people list packages: each format is read into one ``Document``.

Modules are imported when they are needed. ``reader`` reads a file, ``formats`` has one module for each format,
``selection`` takes the requirements to lock from a document, ``discovery`` finds the files of a folder.
"""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchlock.manifests.discovery import find_files, search
    from torchlock.manifests.reader import kind_of, read_document

__all__ = ["find_files", "kind_of", "read_document", "search"]

_HOMES = {"find_files": "discovery", "kind_of": "reader", "read_document": "reader", "search": "discovery"}


def __getattr__(name: str) -> Any:
    """Import a module on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
