"""The severity of a finding: one policy for the audit and the check, in the terms of the command contract."""

from __future__ import annotations

from torchlock.finding import SEVERITIES, Strength
from torchlock.knowledge import registry


def severity_of(*, fails: bool, partly: bool = True) -> str:
    """The severity, by how much fails.

    - ``error``: it ``fails``. For a file: on every judged target. For an environment: the import of torch or
      torchaudio fails, or a log shows that this failure ended a run.
    - ``warning``: it fails ``partly``. For a file: on a target that the project declares, or if an installer takes
      the newest releases. For an environment: another import of the stack fails, or a call.
    - ``note``: it fails only on targets that the file does not declare, or does not fail as it is used.
    """
    return "error" if fails else "warning" if partly else "note"


def limited(rule: str, severity: str, *, effect: str = "import", strength: Strength = Strength.MEASURED) -> str:
    """Limit a severity: not worse than its rule allows; at most a warning for calls and for weak evidence.

    ``effect`` is ``use`` if the import works and only some calls fail. A fact that was only declared or reported
    does not prove an error.
    """
    worst = registry.get(rule).severity
    if worst == "error" and (effect == "use" or strength < Strength.MEASURED):
        worst = "warning"
    return max(severity, worst, key=SEVERITIES.index)


def softened(severity: str) -> str:
    """The severity if a part of what was judged works, or if it is unknown whether all of it applies."""
    return "warning" if severity == "error" else severity
