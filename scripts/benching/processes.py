"""Run one process to its end and say what it cost."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """One process: wall time and processor time in milliseconds, peak memory in MiB.

    ``code`` is the exit status, ``over`` says that the time limit ended it, ``said`` is the last line on its
    standard error. Linux counts the memory of the starting process at the time of the start, so that no figure
    is below that of the bench itself (about 20 MiB). The processor time includes child processes that it waited
    for.
    """

    wall: float
    processor: float
    memory: float
    code: int
    over: bool = False
    said: str = ""


def run(command: list[str], folder: Path, environment: Mapping[str, str], limit: float) -> Run:
    """Run a command in its own process group; at most ``limit`` seconds, then the group is ended."""
    ended = threading.Event()
    with tempfile.TemporaryFile() as errors, Path(os.devnull).open("wb") as sink:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=sink, stderr=errors, start_new_session=True
        )
        watch = threading.Timer(limit, _end, (process.pid, ended))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = (time.perf_counter() - start) * 1000
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
    return Run(
        wall,
        (usage.ru_utime + usage.ru_stime) * 1000,
        usage.ru_maxrss / 1024,
        process.returncode,
        ended.is_set(),
        said.splitlines()[-1][:300] if said else "",
    )


def _end(group: int, ended: threading.Event) -> None:
    """End a process group that is still running."""
    ended.set()
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        ended.clear()
