"""The command line: arguments → job → report → exit code. Only this package uses argv and the streams."""

from __future__ import annotations

import gc
import signal
import sys

from torchlock.cli.exit_codes import BUG, INTERRUPTED


def entry() -> None:
    """The console script: run, and leave with the exit code of the contract."""
    # One short run makes much that lives to its end: looking for garbage in it costs a tenth of the time.
    gc.set_threshold(200_000, 50, 100)
    code: int
    try:
        from torchlock.cli.main import main

        code = main(sys.argv[1:])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Python may end in peace
    except KeyboardInterrupt as stop:
        code = getattr(stop, "code", INTERRUPTED)
    except Exception:  # no memory to begin with, or a part of the package is missing: never 1, which is a finding
        sys.excepthook(*sys.exc_info())
        code = BUG
    sys.exit(code)
