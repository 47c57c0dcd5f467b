"""Lock the public scenarios of astral-sh/packse, and compare the results with what they expect.

    python scripts/packse.py CHECKOUT [NAME …]

CHECKOUT is a working tree of astral-sh/packse; nothing of it is kept here. Each scenario is served over
a loopback index and locked by ``torchlock lock`` in a process of its own. A scenario that comes out differently is
printed with the reason from ``benching/packse.py``, if the difference is a policy (docs/solving.md lists them).
The exit code is 1 if one differs without a reason, or does not differ although there is a reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benching.packse import DIFFERENT, Outcome, files_of, outcome, read
from benching.packse_index import Loopback


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these scenarios")
    arguments = parser.parse_args()
    scenarios = [each for each in read(arguments.checkout) if not arguments.names or each.name in arguments.names]
    if not scenarios:
        parser.error(f"{arguments.checkout} has no such scenarios")
    with tempfile.TemporaryDirectory() as folder, Loopback() as index:
        for scenario in scenarios:
            index.publish(scenario.name, files_of(scenario))
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            runs = pool.map(lambda each: outcome(each, index.url(each.name), Path(folder, each.name)), scenarios)
            same = wrong = 0
            for scenario, found in zip(scenarios, runs, strict=True):
                same += not found.difference
                wrong += _tell(scenario.name, found)
    print(f"{same} of {len(scenarios)} scenarios as expected, {wrong} not as described")
    return 1 if wrong else 0


def _tell(name: str, found: Outcome) -> bool:
    """Print how a scenario differs; return whether that is not as described."""
    wrong = bool(found.difference) != (name in DIFFERENT)
    if found.difference or wrong:
        reason = DIFFERENT.get(name, "no reason is known")
        print(f"{name}: {found.difference or 'as expected, but a reason is listed'}\n  {reason}", flush=True)
    if wrong:
        print("  " + found.printed.strip().replace("\n", "\n  "), flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
