"""The targets that a document is judged on, and those that it declares."""

from __future__ import annotations

from functools import lru_cache

from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.standards.ordering import clauses_of, tester
from torchlock.target import LAST_PATCH
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.manifests.document import Document

_UPPER = pattern(r"(?:<=?|===?)\s*3\.\d|~=\s*3\.\d+\.\d")


@lru_cache(maxsize=512)
def pythons_of(specifier: str, stack: CompatibilityTable) -> list[int]:
    """The indices of the Pythons of which a patch release satisfies a specifier set; all for "".

    Raises:
        InvalidSpecifier: the text is not a specifier set.
    """
    if not specifier:
        return list(range(len(stack.pythons)))
    holds = _test(specifier)
    return [
        index
        for index, minor in enumerate(stack.pythons)
        if any(holds(f"3.{minor}.{patch}") for patch in range(LAST_PATCH[minor] + 1)) or holds(f"3.{minor}")
    ]


def _test(specifier: str) -> Callable[[str], bool]:
    """Whether a specifier set admits a version; raises InvalidSpecifier."""
    if clauses_of(specifier) is not None:
        return tester(specifier)
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier, prereleases=True).contains


class Judged(NamedTuple):
    """The cells to judge a document on.

    ``declared`` are sets of cells; each must have a cell that works. ``assumed`` are sets of cells that the
    document may be for, although it does not declare them.
    """

    cells: int
    declared: tuple[int, ...]
    assumed: tuple[int, ...] = ()


def judged_on(
    document: Document,
    stack: CompatibilityTable,
    pythons: Collection[int] | None,
    platforms: Collection[str] | None,
) -> Judged:
    """The cells to judge a document on, and the cells that it (or the command line) declares.

    ``pythons`` (indices) and ``platforms`` (names) come from the command line; None uses the document. If only a
    Python is declared, it must work on some platform, and the reverse. For a range without an upper bound only its
    lowest Python is declared: ``>=3.9`` does not promise Python 3.99.
    """

    try:
        found = list(pythons) if pythons is not None else pythons_of(document.python, stack)
    except ValueError:
        found = pythons_of("", stack)
    named = list(platforms if platforms is not None else document.platforms)
    systems = [index for index, name in enumerate(stack.platforms) if not named or name in named]
    cells = stack.on_pythons(found) & sum(stack.on_platform(index) for index in systems)
    firm = found
    if pythons is None and not _UPPER.search(document.python):
        firm = found[:1] if document.python else []
    by_python = [stack.on_pythons([python]) for python in firm]
    by_platform = [stack.on_platform(index) for index in systems] if named else []
    if platforms is None and document.assumed:
        assumed = tuple(one & other & cells for one in by_platform for other in by_python or [cells])
        return Judged(cells, tuple(one & cells for one in by_python), assumed)
    if by_python and by_platform:
        return Judged(cells, tuple(one & other for one in by_python for other in by_platform))
    return Judged(cells, tuple(one & cells for one in by_python or by_platform))
