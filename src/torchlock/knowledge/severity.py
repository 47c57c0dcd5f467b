"""How bad a finding is: one policy for the audit and the check, in the words of the command contract."""

from __future__ import annotations

from torchlock.finding import SEVERITIES, Strength
from torchlock.knowledge import registry


def severity_of(*, fails: bool, partly: bool = True) -> str:
    """The severity by how much of what was judged fails.

    - ``error``: it ``fails``. A file fails on every target that was judged; an environment fails at the import of
      torch or torchaudio.
    - ``warning``: it fails ``partly``. A file fails on a target that the project declares, or where an installer
      takes the newest releases; an environment fails at the import of another package of the stack, or at a call.
    - ``note``: it fails on targets that nobody declared, or nowhere as it is used.
    """
    return "error" if fails else "warning" if partly else "note"


def limited(rule: str, severity: str, *, effect: str = "import", strength: Strength = Strength.MEASURED) -> str:
    """A severity within its limits: no worse than its rule can be; a warning for calls and for weak evidence.

    ``effect`` is ``use`` where the import works and only some calls fail. What somebody only declared or reported
    is no proof of an error.
    """
    worst = registry.get(rule).severity
    if worst == "error" and (effect == "use" or strength < Strength.MEASURED):
        worst = "warning"
    return max(severity, worst, key=SEVERITIES.index)


def softened(severity: str) -> str:
    """The severity where something of what was judged works, or nobody knows that it all applies."""
    return "warning" if severity == "error" else severity
