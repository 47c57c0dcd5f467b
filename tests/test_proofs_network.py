"""Wheels on the index show what the stored evidence says of them. (A wheel never changes.)"""

from __future__ import annotations

import pytest

from torchlock.index.client import Index
from torchlock.index.configuration import read_settings
from torchlock.knowledge import tables
from torchlock.proving.reading import read_companion, read_torch
from torchlock.proving.tables import read_store

pytestmark = pytest.mark.network

_BUDGET = 64 << 20


@pytest.fixture(scope="module")
def index() -> Index:
    return Index(read_settings())


@pytest.mark.parametrize(("package", "version"), [("torchaudio", "2.11.1"), ("torchvision", "0.18.0")])
@pytest.mark.parametrize("platform", ["windows-amd64", "macos-arm64", "linux-aarch64"])
def test_a_companion(index: Index, package: str, version: str, platform: str) -> None:
    rows = read_store(tables.ROOT / "proofs").companions[package, platform]
    stored = next(each for each in rows if each.wheel.version == version)
    file = next(each for each in index.files(package) if each.hashes.get("sha256") == stored.wheel.sha256)
    with index.open(file, _BUDGET) as content:
        found = read_companion(content, stored.wheel)
    assert [each[1:] for each in found.libraries] == [each[1:] for each in stored.libraries]
    assert (found.compares, found.floors) == (stored.compares, stored.floors)


@pytest.mark.parametrize(("version", "platform"), [("2.15.0", "windows-amd64"), ("2.3.1", "linux-aarch64")])
def test_torch(index: Index, version: str, platform: str) -> None:
    store = read_store(tables.ROOT / "proofs")
    stored = next(each for each in store.torches[platform] if each.wheel.version == version)
    file = next(each for each in index.files("torch") if each.hashes.get("sha256") == stored.wheel.sha256)
    with index.open(file, _BUDGET) as content:
        found = read_torch(content, stored.wheel)
        assert getattr(content, "fetched", 0) < 16 << 20
    assert found.exports & store.asked[platform] == stored.exports
    assert found.libraries == stored.libraries
