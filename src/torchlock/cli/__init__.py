"""The command line: arguments → job → report → exit code. Only this package uses argv and the streams."""

from __future__ import annotations

import atexit
import gc
import os
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
    _leave(code)


def _leave(code: int) -> None:
    """End the process. Python would first free every object by itself: a tenth of the instructions of a short run.

    It does so where something waits for the end: a function of ``atexit``, a thread, a profiler, or a stream that
    cannot be flushed.
    """
    waits = getattr(atexit, "_ncallbacks", lambda: 1)() or sys.getprofile() or sys.gettrace()
    if not waits and "threading" not in sys.modules:
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except (OSError, ValueError):
            sys.exit(code)
        os._exit(code)
    sys.exit(code)
