"""The requirements that nearly all lines have: a name, extras, and a set of ordinary specifiers.

``packaging.requirements`` reads all requirements; its import costs as much as three starts of Python
(callgrind). A text that is not plain is left to it. ``tests/test_plain_requirement.py`` compares both.
"""

from __future__ import annotations

from functools import cached_property

from torchlock.patterns import pattern
from torchlock.standards.versions import ORDINARY
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import re

    from packaging.markers import Marker
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet


_NAME = "[A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?"
_EXTRAS = rf"[ ]?(?P<extras>{_NAME}(?:[ ]?,[ ]?{_NAME})*)[ ]?"
_PLAIN = pattern(rf"(?P<name>{_NAME})[ ]?(?:\[{_EXTRAS}\])?[ ]?(?P<versions>{ORDINARY})?[ ]?")


class PlainRequirement:
    """What ``packaging.requirements.Requirement`` says of a plain requirement.

    ``clauses`` is the text of its specifier set, in the form of packaging.
    """

    url: str | None = None
    marker: Marker | None = None

    def __init__(self, name: str, extras: set[str], clauses: str) -> None:
        self.name = name
        self.extras = extras
        self.clauses = clauses

    @cached_property
    def specifier(self) -> SpecifierSet:
        """The parsed specifier set."""
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(self.clauses)

    def __str__(self) -> str:
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        marker = f"; {self.marker}" if self.marker else ""
        return f"{self.name}{extras}{text_of_specifier(self)}{marker}"

    def __repr__(self) -> str:
        return f"<Requirement({str(self)!r})>"

    def _parsed(self) -> Requirement:
        from packaging.requirements import Requirement

        return Requirement(str(self))

    def __eq__(self, other: object) -> bool:
        return self._parsed() == (other._parsed() if isinstance(other, PlainRequirement) else other)

    def __hash__(self) -> int:
        return hash(self._parsed())


def match_plain(text: str) -> re.Match[str] | None:
    """The name, the extras and the versions of a plain requirement without spaces, as groups; else None."""
    return None if " " in text else _PLAIN.fullmatch(text)


def plain(text: str) -> Requirement | None:
    """The requirement in a text if it is plain, else None. It has all that a ``Requirement`` has."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        return None
    name, extras, clauses = match.groups()
    parts = sorted(part.replace(" ", "") for part in clauses.split(",")) if clauses else []
    names = set(extras.replace(" ", "").split(",")) if extras else set()
    return PlainRequirement(name, names, ",".join(parts))  # type: ignore[return-value]


def text_of_specifier(requirement: Requirement | PlainRequirement) -> str:
    """The text of a requirement's specifier set, which is parsed only if it already was or was replaced."""
    if isinstance(requirement, PlainRequirement) and "specifier" not in vars(requirement):
        return requirement.clauses
    return str(requirement.specifier)
