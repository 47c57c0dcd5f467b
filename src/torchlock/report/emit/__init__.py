"""A lock in the words of another tool: constraints, tables for uv, poetry and pdm, conda, Docker, Renovate.

Each form has a module with a function ``render``. The forms state versions and indexes, never hashes: the tool
chooses the files and writes a lock of its own.
"""

from __future__ import annotations

from importlib import import_module
from itertools import takewhile

from torchlock.report.requirements_txt import FIRST_LINE
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.report.emit.subject import Subject

FORMS = ("constraints", "uv", "poetry", "pdm", "conda", "docker", "renovate")
OWNERS = {
    **dict.fromkeys(("uv", "poetry", "pdm"), "a file of the format pyproject"),
    "conda": "a file of the format conda",
    "docker": "a file of the format dockerfile",
    "renovate": "settings of Renovate",
}
"""The owner of the names that a form may have, as ``manifests.detection`` describes it."""


def render(form: str, subject: Subject) -> str:
    """The text of one of ``FORMS``, whose first lines say who wrote it and for which target.

    Raises:
        InputError: the tool cannot state what is locked.
    """
    text: str = import_module(f"torchlock.report.emit.{form}").render(subject)
    return text


def form_of(text: str) -> str:
    """Which of ``FORMS`` torchlock wrote as this text; "" for a lock, and for what torchlock did not write."""
    if text.startswith('{\n  "description": [\n    "' + FIRST_LINE.removeprefix("# ")):
        return "renovate"
    if not text.startswith(FIRST_LINE):
        return ""
    comment = list(takewhile(lambda line: line.startswith("#"), text.splitlines()))
    return next((form for form in FORMS if f"# {_use(form)}" in comment), "")


def _use(form: str) -> str:
    """The first line of what a form says on its use, which no other form has."""
    use: str = import_module(f"torchlock.report.emit.{form}").USE
    return use.splitlines()[0]
