"""A lock in the words of another tool: constraints, tables for uv, poetry and pdm, conda, Docker, Renovate.

Each form has a module with a function ``render``. The forms state versions and indexes, never hashes: the tool
chooses the files and writes a lock of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.report.emit.subject import Subject

FORMS = ("constraints", "uv", "poetry", "pdm", "conda", "docker", "renovate")


def render(form: str, subject: Subject) -> str:
    """The text of one of ``FORMS``, whose first lines say who wrote it and for which target.

    Raises:
        InputError: the tool cannot state what is locked.
    """
    text: str = import_module(f"torchlock.report.emit.{form}").render(subject)
    return text
