"""Which release of torch has a symbol: the sentence and the answer for one release agree."""

from __future__ import annotations

from torchlock.knowledge.exported import exported_in, is_exported_by


def test_a_release_has_what_the_sentence_says() -> None:
    assert exported_in("torch_from_blob", "linux-x86_64") == "from 2.11.0 on"
    assert not is_exported_by("torch_from_blob", "2.10.0", "linux-x86_64")
    assert is_exported_by("torch_from_blob", "2.11.0", "linux-x86_64")


def test_what_no_table_has_is_unknown() -> None:
    assert exported_in("no_such_symbol", "linux-x86_64") == ""
    assert not is_exported_by("no_such_symbol", "2.11.0", "linux-x86_64")
    assert not is_exported_by("torch_from_blob", "2.11.0", "plan9-x86_64")
