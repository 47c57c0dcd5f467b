"""Which release of torch has a symbol: the sentence and the answer for one release agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from torchlock.knowledge.exported import exported_in, forms_of, is_exported_by

EXPORTS = Path(__file__).parents[1] / "compat_data" / "proofs" / "exports"


def test_a_release_has_what_the_sentence_says() -> None:
    assert exported_in("torch_from_blob", "linux-x86_64") == "from 2.11.0 on"
    assert not is_exported_by("torch_from_blob", "2.10.0", "linux-x86_64")
    assert is_exported_by("torch_from_blob", "2.11.0", "linux-x86_64")


def test_what_no_table_has_is_unknown() -> None:
    assert exported_in("no_such_symbol", "linux-x86_64") == ""
    assert not is_exported_by("no_such_symbol", "2.11.0", "linux-x86_64")
    assert not is_exported_by("torch_from_blob", "2.11.0", "plan9-x86_64")


def test_a_release_whose_wheels_differ_is_one_release() -> None:
    """The tables of macOS have two rows of torch 2.2.0, which their spans tell by the Python."""
    assert exported_in("_torch_from_blob", "macos-arm64") == "from 2.11.0 on"
    assert exported_in("_aoti_torch__alloc_from_pool", "macos-arm64") == "from 2.2.0 on"
    assert is_exported_by("_aoti_torch__alloc_from_pool", "2.2.0", "macos-arm64")
    assert not is_exported_by("_aoti_torch__alloc_from_pool", "2.1.2", "macos-arm64")


@pytest.mark.parametrize("path", sorted(EXPORTS.glob("torch-*.json")), ids=lambda path: path.stem)
def test_each_span_of_each_table_is_read(path: Path) -> None:
    platform = path.stem.removeprefix("torch-")
    for symbol in json.loads(path.read_text())["exports"]:
        exported_in(symbol, platform)
    assert forms_of("4none7nowhereE", platform) == []
