"""Processes that nobody vouches for: ended with all that they started, listened to within bounds."""

from __future__ import annotations

import os
from threading import Thread
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started in a session of its own, and its group; what left the group lives on."""
    if hasattr(os, "killpg"):
        import signal

        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            process.kill()
    else:
        process.kill()


class Tail:
    """Takes in all that a pipe says, however long, and keeps its end."""

    def __init__(self, pipe: IO[bytes], size: int = 16 << 10) -> None:
        self._pipe = pipe
        self._size = size
        self._said = b""
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        try:
            while heard := os.read(self._pipe.fileno(), 1 << 16):
                self._said = (self._said + heard)[-self._size :]
        except OSError:
            pass

    def text(self, seconds: float = 1.0) -> str:
        """What was said last. A child that outlives its parent may hold the pipe: it is not waited for."""
        self._listener.join(seconds)
        if not self._listener.is_alive():
            self._pipe.close()
        return self._said.decode("utf-8", "replace").strip()
