"""A lock that is upgraded again and again while time passes: what holds after each step."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

import pytest

from support.amount import amount
from torchlock.audit import Auditor
from torchlock.audit import Options as AuditOptions
from torchlock.index.sources import Sources
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stack import FAMILY
from torchlock.lock import Conflict, Lock, Options, lock
from torchlock.lock.changes import changes_between
from torchlock.lock.model import Move, Previous
from torchlock.manifests.pin_sets import pin_set_of_text
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.report.requirements_txt import render
from torchlock.target import Platform, PythonVersion, Target
from torchlock.terms import Inputs, Origin

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

POOL = (
    "torch",
    "torchaudio",
    "torchcodec",
    "soundfile",
    "librosa",
    "torchvision",
    "numpy<2.3",
    "scipy",
    "torch>=2.3",
)
TARGETS = tuple(
    Target(PythonVersion.parse(python), Platform.parse(platform))
    for python, platform in (("3.12", "linux-x86_64"), ("3.11", "windows-amd64"), ("3.10", "macos-arm64"))
)
WALKS = tuple(range(10))
STEPS = amount(20, quick=5)


class Step(NamedTuple):
    """One run of ``lock``: what is asked, and what may move."""

    lines: tuple[str, ...]
    day: str
    everything: bool = False
    upgraded: frozenset[str] = frozenset()


class State(NamedTuple):
    """A lock, its text, and the lines that it was made for."""

    lock: Lock
    text: str
    lines: frozenset[str]

    @property
    def pins(self) -> dict[str, str]:
        return {pin.name: pin.version for pin in self.lock.pins}


@cache
def shared() -> tuple[Matrix, Sources]:
    return Matrix(), Sources(offline=True)


def solved(step: Step, target: Target, old: dict[str, str], limits: dict[str, str] | None = None) -> Lock | None:
    """The lock of a step; None if there is none. ``old`` are the pins of the lock before it."""
    matrix, sources = shared()
    inputs = Inputs(
        requirements=[parse_requirement(line, Origin("requirements.in", None, line)) for line in step.lines],
        constraints=[
            parse_requirement(f"{name}=={version}", Origin(None, None, name))
            for name, version in (limits or {}).items()
        ],
    )
    kept = {} if step.everything else {name: v for name, v in old.items() if name not in step.upgraded}
    options = Options(
        exclude_newer=f"{step.day}T00:00:00Z",
        preferred={} if limits else kept,
        upgraded=step.upgraded,
        previous=Previous(old, "pypi") if old else None,
    )
    found = lock(inputs, target, options, matrix, sources)
    return None if isinstance(found, Conflict) else found


def rendered(found: Lock) -> str:
    return render(found, command="torchlock lock", data_date=shared()[0].date)


def states(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """The packages of a text, read by nothing but patterns: each with its line and its hashes."""
    found = {}
    for block in re.findall(r"^[a-z0-9][^\n]*(?:\\\n[^\n]*)*", text, re.M):
        line = block.split("\\")[0].strip()
        found[re.split(r"[=\[ @]", line)[0]] = line, frozenset(re.findall(r"--hash=(\S+)", block))
    return found


def next_step(draw: random.Random, before: Step, pins: dict[str, str]) -> Step:
    """Time passes, and something is asked, or nothing."""
    day = date.fromisoformat(before.day) + timedelta(days=draw.choice((1, 20, 60, 120)))
    step = Step(before.lines, str(min(day, date(2026, 11, 25))))
    what = draw.choice(("nothing", "nothing", "one", "one", "two", "all", "add", "remove"))
    if what == "all":
        return step._replace(everything=True)
    if what in ("one", "two"):
        return step._replace(
            upgraded=frozenset(draw.sample(sorted(pins), min(len(pins), 1 if what == "one" else 2)))
        )
    if what == "add":
        return step._replace(lines=tuple(dict.fromkeys((*step.lines, draw.choice(POOL)))))
    if what == "remove" and len(step.lines) > 1:
        return step._replace(lines=tuple(draw.sample(step.lines, len(step.lines) - 1)))
    return step


@pytest.mark.sampled
@pytest.mark.parametrize("seed", WALKS)
def test_a_walk_over_the_history(seed: int) -> None:
    draw = random.Random(seed)
    target = draw.choice(TARGETS)
    auditor = Auditor(AuditOptions(pythons=(target.python,), platforms=(target.platform,)))
    step = Step(tuple(draw.sample(POOL, 3)), draw.choice(("2024-08-01", "2025-03-01", "2025-10-01")))
    old: State | None = None
    for _ in range(STEPS):
        if old is not None:
            step = next_step(draw, step, old.pins)
        found = solved(step, target, old.pins if old is not None else {})
        if found is None:
            assert old is None or step.lines, step
            continue
        new = State(found, rendered(found), frozenset(step.lines))
        report = auditor.report("requirements.txt", new.text.encode())
        assert not [finding for finding in report.findings if finding.severity == "error"], step
        if old is not None:
            compare(step, target, old, new, draw)
        old = new


def compare(step: Step, target: Target, old: State, new: State, draw: random.Random) -> None:
    before = pin_set_of_text(old.text, "requirements.txt", "requirements")
    after = pin_set_of_text(new.text, "requirements.txt", "requirements")
    changes = changes_between(before, after, new.lock.moves)
    left, right = states(old.text), states(new.text)
    assert {change.name for change in changes} == {
        name for name in left.keys() | right.keys() if left.get(name) != right.get(name)
    }
    assert not changes_between(after, after)
    for change in changes:
        assert (change.kind == "added") == (change.name not in left)
        assert (change.kind == "removed") == (change.name not in right)
    if not step.everything and not step.upgraded and old.lines == {*step.lines}:
        assert not changes, step
    if not step.everything:
        keeps_what_it_can(step, target, old.pins, new.pins, draw)
    moves = [move for change in changes for move in change.why if move.old and move.new]
    for move in draw.sample(moves, min(len(moves), 3)):
        is_true(move, step, target, old.pins, new.pins)


def is_true(move: Move, step: Step, target: Target, old: dict[str, str], new: dict[str, str]) -> None:
    """A newer release was a choice: the old one works beside what did not change. Other reasons exclude it."""
    if move.kind == "newer":
        assert step.everything or move.name in step.upgraded, (step, move)
        held = {name: version for name, version in new.items() if old.get(name) == version}
        assert solved(step, target, {}, {**held, move.name: move.old}) is not None, (step, move)
    else:
        assert solved(step, target, {}, {**new, move.name: move.old}) is None, (step, move)


def keeps_what_it_can(
    step: Step, target: Target, old: dict[str, str], new: dict[str, str], draw: random.Random
) -> None:
    """No pin changed that could have stayed: with it, and with what stayed, there is no solution."""
    stayed = {name: version for name, version in new.items() if old.get(name) == version}
    moved = sorted(
        name for name in old.keys() & new.keys() if old[name] != new[name] and name not in step.upgraded
    )
    leading = {*FAMILY, *(re.split(r"[<>=]", line)[0] for line in step.lines)}
    for name in draw.sample(moved, min(len(moved), 2)):
        held = {each: new[each] for each in new if each in step.upgraded}
        if name in leading:
            held |= {each: version for each, version in stayed.items() if each in leading}
        else:
            held |= stayed | {each: new[each] for each in new if each in leading}
        assert solved(step, target, {}, {**held, name: old[name]}) is None, (step, name, old[name], new[name])
