"""Audit files with Ray: the function goes to the workers, the rows come back.

python examples/fleet_ray.py FILE...
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import ray

from torchlock.fleet import audit_rows


def audited(paths: Sequence[str], size: int = 50) -> Iterator[dict[str, Any]]:
    """A row for each file, in order. Ray gives the work of a lost process to another one."""
    remote = ray.remote(max_retries=3)(audit_rows)
    batches = [list(paths[at : at + size]) for at in range(0, len(paths), size)]
    for rows in ray.get([remote.remote(batch) for batch in batches]):
        yield from rows


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False)
    for row in audited(sys.argv[1:]):
        print(json.dumps(row))
