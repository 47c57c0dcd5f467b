"""Unknown is an answer of its own."""

import pytest

from torchlock.answers import Unknown


def test_unknown_is_neither_true_nor_false():
    with pytest.raises(TypeError, match="neither yes nor no: nobody asked"):
        bool(Unknown("nobody asked"))


def test_unknown_says_why_and_of_which_day():
    assert str(Unknown("no source has it")) == "no source has it"
    assert str(Unknown("no source has it", "2026-11-23")) == "no source has it (as of 2026-11-23)"
