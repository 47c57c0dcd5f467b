"""Killed while it replaces a file: the old content or the new one stays, and the next run leaves nothing else."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")

_SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "kill.py"
_SPEC = importlib.util.spec_from_file_location("kill", _SCRIPT)
assert _SPEC is not None
assert _SPEC.loader is not None
kill: Any = importlib.util.module_from_spec(_SPEC)
sys.modules["kill"] = kill
_SPEC.loader.exec_module(kill)


@pytest.fixture(params=sorted(kill.SCENARIOS))
def trial(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a killed process loses no page of the system's
    return kill.Trial(kill.SCENARIOS[request.param], tmp_path)


def test_killed_at_each_step(trial: Any) -> None:
    step = 0
    while trial.kill_at(step):
        step += 1
    # To make, lock, look at, set, write, put on the disk, move and close are calls of their own.
    assert step >= 9


def test_killed_at_random(trial: Any) -> None:
    chance = random.Random(0)
    for _ in range(2):
        trial.kill_after(chance.uniform(0, trial.seconds))
        trial.kill_after(chance.uniform(0, 0.01), writing=True)


@pytest.mark.parametrize("bare", [True, False])
def test_a_writer_that_loses_something_is_found_out(
    bare: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that keeps no attributes; one that writes in place and leaves a part."""
    from torchlock.report import atomic
    from torchlock.runtime import temporary

    trial = kill.Trial(kill.SCENARIOS["audit"], tmp_path)

    def careless(path: str, content: bytes, *, expected: bytes | None = None) -> atomic.WrittenFile:
        temporary.sweep(str(tmp_path))
        with temporary.Temporary(str(tmp_path)) as made:
            if bare:
                os.write(made.descriptor, content)
                made.take_place_of(path)
            else:
                os.write(os.open(path, os.O_WRONLY | os.O_TRUNC), content)
        return atomic.WrittenFile()

    monkeypatch.setattr(atomic, "write_bytes", careless)
    with pytest.raises(AssertionError, match="what belongs to the file" if bare else "a part of the file"):
        for step in range(20):
            trial.kill_at(step)
