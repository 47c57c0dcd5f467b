"""Which index answers for a package, and what happens when one answers nonsense."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import JSON, Reply, Server, entry, html, index, page
from torchlock.errors import NetworkError, UnknownPackage
from torchlock.index.client import Index
from torchlock.index.configuration import read_settings
from torchlock.index.settings import IndexSettings


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, no netrc, no waiting."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    with Server() as server:
        yield server


def filenames(asked: Index, name: str = "demo") -> list[str]:
    return [file.filename for file in asked.files(name)]


def test_nothing_is_asked_before_the_first_question(tmp_path, server):
    index(tmp_path, server)
    assert server.requests == []


def test_a_package_without_files_is_no_unknown_package(tmp_path, server):
    server.routes["/demo/"] = page()
    assert index(tmp_path, server).files("demo") == []


@pytest.mark.parametrize("name", ["../demo", "demo/..", "", "a b", "-demo"])
def test_what_is_no_name_is_never_asked_for(tmp_path, server, name):
    with pytest.raises(UnknownPackage):
        index(tmp_path, server).files(name)
    assert server.requests == []


def test_both_forms_are_understood_and_json_is_preferred(tmp_path, server):
    server.routes["/demo/"] = page(entry("demo-1.0.tar.gz"))
    server.routes["/other/"] = html('<a href="other-1.0.tar.gz">other-1.0.tar.gz</a>')
    asked = index(tmp_path, server)
    assert asked.files("demo")[0].url == f"{server.url}demo/demo-1.0.tar.gz"
    assert asked.files("other")[0].url == f"{server.url}other/other-1.0.tar.gz"
    accepted = server.requests[0].headers["Accept"]
    assert accepted.startswith("application/vnd.pypi.simple.v1+json,")
    assert "text/html;q=0.01" in accepted


def test_names_are_normalised_and_asked_once(tmp_path, server):
    server.routes["/my-demo/"] = page(entry("my_demo-1.0.tar.gz"))
    asked = index(tmp_path, server)
    assert filenames(asked, "My_Demo") == filenames(asked, "my.demo") == ["my_demo-1.0.tar.gz"]
    assert server.asked("/my-demo/") == 1


def test_relative_addresses_start_where_redirects_end(tmp_path, server):
    server.routes["/demo/"] = Reply(status=301, headers={"Location": "/moved/here/"})
    server.routes["/moved/here/"] = page(entry("demo-1.0.tar.gz", "../demo-1.0.tar.gz"))
    assert index(tmp_path, server).files("demo")[0].url == f"{server.url}moved/demo-1.0.tar.gz"


def test_the_first_index_that_has_it_is_the_only_one(tmp_path, server, other):
    server.routes["/demo/"] = page(entry("demo-1.0.tar.gz"))
    other.routes["/demo/"] = page(entry("demo-9.9.tar.gz"))
    assert filenames(index(tmp_path, server, other)) == ["demo-1.0.tar.gz"]
    assert other.requests == []


def test_the_next_index_is_asked_for_what_the_first_lacks(tmp_path, server, other):
    other.routes["/demo/"] = page(entry("demo-9.9.tar.gz"))
    asked = index(tmp_path, server, other)
    assert filenames(asked) == ["demo-9.9.tar.gz"]
    assert asked.listings("demo")[0].source == other.url


def test_the_next_index_does_not_stand_in_for_a_broken_one(tmp_path, server, other):
    server.routes["/demo/"] = Reply(status=500)
    other.routes["/demo/"] = page(entry("demo-9.9.tar.gz"))
    with pytest.raises(NetworkError, match="500"):
        index(tmp_path, server, other).files("demo")
    assert other.requests == []


def test_a_package_that_no_index_has(tmp_path, server, other):
    with pytest.raises(UnknownPackage, match="have no project demo") as caught:
        index(tmp_path, server, other).files("demo")
    assert server.url in str(caught.value)
    assert other.url in str(caught.value)
    assert caught.value.name == "demo"


def test_progress_is_told(tmp_path, server):
    server.routes["/demo/"] = page()
    told: list[str] = []
    index(tmp_path, server, report=told.append).files("demo")
    index(tmp_path, server, report=told.append).files("demo")  # from the cache: no wait, no word
    assert told == [f"asking {server.authority} for demo"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        pytest.param(Reply(b'{"files": [', content_type=JSON), "damaged JSON", id="cut-off-json"),
        pytest.param(Reply(b"<form><input></form>", content_type="text/html"), "login", id="login"),
        pytest.param(Reply(b"x", content_type="image/png"), "image/png", id="picture"),
        pytest.param(Reply(b"oops", 500), "status 500", id="error"),
        pytest.param(Reply(b"", 418), "status 418", id="odd-status"),
        pytest.param(Reply(b'{"files": []}', content_type=JSON, missing=10), "broke off", id="broken-off"),
        pytest.param(
            Reply(b"no gzip", content_type=JSON, headers={"Content-Encoding": "gzip"}), "decompress", id="no-gzip"
        ),
        pytest.param(Reply(status=302, headers={"Location": "/demo/"}), "redirects endlessly", id="loop"),
    ],
)
def test_nonsense_is_named_with_its_address_and_not_kept(tmp_path, server, reply, words):
    server.routes["/demo/"] = reply
    secret = server.url.replace("://", "://me:secret@")
    with pytest.raises(NetworkError, match=words) as caught:
        index(tmp_path, secret).files("demo")
    assert f"{server.url}demo/" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    assert list(tmp_path.rglob("pages-*/*/*")) == []


def test_a_bucket_that_may_not_be_listed_counts_as_not_having_it(tmp_path, server, other):
    server.routes["/demo/"] = Reply(b"<Error><Code>AccessDenied</Code></Error>", 403, "application/xml")
    other.routes["/demo/"] = page(entry("demo-1.0.tar.gz"))
    asked = index(tmp_path, server, other)
    assert filenames(asked) == ["demo-1.0.tar.gz"]
    assert "treated as missing" in asked.notes[0]


# Folders and pages on this machine.


def folder_index(root: Path) -> Path:
    (root / "simple/demo").mkdir(parents=True)
    (root / "files").mkdir()
    page = '<a href="../../files/demo-1.0%2Bcpu-py3-none-any.whl#sha256=' + "a" * 64 + '">demo</a>'
    (root / "simple/demo/index.html").write_text(page, encoding="utf-8")
    return root / "simple"


@pytest.mark.parametrize("as_url", [True, False])
def test_an_index_may_be_a_folder(tmp_path, as_url):
    simple = folder_index(tmp_path)
    [file] = index(tmp_path / "cache", simple.as_uri() if as_url else str(simple)).files("demo")
    assert file.url == (tmp_path / "files").as_uri() + "/demo-1.0%2Bcpu-py3-none-any.whl"
    assert (file.filename, file.hashes) == ("demo-1.0+cpu-py3-none-any.whl", {"sha256": "a" * 64})


def test_an_index_may_be_folders_of_bare_files(tmp_path):
    (tmp_path / "simple/demo").mkdir(parents=True)
    (tmp_path / "simple/demo/demo-1.0.tar.gz").write_bytes(b"1234")
    [file] = index(tmp_path / "cache", str(tmp_path / "simple")).files("demo")
    assert (file.filename, file.size) == ("demo-1.0.tar.gz", 4)


def test_a_folder_that_does_not_exist_is_noted_once(tmp_path, server):
    server.routes["/demo/"] = server.routes["/other/"] = page()
    asked = index(tmp_path / "cache", (tmp_path / "gone").as_uri(), server)
    assert asked.files("demo") == asked.files("other") == []
    assert asked.notes == [f"the index {(tmp_path / 'gone').as_uri()} does not exist; continuing without it"]


def test_find_links_add_files(tmp_path, server):
    links = tmp_path / "wheels"
    links.mkdir()
    for name in ("demo-2.0-py3-none-any.whl", "demo-1.0.tar.gz", "other-1.0.tar.gz", "notes.txt"):
        (links / name).touch()
    server.routes["/demo/"] = page(entry("demo-1.0.tar.gz"))
    server.routes["/links.html"] = html('<a href="demo-3.0.tar.gz">x</a><a href="demo_more-1.tar.gz">x</a>')
    asked = index(tmp_path / "cache", server, find_links=[str(links), f"{server.url}links.html"])
    assert filenames(asked) == ["demo-1.0.tar.gz", "demo-2.0-py3-none-any.whl", "demo-3.0.tar.gz"]
    assert asked.files("demo")[0].url.startswith(server.url)  # of two the index's
    assert [listing.source for listing in asked.listings("demo")] == [
        server.url,
        str(links),
        f"{server.url}links.html",
    ]
    assert filenames(asked, "other") == ["other-1.0.tar.gz"]
    assert server.asked("/links.html") == 1


def test_without_any_index_find_links_remain(tmp_path):
    (tmp_path / "demo-1.0.tar.gz").touch()
    asked = Index(IndexSettings(no_index=True, find_links=(str(tmp_path),)), cache_dir=tmp_path / "cache")
    assert filenames(asked) == ["demo-1.0.tar.gz"]
    with pytest.raises(UnknownPackage, match="has no project other"):
        asked.files("other")
    with pytest.raises(UnknownPackage, match="--no-index forbids asking an index"):
        Index(IndexSettings(no_index=True), cache_dir=tmp_path / "cache").files("other")


# Offline.


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_sockets")
def test_offline_knows_folders_and_nothing_else(tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links/demo-1.0.tar.gz").touch()
    simple = folder_index(tmp_path)
    asked = index(
        tmp_path / "cache",
        "https://example.org/simple/",
        str(simple),
        offline=True,
        find_links=[f"{tmp_path}/links"],
    )
    assert filenames(asked) == ["demo-1.0+cpu-py3-none-any.whl", "demo-1.0.tar.gz"]
    with pytest.raises(UnknownPackage, match=r"not in the cache.*example\.org") as caught:
        asked.files("other")
    assert "--offline" in str(caught.value.hint)


@pytest.mark.usefixtures("no_sockets")
def test_offline_with_the_default_index_opens_no_socket(tmp_path):
    with pytest.raises(UnknownPackage, match="--offline"):
        Index(IndexSettings(), offline=True, cache_dir=tmp_path).files("demo")


def test_offline_uses_what_was_seen_however_old(tmp_path, monkeypatch):
    with Server() as server:
        server.routes["/demo/"] = page(entry("demo-1.0.tar.gz"), headers={"Cache-Control": "max-age=0"})
        index(tmp_path, server).files("demo")
    monkeypatch.setattr(socket, "socket", None)
    asked = index(tmp_path, server, offline=True, refresh=True)
    assert filenames(asked) == ["demo-1.0.tar.gz"]
    with pytest.raises(NetworkError, match="--offline forbids"):
        asked.metadata(asked.files("demo")[0])


@pytest.mark.network
def test_the_public_index(tmp_path):
    asked = Index(read_settings(), cache_dir=tmp_path)
    file = next(file for file in asked.files("six") if file.filename == "six-1.16.0-py2.py3-none-any.whl")
    assert file.hashes["sha256"]
    assert "Name: six" in asked.metadata(file)


def test_a_page_on_this_machine_that_has_no_end_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchlock.index.local._LIMIT", 99)
    links = tmp_path / "links.html"
    links.write_text("<a href='demo-1.0.tar.gz'>x</a>" * 9)
    asked = Index(IndexSettings(no_index=True, find_links=(str(links),)), cache_dir=tmp_path / "cache")
    with pytest.raises(NetworkError, match="has more than"):
        asked.files("demo")
