"""Remedies for an environment: the packages to install, found by the solver, and the commands to run."""

from torchlock.check.fix.remedies import add_remedies

__all__ = ["add_remedies"]
