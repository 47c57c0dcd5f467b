"""Work is counted, never timed: machines are busy, and a busy machine is no fault of the code."""

from __future__ import annotations

from fuzzing.budget import calls

__all__ = ["calls"]
