"""The files that an audit reads, each dialect into the same words: one module for each.

The name of a file tells its dialect; where the name says nothing, what stands in it does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from torchlock.dialects.decoding import decode
from torchlock.dialects.folders import find_files
from torchlock.dialects.names import kind_by_content, kind_by_name, refuse_foreign
from torchlock.read.text import read_bytes

if TYPE_CHECKING:
    from torchlock.document import Document

__all__ = ["find_files", "kind_of", "read_document"]

# Kind → module of this package and the function in it.
_READERS = {
    "requirements": ("requirements", "read"),
    "constraints": ("requirements", "read_constraints"),
    "pyproject": ("pyproject", "read"),
    "setup.cfg": ("setup_cfg", "read"),
    "setup.py": ("setup_py", "read"),
    "pipfile": ("pipfile", "read"),
    "pipfile.lock": ("pipfile", "read_lock"),
    "conda": ("conda", "read"),
    "poetry.lock": ("poetry_lock", "read"),
    "uv.lock": ("uv_lock", "read"),
    "pdm.lock": ("pdm_lock", "read"),
    "pylock": ("pylock", "read"),
    "dockerfile": ("shell", "read"),
    "shell": ("shell", "read"),
}


def kind_of(path: str, head: str | None) -> str:
    """The dialect of a file, one of ``Document.kind``: by its name, else by the text it begins with."""
    return kind_by_name(path) or kind_by_content(path, head or "")


def read_document(path: str, *, raw: bytes | None = None, kind: str | None = None) -> Document:
    """Read a file, ``-`` for standard input, in the dialect that it is in.

    ``raw`` is its content where that is known already, ``kind`` its dialect.

    Raises:
        InputError: it cannot be read, or is clearly of no dialect known here.
    """
    if kind is None:
        refuse_foreign(path)
    decoded = decode(read_bytes(path) if raw is None else raw, path)
    kind = kind or kind_of(path, decoded.text)
    module, function = _READERS[kind]
    document: Document = getattr(import_module(f"torchlock.dialects.{module}"), function)(decoded.text, path)
    document.kind = kind
    return decoded.lend(document)
