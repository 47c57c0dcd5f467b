"""The command line: arguments → job → writer → exit code. The only floor that knows argv and the streams."""

from __future__ import annotations

import sys


def entry() -> None:
    """The console script: run, and leave with the exit code of the contract."""
    from torchlock.cli.main import main

    sys.exit(main(sys.argv[1:]))
