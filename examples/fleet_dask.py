"""Audit files with Dask: the function goes to the workers, the rows come back.

    python examples/fleet_dask.py ADDRESS FILE...

``torchlock fleet --scheduler ADDRESS`` does the same, and can be continued; this is the shortest form.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from distributed import Client

from torchlock.fleet import audit_rows


def audited(client: Client, paths: Sequence[str], size: int = 50) -> Iterator[dict[str, Any]]:
    """A row for each file, in order."""
    batches = [list(paths[at : at + size]) for at in range(0, len(paths), size)]
    for rows in client.gather(client.map(audit_rows, batches)):
        yield from rows


if __name__ == "__main__":
    with Client(sys.argv[1]) as client:
        for row in audited(client, sys.argv[2:]):
            print(json.dumps(row))
