"""Names that a user probably meant: one search, and one question, for every list of known names."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.spelling import is_one_letter_off, meant, question, similar

SOURCE = Path(__file__).parents[1] / "src" / "torchlock"


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("adit", ("audit", "check"), "; did you mean audit?"),
        ("AUDIT", ("audit", "check"), "; did you mean audit?"),
        ("debian", ("debian-12", "debian-13", "windows"), "; did you mean debian-12 or debian-13?"),
        ("x", ("xpu", "xyz"), ""),  # one letter begins too much to mean anything
        # more names begin like this than can be listed
        ("cu", [f"cu{number}" for number in range(100, 110)], ""),
        ("zzzzz", ("audit", "check"), ""),
        ("best", ("highest", "lowest"), ""),
        ("", ("audit",), ""),
        ("a" * 10_000, ("audit",), ""),
    ],
)
def test_a_question_names_what_is_near(name: str, known: tuple[str, ...], said: str) -> None:
    assert meant(name, known) == said


def test_names_that_differ_in_case_alone_are_both_kept() -> None:
    assert sorted(similar("STFt", ("stft", "STFT", "istft"), 2)) == ["STFT", "stft"]


def test_a_question_about_nothing_is_empty() -> None:
    assert question([]) == ""
    assert question(["a", "b", "c"]) == "; did you mean a, b or c?"


@pytest.mark.parametrize(
    "name", ["torchaudi", "torchaudioo", "torchaudoi", "torch-audio", "torchaudlo", "orchaudio"]
)
def test_a_slip_of_one_letter(name: str) -> None:
    assert is_one_letter_off(name, "torchaudio")


@pytest.mark.parametrize("name", ["torchaudio", "torchao", "torchvision", "audio", "", "torchuadoi"])
def test_what_is_another_name(name: str) -> None:
    assert not is_one_letter_off(name, "torchaudio")


def test_one_module_searches_for_near_names() -> None:
    having = [path for path in SOURCE.rglob("*.py") if "get_close_matches" in path.read_text(encoding="utf-8")]
    assert having == [SOURCE / "spelling.py"]
