"""A pin of an existing lock that is newer than the catalogue: it is kept, or nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import Reply, Server, entry, page, sha256
from torchlock.cli.main import main

TARGET = ("--python", "3.12", "--platform", "linux-x86_64", "--cache-dir", "cache")
OLD = "filelock==999.1 \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def index() -> Iterator[Server]:
    with Server() as server:
        filename = "filelock-999.1-py3-none-any.whl"
        text = b"Metadata-Version: 2.1\nName: filelock\nVersion: 999.1\n"
        listed = entry(filename, core_metadata={"sha256": sha256(text)}, hashes={"sha256": "0" * 64})
        server.routes["/filelock/"] = page(listed)
        server.routes[f"/filelock/{filename}.metadata"] = Reply(text)
        yield server


@pytest.fixture(autouse=True)
def project(index: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.chdir(tmp_path)
    Path("requirements.txt").write_text(OLD)


def lock(*words: str) -> int:
    return main(["lock", "filelock", *TARGET, "-o", "requirements.txt", *words])


def test_a_pin_whose_metadata_are_in_the_cache_is_kept_offline(index: Server) -> None:
    assert lock() == 0
    asked = len(index.requests)
    assert lock("--offline") == 0
    assert lock("--offline", "--check") == 0
    assert "filelock==999.1" in Path("requirements.txt").read_text()
    assert len(index.requests) == asked


@pytest.mark.parametrize("how", [(), ("--dry-run",), ("--diff",), ("--python", "3.11")])
def test_a_pin_that_nothing_knows_leaves_the_lock_as_it_is(
    how: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock("--offline", *how) == 2
    output = capsys.readouterr()
    assert "the data do not have filelock 999.1, and no index was asked" in output.err
    assert output.out == ""
    assert Path("requirements.txt").read_text() == OLD


def test_an_index_that_is_down_leaves_the_lock_as_it_is(index: Server) -> None:
    index.routes["/filelock/"] = Reply(b"", 500)
    assert lock() == 2
    assert Path("requirements.txt").read_text() == OLD


@pytest.mark.parametrize("how", [("--upgrade",), ("-P", "filelock")])
def test_what_may_move_moves(how: tuple[str, ...]) -> None:
    assert lock("--offline", *how) == 0
    assert "filelock==999.1" not in Path("requirements.txt").read_text()


def test_a_pin_that_the_input_excludes_moves() -> None:
    assert main(["lock", "filelock<999", *TARGET, "-o", "requirements.txt", "--offline"]) == 0
    assert "filelock==999.1" not in Path("requirements.txt").read_text()


def test_an_older_page_of_the_cache_replaces_no_newer_catalogue(index: Server) -> None:
    """The page has one release, which is older than those of the catalogue."""
    index.routes["/filelock/"] = page(entry("filelock-3.0-py3-none-any.whl", hashes={"sha256": "0" * 64}))
    assert lock("--refresh", "--upgrade") == 1  # its metadata are nowhere, but the page is in the cache now
    assert lock("--offline") == 2
    assert Path("requirements.txt").read_text() == OLD
