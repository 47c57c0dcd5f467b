"""Which source answers for a project: the extra indexes, the catalogue, the index of the user's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index_server import Server, entry, page
from torchlock.errors import UnknownPackage
from torchlock.sources import Sources

IN_CATALOGUE = "3.13.1"


@pytest.fixture
def index() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def extra() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def settings(index: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.chdir(tmp_path)


def serve(server: Server, name: str, *versions: str) -> None:
    files = (entry(f"{name}-{version}-py3-none-any.whl", requires_python=">=3.8") for version in versions)
    server.routes[f"/{name}/"] = page(*files)


def versions(tmp_path: Path, name: str, **words: Any) -> list[str]:
    sources = Sources(cache_dir=str(tmp_path / "cache"), **words)
    return [release.version for release in sources.releases(name)]


def test_a_pin_that_the_catalogue_has_asks_nobody(tmp_path: Path, index: Server) -> None:
    assert IN_CATALOGUE in versions(tmp_path, "filelock")
    assert IN_CATALOGUE in versions(tmp_path, "filelock", pinned={"filelock": IN_CATALOGUE})
    assert index.requests == []


def test_a_pin_of_a_build_asks_nobody(tmp_path: Path, index: Server) -> None:
    """The public index has no labelled builds."""
    assert versions(tmp_path, "torch", pinned={"torch": "2.8.0+cpu"})
    assert index.requests == []


def test_a_pin_that_is_later_than_the_catalogue_asks_the_index(tmp_path: Path, index: Server) -> None:
    serve(index, "filelock", "3.0", "999.0")
    assert versions(tmp_path, "filelock", pinned={"filelock": "999"}) == ["3.0", "999.0"]


@pytest.mark.parametrize("offline", [False, True])
def test_an_index_that_does_not_answer_leaves_the_catalogue(tmp_path: Path, index: Server, offline: bool) -> None:
    found = versions(tmp_path, "filelock", pinned={"filelock": "999"}, offline=offline)
    assert IN_CATALOGUE in found
    assert (index.requests == []) is offline


def test_an_extra_index_comes_first(tmp_path: Path, extra: Server) -> None:
    serve(extra, "filelock", "3.0", "3.1")
    assert versions(tmp_path, "filelock", extra_index_urls=[extra.url]) == ["3.0", "3.1"]
    words: dict[str, Any] = {"extra_index_urls": [extra.url], "pinned": {"filelock": "3.0"}}
    assert versions(tmp_path, "filelock", **words) == ["3.0", "3.1"]


def test_an_extra_index_without_the_pin_leaves_the_catalogue(tmp_path: Path, extra: Server) -> None:
    """The page of a build of torch has some versions of what torch needs."""
    serve(extra, "filelock", "3.0", "3.1")
    words: dict[str, Any] = {"extra_index_urls": [extra.url], "pinned": {"filelock": IN_CATALOGUE}}
    assert IN_CATALOGUE in versions(tmp_path, "filelock", **words)


def test_a_private_name_is_asked_of_nobody_else(tmp_path: Path, index: Server, extra: Server) -> None:
    serve(extra, "demo", "1.0")
    serve(index, "demo", "6.6.6")
    words: dict[str, Any] = {"extra_index_urls": [extra.url], "pinned": {"demo": "6.6.6"}}
    assert versions(tmp_path, "demo", **words) == ["1.0"]
    assert index.requests == []


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(UnknownPackage):
        versions(tmp_path, "demo", pinned={"demo": "1.0"})
