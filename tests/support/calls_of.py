"""Count the calls, of Python and of C, that one whole command comes to: run as a program, it prints the number.

    python calls_of.py ARGUMENT...

Imports count too: a cold process makes them. It imports nothing of the tests, which would not be counted.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any


def main() -> None:
    count = 0

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    from torchlock.cli.main import main as command

    code = command(sys.argv[1:])
    sys.setprofile(None)
    print(f"calls: {count}, code: {code}", file=sys.stderr)


if __name__ == "__main__":
    main()
