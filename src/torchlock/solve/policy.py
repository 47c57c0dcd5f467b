"""The policy for releases that the data do not cover. Only this module decides about unknown answers in ``lock``.

A release of the torch family is *unproven* if the catalogue lacks it (it is newer than the data, mostly) or if
its build is unknown. Such a release counts if the user's own lines ask for it: with an
exact pin, with a bound that only such releases meet, with a pin of the existing lock, or with ``--unproven``.
If nothing else satisfies the lines, unproven releases are added last; all that are taken are marked.
"""

from __future__ import annotations

from torchlock.knowledge.stack import FAMILY
from torchlock.solve.candidates import Unproven
from torchlock.standards.ordering import admits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.solve.candidates import Candidate, Policy


def counted(name: str, candidates: list[Candidate], policy: Policy) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates that are used, best first, and those held back because they are unproven.

    The list of candidates is not changed, and is returned itself if nothing is held back.
    """
    kept = candidates
    if name not in FAMILY or policy.unproven is Unproven.ANY:
        return kept, []
    unproven = {candidate.text for candidate in kept if candidate.unproven is not None}
    if not unproven:
        return kept, []
    if policy.unproven is Unproven.LAST:
        return sorted(kept, key=lambda candidate: candidate.text in unproven), []
    asked = [candidate for candidate in kept if _admitted(candidate, policy.asked.get(name, ()))]
    if policy.asked.get(name) and asked and all(candidate.text in unproven for candidate in asked):
        return kept, []
    pinned = policy.kept.get(name)
    held = [item for item in kept if item.text in unproven and item.text != pinned]
    return [item for item in kept if item not in held], held


def _admitted(candidate: Candidate, specifiers: Sequence[str]) -> bool:
    return all(admits(specifier, candidate.text) for specifier in specifiers)
