"""The smoke test in the interpreter of an environment: a process of its own, with a time limit, that may crash."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect import files

if TYPE_CHECKING:
    from collections.abc import Mapping

_SMOKE = Path(__file__).with_name("smoke.py")
# A step that crashes is left out of the next run; so many crashes are enough to know.
_RUNS = 6
_MOST = 1 << 20


class Step(NamedTuple):
    """One step of the smoke test: ``ok``, ``failed``, ``crashed`` or ``timed out``.

    ``text`` is what it came to: a version, the last line of the traceback, the signal. ``library`` is the last
    one that a crashing process had loaded, as far as that is known.
    """

    name: str
    state: str
    text: str = ""
    trace: str = ""
    library: str = ""


class Probe(NamedTuple):
    """All steps in their order; ``problem`` says why there are none."""

    steps: tuple[Step, ...]
    problem: str = ""

    def step(self, name: str) -> Step | None:
        """The step of that name; None if it was not taken."""
        return next((step for step in self.steps if step.name == name), None)


def probe(executable: str, environ: Mapping[str, str], folder: str | None = None, seconds: float = 120.0) -> Probe:
    """Run the smoke test, once more without the step that crashed, as often as needed.

    ``folder`` is where Python is started, which is the first item of its path; ``seconds`` are for all runs.
    """
    ends = time.monotonic() + seconds
    done: dict[str, Step] = {}
    for _ in range(_RUNS):
        with tempfile.TemporaryDirectory(prefix="torchlock-") as place:
            crashed = [step.name for step in done.values() if step.state == "crashed"]
            code = _run(executable, environ, folder, place, crashed, ends)
            if isinstance(code, str):
                return Probe(tuple(done.values()), code)
            rows = _rows(os.path.join(place, "steps"))
            begun = _taken(rows, done)
            if any(row.get("step") == "end" for row in rows) and begun is None:
                return Probe(tuple(done.values()))
            if begun is None:
                why = f"the interpreter ended with {_ending(code)} before the first step" if not done else ""
                return Probe(tuple(done.values()), why)
            if code is None:
                done[begun] = Step(begun, "timed out", f"after {seconds:g} seconds")
                return Probe(tuple(done.values()))
            library = _last_library(executable, environ, folder, crashed, ends)
            done[begun] = Step(begun, "crashed", _ending(code), "", library)
    return Probe(tuple(done.values()))


def _run(
    executable: str,
    environ: Mapping[str, str],
    folder: str | None,
    place: str,
    left_out: list[str],
    ends: float,
) -> int | str | None:
    """The exit code; None where time was up; a text where it could not be started."""
    command = [executable, "-X", "faulthandler", "-c", _SMOKE.read_text(encoding="utf-8")]
    command += [os.path.join(place, "steps"), *left_out]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environ, "TMPDIR": place},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        return f"{executable} cannot be started ({error.strerror or error})"
    try:
        return process.wait(max(0.1, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _rows(path: str) -> list[dict[str, str]]:
    try:
        lines = files.read(path, _MOST).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append({str(key): str(value) for key, value in row.items()})
    return rows


def _taken(rows: list[dict[str, str]], done: dict[str, Step]) -> str | None:
    """Take the answers in; the step that was begun and not answered, if there is one."""
    begun = None
    for row in rows:
        name, state = row.get("step", ""), row.get("state", "")
        if state == "begun":
            begun = name
        elif state in ("ok", "failed") and name != "end":
            done.setdefault(name, Step(name, state, row.get("text", ""), row.get("trace", "")))
            begun = None
    return begun


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


def _last_library(
    executable: str, environ: Mapping[str, str], folder: str | None, left_out: list[str], ends: float
) -> str:
    """Run the crashing step again and have the loader of Linux tell what it loads; "" where it does not."""
    with tempfile.TemporaryDirectory(prefix="torchlock-") as place:
        told = {**environ, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": os.path.join(place, "ld")}
        _run(executable, told, folder, place, left_out, ends)
        last = ""
        for file in sorted(os.listdir(place)):
            if not file.startswith("ld."):
                continue
            try:
                lines = files.read(os.path.join(place, file), 64 << 20).splitlines()
            except OSError:
                continue
            for line in lines:
                if b"calling init: " in line:
                    last = line.rpartition(b": ")[2].decode("utf-8", "replace")
        return last.strip()
