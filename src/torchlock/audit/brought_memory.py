"""What was worked out about the requirements that the packages of one document bring."""

from __future__ import annotations

from torchlock.records import dataclass, field
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.audit.brought import Brought
    from torchlock.manifests.document import Entry


@dataclass(slots=True, eq=False)
class BroughtMemory:
    """Answers of ``audit.brought``, so that the many scopes of a document cost little more than one.

    ``excluded``: where no release is left, with the entries that exclude them, which stay alive by that.
    ``numbers``: a number for each set of entries. ``found``: what an entry brings, and the entry itself.
    """

    excluded: dict[tuple[object, ...], tuple[int, list[Entry]]] = field(default_factory=dict)
    numbers: dict[tuple[object, ...], int] = field(default_factory=dict)
    found: dict[tuple[object, ...], tuple[Entry, list[Brought]]] = field(default_factory=dict)
