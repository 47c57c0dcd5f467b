"""Which targets a document is judged on, and which of them it names itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.target import LAST_PATCH

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from torchlock.document import Document
    from torchlock.stack import Stack

_UPPER = re.compile(r"(?:<=?|===?)\s*3\.\d|~=\s*3\.\d+\.\d")


def pythons_of(specifier: str, stack: Stack) -> list[int]:
    """The indices of the Pythons of which some patch release satisfies a specifier set; all for "".

    Raises:
        InvalidSpecifier: it is none.
    """
    if not specifier:
        return list(range(len(stack.pythons)))
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(specifier, prereleases=True)
    return [
        index
        for index, minor in enumerate(stack.pythons)
        if any(allowed.contains(f"3.{minor}.{patch}") for patch in range(LAST_PATCH[minor] + 1))
        or allowed.contains(f"3.{minor}")
    ]


def cells_of(
    document: Document, stack: Stack, pythons: Collection[int] | None, platforms: Iterable[str] | None
) -> tuple[int, int]:
    """The cells to judge, and those of them that are declared.

    ``pythons`` (indices) and ``platforms`` (names) are what the command line says; else the document counts.
    A range without an upper end declares its lower end only: nobody means Python 3.99 with ``>=3.9``.
    """
    from packaging.specifiers import InvalidSpecifier

    try:
        found = list(pythons) if pythons is not None else pythons_of(document.python, stack)
    except InvalidSpecifier:
        found = pythons_of("", stack)
    named = list(platforms if platforms is not None else document.platforms)
    systems = [index for index, name in enumerate(stack.platforms) if not named or name in named]
    here = sum(stack.on_platform(index) for index in systems)
    cells = here & stack.on_pythons(found)
    if pythons is None and not document.python and not named:
        return cells, 0
    firm = found
    if pythons is None and document.python and not _UPPER.search(document.python):
        firm = found[:1]
    return cells, here & stack.on_pythons(firm)
