"""Remedies for an environment: what to install in place of what, found by the solver, as commands to run."""

from torchlock.check.fix.remedies import add_remedies

__all__ = ["add_remedies"]
