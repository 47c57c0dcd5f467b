"""A parsed requirement (PEP 508)."""

from __future__ import annotations

from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.requirements import Requirement


class Dependency(NamedTuple):
    """A parsed PEP 508 requirement, so that the hot path does not parse it again.

    ``name`` is normalised; ``specifier`` and ``marker`` are their texts ("" if missing); ``extras`` are normalised
    and sorted. A requirement by address has ``===URL`` as its specifier, which no version satisfies.
    """

    name: str
    specifier: str = ""
    marker: str = ""
    extras: tuple[str, ...] = ()

    @classmethod
    def from_row(cls, row: list[Any]) -> Dependency:
        """Read ``[name, specifier, marker, [extras]]`` of compat_data/; trailing empty values are left out."""
        name, specifier, marker, extras = [*row, "", "", ()][:4] if len(row) < 4 else row
        return cls(name, specifier, marker, tuple(extras))

    @classmethod
    def from_requirement(cls, requirement: Requirement) -> Dependency:
        """Convert a parsed requirement."""
        from torchlock.standards.names import normalise
        from torchlock.standards.plain_requirement import text_of_specifier

        return cls(
            normalise(requirement.name),
            text_of_specifier(requirement),
            str(requirement.marker or ""),
            tuple(sorted(normalise(extra) for extra in requirement.extras)),
        )

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        versions = f" @ {self.address}" if self.address else readable_specifier(self.specifier)
        return f"{self.name}{extras}{versions}" + (f" ; {self.marker}" if self.marker else "")

    @property
    def address(self) -> str:
        """The URL of a requirement by address; empty for all others."""
        return self.specifier[3:] if self.specifier.startswith("===") and ":" in self.specifier else ""


_BOUNDS = ("===", "==", "~=", ">=", ">", "!=", "<=", "<")


def readable_specifier(specifier: str) -> str:
    """The specifier set as people write it, lower bounds first: ``>=4.1,<7``."""
    clauses = [clause.strip() for clause in specifier.split(",")]
    return ",".join(
        sorted(
            clauses, key=lambda clause: next((i for i, text in enumerate(_BOUNDS) if clause.startswith(text)), 9)
        )
    )
