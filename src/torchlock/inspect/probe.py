"""Run the smoke test in the interpreter of an environment: a process with a time limit, which may crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge.stack import STACK
from torchlock.runtime import files
from torchlock.runtime.process import Tail, child, temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SMOKE = Path(__file__).with_name("smoke.py")
# The packages that it imports. It tries numpy with torch, not alone.
_IMPORTED = ",".join(name for name in STACK if name != "numpy")
# A step that crashes is left out of the next run; the test stops after this many crashes.
_RUNS = 6
_MOST = 1 << 20
_ANSWERS = ("ok", "failed", "skipped")


class Step(NamedTuple):
    """One step of the smoke test: ``ok``, ``failed``, ``crashed`` or ``timed out``; or ``skipped``.

    ``text`` is what it came to: a version, the last line of the traceback, the signal, why it was skipped.
    ``trace`` is the traceback, or what a crashing process printed last. ``library`` is the last one that a
    crashing process had loaded, as far as that is known.
    """

    name: str
    state: str
    text: str = ""
    trace: str = ""
    library: str = ""


class Probe(NamedTuple):
    """All steps in order, also those that were not run; ``problem`` says why there are none."""

    steps: tuple[Step, ...]
    problem: str = ""
    skipped: tuple[Step, ...] = ()

    def step(self, name: str) -> Step | None:
        """The step of that name; None if it was not run."""
        return next((step for step in self.steps if step.name == name), None)


class _Ended(NamedTuple):
    """How one run ended: ``code`` is None if time was up; ``begun`` is the unfinished step."""

    code: int | None
    begun: str | None
    finished: bool
    said: str


def probe(
    executable: str,
    environ: Mapping[str, str],
    folder: str | None = None,
    seconds: float = 120.0,
    progress: Callable[[Step], None] | None = None,
) -> Probe:
    """Run the smoke test, again without the step that crashed, as often as needed.

    ``folder`` is where Python is started, which is the first item of its path; without one, an empty folder.
    ``seconds`` are for all runs. ``progress`` is called with every step, first as ``begun`` and then with its
    result. A step that does not end uses all the time: later steps are not run.
    """
    tests = _Tests(executable, environ, folder, time.monotonic() + seconds, progress)
    problem = ""
    try:
        for _ in range(_RUNS):
            ended = tests.run()
            if ended.begun is None:
                if not ended.finished and not tests.done:
                    problem = f"the interpreter ended with {_ending(ended.code)} before the first step"
                break
            if ended.code is None:
                tests.take(Step(ended.begun, "timed out", f"after {seconds:g} seconds", ended.said))
                break
            library = tests.last_library(ended)
            tests.take(Step(ended.begun, "crashed", _ending(ended.code), ended.said, library))
    except OSError as error:
        problem = f"{executable} cannot be started ({error.strerror or error})"
    except ValueError as error:
        problem = f"{executable} cannot be started ({error})"
    taken = tuple(step for step in tests.done.values() if step.state != "skipped")
    return Probe(taken, problem, tuple(step for step in tests.done.values() if step.state == "skipped"))


class _Tests:
    """The runs of one smoke test, and the steps that are done."""

    def __init__(
        self,
        executable: str,
        environ: Mapping[str, str],
        folder: str | None,
        ends: float,
        progress: Callable[[Step], None] | None,
    ) -> None:
        self.done: dict[str, Step] = {}
        self._executable, self._environ, self._folder = executable, environ, folder
        self._ends = ends
        self._progress = progress
        self._told: set[tuple[str, str]] = set()

    def take(self, step: Step) -> None:
        """Record how a step ended. An earlier result stays, unless the step crashes in a later run."""
        if step.name not in self.done or step.state == "crashed":
            self.done[step.name] = step
            self._tell(step)

    def _tell(self, step: Step) -> None:
        if self._progress is not None and (step.name, step.state) not in self._told:
            self._told.add((step.name, step.state))
            self._progress(step)

    def run(self) -> _Ended:
        """Run the steps that did not crash so far.

        Raises:
            OSError, ValueError: the interpreter cannot be started.
        """
        with temporary_folder() as place:
            path = os.path.join(place, "steps")
            code, said = self._start(place, {}, lambda: self._look(path))
            return self._look(path)._replace(code=code, said=said)

    def _look(self, path: str) -> _Ended:
        """Read the answers so far."""
        begun, finished = None, False
        for row in _rows(path):
            name, state = row.get("step", ""), row.get("state", "")
            if name == "end":
                finished = True
            elif state == "begun":
                begun = name
                if name not in self.done:
                    self._tell(Step(name, "begun"))
            elif state in _ANSWERS:
                self.take(Step(name, state, row.get("text", ""), row.get("trace", "")))
                begun = None
        return _Ended(0, None if finished else begun, finished, "")

    def _start(self, place: str, further: Mapping[str, str], look: Callable[[], object]) -> tuple[int | None, str]:
        """The exit code (None if time was up), and the last output."""
        crashed = [step.name for step in self.done.values() if step.state == "crashed"]
        empty = os.path.join(place, "empty")
        os.mkdir(empty)
        code = _SMOKE.read_text(encoding="utf-8")
        arguments = ["-B", "-X", "faulthandler", "-c", code, os.path.join(place, "steps"), _IMPORTED, *crashed]
        with child(
            [self._executable, *arguments],
            cwd=self._folder or empty,
            env={**self._environ, "TMPDIR": place, **further},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            tail = Tail(process.stderr)
            status = self._wait(process, look)
        return status, tail.text()

    def _wait(self, process: subprocess.Popen[bytes], look: Callable[[], object]) -> int | None:
        while (left := self._ends - time.monotonic()) > 0:
            try:
                return process.wait(min(left, 0.25))
            except subprocess.TimeoutExpired:
                if self._progress is not None:
                    look()
        return process.poll()

    def last_library(self, crash: _Ended) -> str:
        """Run the crashing step again, with the loader of Linux printing each library; the last one, or ""."""
        with temporary_folder() as place:
            told = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": os.path.join(place, "ld")}
            code, _ = self._start(place, told, lambda: None)
            if code != crash.code:
                return ""
            # The output includes its children; the interpreter itself prints most.
            logs = [os.path.join(place, name) for name in os.listdir(place) if name.startswith("ld.")]
            return _last_initialised(max(logs, key=os.path.getsize)) if logs else ""


def _last_initialised(path: str) -> str:
    try:
        lines = files.read(path, 64 << 20).splitlines()
    except OSError:
        return ""
    last = next((line for line in reversed(lines) if b"calling init: " in line), b"")
    return last.rpartition(b": ")[2].decode("utf-8", "replace").strip()


def _rows(path: str) -> list[dict[str, str]]:
    try:
        lines = files.read(path, _MOST).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append({str(key): str(value) for key, value in row.items()})
    return rows


def _ending(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "a time limit"
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code:#x}" if code > 255 else f"exit code {code}"
