"""Every reader stands what is thrown at it: the saved corpus, and some hundred changes of it in each run."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import fuzz
from fuzzing import readers
from fuzzing.corpus import Sample, saved
from fuzzing.mutation import mutated, renumbered
from fuzzing.readers import READERS, Reader, problem
from torchlock.errors import InputError


@pytest.mark.parametrize("sample", saved(), ids=lambda sample: "/".join(sample[:3]))
def test_the_saved_corpus_is_read(sample: Sample) -> None:
    assert problem(sample) is None


@pytest.mark.parametrize("reader", READERS)
def test_changes_of_it_are_read(reader: str) -> None:
    batch = fuzz.run(1, 100, [reader], None)
    assert not batch.failures, batch.failures[0]


def test_every_reader_has_seeds() -> None:
    assert {sample.reader for sample in saved()} == READERS.keys()


@pytest.mark.parametrize("change", [mutated, renumbered])
def test_a_seed_gives_the_same_inputs(change: readers.Mutates) -> None:
    first, second = ([change(random.Random(5), b"torch==2.7.1\n", b"numpy\n") for _ in range(5)] for _ in range(2))
    assert first == second


def _endless(path: str, content: bytes) -> str | None:
    def further(number: int) -> int:
        return number + 1

    number = 0
    while True:
        number = further(number)


def _raises(path: str, content: bytes) -> str | None:
    raise KeyError(path)


def _refuses(path: str, content: bytes) -> str | None:
    raise InputError("is no such file")


@pytest.mark.parametrize(
    ("tries", "said"), [(_raises, "KeyError: 'x.txt'"), (_refuses, None), (_endless, "processor time")]
)
def test_what_goes_wrong_is_told(tries: readers.Tries, said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "planted", Reader(tries))
    monkeypatch.setattr("fuzzing.budget._ENDLESS", 0.2)
    why = problem(Sample("planted", "seed", "x.txt", b""))
    assert why is None if said is None else said in (why or "")


def test_work_beyond_the_budget_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: str, content: bytes) -> str | None:
        for number in range(2000):
            abs(number)
        return None

    monkeypatch.setitem(READERS, "planted", Reader(busy))
    monkeypatch.setattr("fuzzing.budget._SLOW", -1.0)
    assert problem(Sample("planted", "seed", "x.txt", b"")) is None
    monkeypatch.setattr("fuzzing.budget._CALLS", 1000)
    assert problem(Sample("planted", "seed", "x.txt", b"")) == "takes more than 1,000 calls"
