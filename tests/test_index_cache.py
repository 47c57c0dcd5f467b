"""What is remembered between runs, and that no damage to it does harm."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import Reply, Request, Server, entry, html, index, page
from torchlock.errors import UnknownPackage
from torchlock.index.cache import Cache, default_folder
from torchlock.runtime import temporary


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_700_000_000.0]
    monkeypatch.setattr("torchlock.index.remote.time.time", lambda: now[0])
    return now


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def etagged(request: Request) -> Reply:
    if request.headers.get("If-None-Match") == '"v1"':
        return Reply(status=304, headers={"ETag": '"v1"'})
    return page(entry("demo-1.0.tar.gz"), headers={"ETag": '"v1"'})


def test_a_fresh_page_is_not_asked_for_again(tmp_path, server, clock):
    server.routes["/demo/"] = etagged
    first = index(tmp_path, server).files("demo")
    clock[0] += 599
    assert index(tmp_path, server).files("demo") == first
    assert server.asked("/demo/") == 1


def test_a_stale_page_is_asked_about_and_fresh_again(tmp_path, server, clock):
    server.routes["/demo/"] = etagged
    first = index(tmp_path, server).files("demo")
    clock[0] += 601
    assert index(tmp_path, server).files("demo") == first
    assert server.requests[-1].headers["If-None-Match"] == '"v1"'
    clock[0] += 599
    assert index(tmp_path, server).files("demo") == first
    assert server.asked("/demo/") == 2


def test_refresh_asks_about_a_fresh_page(tmp_path, server):
    server.routes["/demo/"] = etagged
    first = index(tmp_path, server).files("demo")
    assert index(tmp_path, server, refresh=True).files("demo") == first
    assert server.requests[-1].headers["If-None-Match"] == '"v1"'


def test_what_has_changed_is_seen(tmp_path, server):
    dated = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    server.routes["/demo/"] = [page(entry("demo-1.0.tar.gz"), headers=dated), page(entry("demo-2.0.tar.gz"))]
    index(tmp_path, server).files("demo")
    [file] = index(tmp_path, server, refresh=True).files("demo")
    assert file.filename == "demo-2.0.tar.gz"
    assert server.requests[-1].headers["If-Modified-Since"] == dated["Last-Modified"]


@pytest.mark.parametrize(
    ("control", "later", "asked"),
    [
        ("max-age=60, public", 59, 1),
        ("max-age=60, public", 61, 2),
        ("no-cache", 1, 2),
        ("no-store", 1, 2),
        ("max-age=soon", 1, 1),
        ("max-age=600", -1000, 2),
    ],
)
def test_the_index_says_how_long_a_page_is_fresh(tmp_path, server, clock, control, later, asked):
    server.routes["/demo/"] = page(headers={"Cache-Control": control})
    index(tmp_path, server).files("demo")
    clock[0] += later
    index(tmp_path, server).files("demo")
    assert server.asked("/demo/") == asked


def test_html_keeps_its_form_and_its_place_in_the_cache(tmp_path, server):
    server.routes["/demo/"] = Reply(status=302, headers={"Location": "/far/away/"})
    server.routes["/far/away/"] = html('<a href="demo-1.0.tar.gz">x</a>')
    first = index(tmp_path, server).files("demo")
    assert index(tmp_path, server, offline=True).files("demo") == first
    assert first[0].url == f"{server.url}far/away/demo-1.0.tar.gz"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"\x00\xff" * 9, id="bytes"),
        pytest.param(lambda content: content[:-5], id="cut-off"),
        pytest.param(lambda content: b"null\n" + content, id="no-head"),
        pytest.param(lambda content: content.replace(b'"etag"', b'"other"'), id="other-head"),
        pytest.param(lambda content: content.replace(b"demo-1.0", b"evil-1.0"), id="changed-body"),
    ],
)
def test_a_damaged_entry_counts_as_absent(tmp_path, server, damage):
    server.routes["/demo/"] = etagged
    first = index(tmp_path, server).files("demo")
    for path in entries(tmp_path):
        path.write_bytes(damage(path.read_bytes()))
    assert index(tmp_path, server).files("demo") == first
    assert "If-None-Match" not in server.requests[-1].headers
    assert index(tmp_path, server, offline=True).files("demo") == first  # repaired


def test_a_cache_that_cannot_be_written_is_noted_once(tmp_path, server):
    server.routes["/demo/"] = server.routes["/other/"] = page()
    (tmp_path / "cache").write_text("a file where the folder should be")
    asked = index(tmp_path / "cache", server)
    asked.files("demo")
    asked.files("other")
    assert len(asked.notes) == 1
    assert "cannot be written" in asked.notes[0]


def test_a_full_disk_leaves_nothing_half_written(tmp_path, server, monkeypatch):
    server.routes["/demo/"] = page()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    asked = index(tmp_path, server)
    asked.files("demo")
    assert "No space left" in asked.notes[0]
    assert entries(tmp_path) == []


def test_credentials_are_not_written_down(tmp_path, server):
    server.routes["/demo/"] = page(entry("demo-1.0.tar.gz"))
    index(tmp_path, server.url.replace("://", "://me:secret@")).files("demo")
    [path] = entries(tmp_path)
    assert "secret" not in str(path)
    assert b"secret" not in path.read_bytes()


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("secret", ["me:secret@", "", "secret@"])
def test_no_part_of_an_address_that_may_be_secret_is_stored(tmp_path, server, missing, secret):
    if not missing:
        server.routes["/demo/"] = Reply(status=302, headers={"Location": "/there/?token=secret"})
        server.routes["/there/?token=secret"] = page(entry("demo-1.0.tar.gz", "demo-1.0.tar.gz"))
    with contextlib.suppress(UnknownPackage):
        index(tmp_path, server.url.replace("://", f"://{secret}")).files("demo")
    [path] = entries(tmp_path)
    assert b"secret" not in path.read_bytes()
    if not missing:
        offline = index(tmp_path, server.url.replace("://", f"://{secret}"), offline=True)
        assert [file.url for file in offline.files("demo")] == [f"{server.url}there/demo-1.0.tar.gz"]


def test_other_credentials_see_no_page_of_ours(tmp_path, server):
    server.routes["/demo/"] = page()
    index(tmp_path, server.url.replace("://", "://me:secret@")).files("demo")
    index(tmp_path, server).files("demo")
    assert server.asked("/demo/") == 2


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_entries_are_the_owners_alone(tmp_path, server):
    server.routes["/demo/"] = page()
    index(tmp_path / "cache", server).files("demo")
    [path] = entries(tmp_path)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {"TORCHLOCK_CACHE_DIR": "/c", "XDG_CACHE_HOME": "/x"}, "/c"),
        ("linux", {"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/torchlock"),
        ("linux", {"HOME": "/h"}, "/h/.cache/torchlock"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/torchlock"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/torchlock/cache"),
    ],
)
def test_where_the_cache_is(monkeypatch, platform, environ, folder):
    monkeypatch.setattr(sys, "platform", platform)
    assert default_folder(environ) == Path(folder)


def test_two_writers_leave_a_whole_entry(tmp_path):
    caches = [Cache(tmp_path, lambda sentence: None) for _ in range(2)]
    for number in range(20):
        caches[number % 2].keep_metadata("ab" * 32, f"text {number}")
        assert caches[1 - number % 2].metadata("ab" * 32) == f"text {number}"
    assert len(entries(tmp_path)) == 1


@pytest.mark.skipif(os.name != "posix", reason="locks tell whether a process lives")
def test_what_a_killed_process_left_goes_with_the_next_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary, "_swept", set())
    cache = Cache(tmp_path, lambda sentence: None)
    cache.keep_metadata("ab" * 32, "text")
    [entry] = entries(tmp_path)
    stray = entry.parent / f".torchlock-{temporary._machine()}-0123456789ab.tmp"
    stray.write_text("half")
    monkeypatch.setattr(temporary, "_swept", set())
    cache.keep_metadata("ab" * 32, "other text")
    assert entries(tmp_path) == [entry]
