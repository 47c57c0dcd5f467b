"""Remedies for an environment: the packages to install, found by the solver, and the commands to run."""
