"""Ensure that children and temporary folders do not outlive this process, with a guard that does.

On POSIX systems the guard is a small process (``guard.py``), started with the first thing to watch. On Windows
it is a job object, which ends all processes in it when its last handle is closed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


class _Guard:
    """The guard of this process; ``pipe`` is None if it is not started or not available."""

    def __init__(self) -> None:
        self.started = False
        self.pipe: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if not self.started:
            self.started = True
            self._start()

    def tell(self, line: str) -> None:
        self.start()
        if self.pipe is not None:
            try:
                os.write(self.pipe, f"{line}\n".encode())
            except OSError:  # somebody ended the guard
                self._close()

    def _start(self) -> None:
        if os.name == "nt":
            with contextlib.suppress(OSError, AttributeError):
                _join_job()
            return
        import subprocess
        from pathlib import Path

        code = Path(__file__).with_name("guard.py").read_text(encoding="utf-8")
        read, write = os.pipe()
        try:
            # A separate session: signals to our group, or from a terminal, do not reach the guard.
            self._process = subprocess.Popen(  # noqa: S603 - our own Python and program
                [sys.executable, "-I", "-S", "-B", "-c", code],
                cwd="/",
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self.pipe = write
        except (OSError, ValueError):
            os.close(write)
        finally:
            os.close(read)

    def leave(self) -> None:
        """In a forked child: forget the guard, which belongs to the parent."""
        self.started, self._process = False, None
        self._close()

    def _close(self) -> None:
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None


_guard = _Guard()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_guard.leave)


def ready() -> None:
    """Start the guard, so that the next child is watched from its start."""
    _guard.start()


@contextlib.contextmanager
def watched(kind: str, name: int | str) -> Iterator[None]:
    """For this block: if this process ends, so does a ``group`` or a ``process`` (by its id), or a ``folder``."""
    spelled = os.fsencode(name).hex() if isinstance(name, str) else name
    _guard.tell(f"+{kind} {spelled}")
    try:
        yield
    finally:
        _guard.tell(f"-{kind} {spelled}")


def _join_job() -> None:
    """Put this process into a job that ends all that is in it with the last handle, which is ours.

    Children are born into the job. (JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE.)
    """
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined, unused-ignore] # Windows
    kernel.CreateJobObjectW.restype = kernel.GetCurrentProcess.restype = ctypes.c_void_p
    handle, kill_on_close, extended_limits = ctypes.c_void_p, 0x2000, 9

    class Basic(ctypes.Structure):
        _fields_ = (
            ("per_process_time", ctypes.c_int64),
            ("per_job_time", ctypes.c_int64),
            ("flags", ctypes.c_uint32),
            ("minimum_working_set", ctypes.c_size_t),
            ("maximum_working_set", ctypes.c_size_t),
            ("active_processes", ctypes.c_uint32),
            ("affinity", ctypes.c_size_t),
            ("priority", ctypes.c_uint32),
            ("scheduling", ctypes.c_uint32),
        )

    class Extended(ctypes.Structure):
        _fields_ = (
            ("basic", Basic),
            ("io", ctypes.c_uint64 * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        )

    job = handle(kernel.CreateJobObjectW(None, None))
    limits = Extended(basic=Basic(flags=kill_on_close))
    if kernel.SetInformationJobObject(job, extended_limits, ctypes.byref(limits), ctypes.sizeof(limits)):
        kernel.AssignProcessToJobObject(job, handle(kernel.GetCurrentProcess()))
