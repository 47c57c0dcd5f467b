"""Servers of the bench, each in a process of its own, as the bench sees them."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

SCRIPTS = Path(__file__).parents[1]


class Traffic(NamedTuple):
    """What a server was asked: requests, bytes of its answers with their headers, and the most at one time."""

    requests: int
    bytes: int
    most: int


class Server:
    """A module of ``benching`` that serves; use it in a ``with`` statement."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", f"benching.{module}", *arguments]

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            self._command, cwd=SCRIPTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError(f"{' '.join(self._command)} did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def get(self, path: str) -> str:
        """The text at a path of this server; raises urllib.error.URLError."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.address}{path}", timeout=120) as answer:
            text: str = answer.read().decode()
        return text

    def reset(self) -> None:
        """Count from zero."""
        self.get("/-/reset")

    def traffic(self) -> Traffic:
        """What it was asked since the last reset."""
        found = json.loads(self.get("/-/counts"))
        return Traffic(found["requests"], found["sent"], found["most"])
