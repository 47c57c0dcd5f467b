"""Kill torchlock while it replaces a file, and look at what is left.

``python scripts/kill.py --kills 1000`` runs ``lock -o`` and ``audit --fix`` and ends them with SIGKILL: before
each system call of the writer, at random moments of the whole run, and at random moments of the writing.
Each time the file has to hold the old content or the new one, with its owner, mode and attributes; the next run
has to leave the new content and nothing else. POSIX systems only.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import re
import select
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What a writer does to files; killed before each, and so after the one before it.
_CALLS = ("open", "write", "fsync", "fchmod", "fchown", "setxattr", "removexattr", "replace", "unlink", "close")
_STRAY = re.compile(r"\.torchlock-.*\.tmp")
_TARGET = ["--python", "3.11", "--platform", "linux-x86_64"]


class Scenario(NamedTuple):
    """A command that replaces one file; the other files of its folder stay as they are."""

    command: list[str]
    file: str
    old: bytes


SCENARIOS = {
    "lock": Scenario(
        ["lock", "filelock", *_TARGET, "--offline", "-o", "requirements.txt"],
        "requirements.txt",
        b"filelock==3.13.1\n",
    ),
    "audit": Scenario(
        ["audit", "--fix", "requirements.txt"], "requirements.txt", b"# ours\ntorch==2.7.1\ntorchaudio==2.5.1\n"
    ),
}


class Attributes(NamedTuple):
    """What a file has to keep."""

    mode: int
    owner: int
    group: int
    more: dict[str, bytes]


class Trial:
    """One scenario in a folder of its own, as often as it is asked for."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.folder = folder
        self.path = folder / scenario.file
        self._prepare()
        self.kept = _attributes(self.path)
        self._run_here()
        self._prepare()
        started = time.monotonic()
        self._finish(self._start(None))
        self.seconds = time.monotonic() - started
        self.new = self.path.read_bytes()
        assert self.new != scenario.old, "the command changed nothing"

    def kill_at(self, step: int) -> bool:
        """Kill before one of the writer's calls; False if there are not so many."""
        self._prepare()
        killed = self._finish(
            self._start(lambda seen: os.kill(os.getpid(), signal.SIGKILL) if seen == step else None)
        )
        self._inspect(f"step {step}")
        return killed

    def kill_after(self, seconds: float, *, writing: bool = False) -> bool:
        """Kill after a time, counted from the start of the run or of the writing; False if it had ended before."""
        self._prepare()
        reading, told = os.pipe()
        child = self._start((lambda seen: os.write(told, b".") if seen == 0 else None) if writing else None)
        os.close(told)
        if writing:
            first_call = select.poll()  # select() takes no descriptor over 1023
            first_call.register(reading)
            first_call.poll(60_000)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.close(reading)
        killed = self._finish(child)
        self._inspect(f"{'writing' if writing else 'run'} + {seconds:.6f} s")
        return killed

    def _run_here(self) -> None:
        """Run the command in this process, beside the folder: each process after it has all modules and tables."""
        from torchlock.cli.main import main

        with tempfile.TemporaryDirectory() as folder:
            Path(folder, self.scenario.file).write_bytes(self.scenario.old)
            before = Path.cwd()
            os.chdir(folder)
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    main(self.scenario.command)
            finally:
                os.chdir(before)

    def _prepare(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        self.path.write_bytes(self.scenario.old)
        self.path.chmod(0o640)
        if hasattr(os, "setxattr"):
            with contextlib.suppress(OSError):
                os.setxattr(self.path, "user.torchlock", b"kept")
        if os.geteuid() == 0:
            os.chown(self.path, 1234, 1234)

    def _start(self, on_step: Callable[[int], Any] | None) -> int:
        """A process of its own that runs the command; ``on_step`` is called before each call of the writer."""
        child = os.fork()
        if child:
            return child
        code = 3
        try:
            os.chdir(self.folder)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            if on_step is not None:
                _watch(on_step)
            from torchlock.cli.main import main

            code = main(self.scenario.command)
        finally:
            os._exit(code)

    @staticmethod
    def _finish(child: int) -> bool:
        """Wait for a run; whether it was killed.

        Raises:
            AssertionError: it failed.
        """
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.WEXITSTATUS(status) == 0, f"exit code {os.WEXITSTATUS(status)}"
        return killed

    def _inspect(self, when: str) -> None:
        """Raises AssertionError if anything is lost; runs the command once more."""
        found = self.path.read_bytes()
        assert found in (self.scenario.old, self.new), f"{when}: a part of the file: {found!r}"
        assert _attributes(self.path) == self.kept, f"{when}: {_attributes(self.path)} in place of {self.kept}"
        others = {path.name for path in self.folder.iterdir()} - {self.scenario.file}
        assert all(map(_STRAY.fullmatch, others)), f"{when}: {others}"
        self._finish(self._start(None))
        assert self.path.read_bytes() == self.new, f"{when}: the next run does not write the new content"
        assert _attributes(self.path) == self.kept, f"{when}: the next run changes what belongs to the file"
        left = {path.name for path in self.folder.iterdir()} - {self.scenario.file}
        assert not left, f"{when}: {left} is left after the next run"


def _watch(on_step: Callable[[int], Any]) -> None:
    """Have a function called before each call of the writer, from the making of its file on."""
    import fcntl

    seen = -1

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal seen
            if seen < 0 and not (function is opened and _STRAY.fullmatch(Path(str(arguments[0])).name)):
                return function(*arguments, **named)
            seen += 1
            on_step(seen)
            return function(*arguments, **named)

        return call

    opened = os.open
    for name in _CALLS:
        if hasattr(os, name):
            setattr(os, name, watched(getattr(os, name)))
    fcntl.flock = watched(fcntl.flock)


def _attributes(path: Path) -> Attributes:
    found = path.stat()
    more = {name: os.getxattr(path, name) for name in os.listxattr(path)} if hasattr(os, "listxattr") else {}
    return Attributes(found.st_mode, found.st_uid, found.st_gid, more)


def kills(number: int, seed: int) -> Iterator[tuple[str, bool]]:
    """So many kills, shared out to the scenarios: each step once, the others at random.

    Yields the scenario and whether the run was still alive.

    Raises:
        AssertionError: a file was lost, or something is left.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as parent:
        for name, scenario in SCENARIOS.items():
            folder = Path(parent, name)
            folder.mkdir()
            trial = Trial(scenario, folder)
            done, step = 0, 0
            while done < number // len(SCENARIOS):
                alive = step >= 0 and trial.kill_at(step)
                if alive:
                    step += 1
                else:
                    step = -1
                    writing = done % 4 != 0
                    alive = trial.kill_after(
                        chance.uniform(0, 0.01 if writing else trial.seconds), writing=writing
                    )
                done += alive
                yield name, alive


def run() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (default: 1)")
    asked = parser.parse_args()
    counts: dict[tuple[str, bool], int] = {}
    for key in kills(asked.kills, asked.seed):
        counts[key] = counts.get(key, 0) + 1
    for name in SCENARIOS:
        print(f"{name}: {counts.get((name, True), 0)} killed, {counts.get((name, False), 0)} ended before")
    print(
        f"{sum(count for (_, alive), count in counts.items() if alive)} kills: old or new each time, nothing left"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run())
