"""Audit files with Spark: each partition of paths becomes rows.

spark-submit examples/fleet_spark.py FILE...
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from pyspark import SparkContext

from torchlock.fleet import audit_rows


def audited(context: SparkContext, paths: Sequence[str], size: int = 50) -> list[dict[str, Any]]:
    """A row for each file, in order. Spark gives the work of a lost executor to another one."""
    parts = max(1, -(-len(paths) // size))
    rows: list[dict[str, Any]] = context.parallelize(paths, parts).mapPartitions(audit_rows).collect()
    return rows


if __name__ == "__main__":
    with SparkContext(appName="torchlock") as context:
        for row in audited(context, sys.argv[1:]):
            print(json.dumps(row))
