"""Many files or environments on many processors: a row for each, in JSON lines or Parquet (docs/fleet.md).

``audit_rows`` and ``check_rows`` are plain functions from paths to rows, for any engine. ``run`` distributes them
with Dask, or works in this process, and can be continued.
"""

from torchlock.fleet.rows import audit_rows, check_rows
from torchlock.fleet.running import run
from torchlock.fleet.summary import RuleCount, Summary

__all__ = ["RuleCount", "Summary", "audit_rows", "check_rows", "run"]
