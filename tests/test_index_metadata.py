"""The cheapest way to a file's metadata, and the next one where that fails."""

from __future__ import annotations

import io
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import (
    Reply,
    Request,
    Server,
    file_at,
    index,
    metadata_text,
    ranges,
    sdist,
    sha256,
    wheel,
)
from torchlock.errors import MetadataError, NeedsBuild, NetworkError
from torchlock.index import metadata
from torchlock.standards.core_metadata import parse_metadata
from torchlock.standards.dependency import Dependency
from torchlock.standards.index_file import File

NAME = "demo-1.0-py3-none-any.whl"
PATH = f"/files/{NAME}"
TEXT = metadata_text("Requires-Dist: numpy>=1.21", "Provides-Extra: gpu")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def large() -> bytes:
    """A wheel much larger than what one request fetches."""
    return wheel(TEXT, padding=1 << 20)


def sent(server: Server) -> list[tuple[str, str]]:
    return [(request.path, request.headers.get("Range", "")) for request in server.requests]


def test_the_metadata_file_is_enough(tmp_path, server):
    server.routes[f"{PATH}.metadata"] = Reply(TEXT.encode())
    file = file_at(server, NAME, metadata_hashes={"sha256": sha256(TEXT.encode())})
    assert index(tmp_path, server).metadata(file) == TEXT
    assert sent(server) == [(f"{PATH}.metadata", "")]


def test_it_is_not_asked_for_where_it_is_not_offered(tmp_path, server, large):
    server.routes[PATH] = ranges(large)
    server.routes[f"{PATH}.metadata"] = Reply(b"never")
    assert index(tmp_path, server).metadata(file_at(server, NAME, size=len(large))) == TEXT
    assert server.asked(f"{PATH}.metadata") == 0


def test_a_query_stays_behind_the_metadata_name(tmp_path, server):
    server.routes[f"{PATH}.metadata?sig=1"] = Reply(TEXT.encode())
    file = file_at(server, NAME, metadata_hashes={})._replace(url=f"{server.url}files/{NAME}?sig=1")
    assert index(tmp_path, server).metadata(file) == TEXT


def test_a_wrong_hash_stops_the_work(tmp_path, server):
    server.routes[f"{PATH}.metadata"] = Reply(b"Requires-Dist: evil\n")
    file = file_at(server, NAME, metadata_hashes={"sha256": sha256(TEXT.encode())}, hashes={"sha256": "a" * 64})
    with pytest.raises(NetworkError, match=r"metadata is not what the index describes: its sha256 differs"):
        index(tmp_path, server).metadata(file)
    with pytest.raises(NetworkError):  # and nothing of it is kept
        index(tmp_path, server, offline=True).metadata(file)


@pytest.mark.parametrize("sized", [True, False])
def test_parts_of_a_large_wheel_are_enough(tmp_path, server, large, sized):
    server.routes[PATH] = ranges(large)
    assert index(tmp_path, server).metadata(file_at(server, NAME, size=len(large) if sized else None)) == TEXT
    assert sum(len(Reply(*ranges(large)(request)).body) for request in server.requests) < len(large) // 2
    assert all(request.headers["Accept-Encoding"] == "identity" for request in server.requests)


def test_a_metadata_file_that_is_offered_and_not_there(tmp_path, server, large):
    server.routes[PATH] = ranges(large)
    assert index(tmp_path, server).metadata(file_at(server, NAME, metadata_hashes={})) == TEXT
    assert server.requests[0].path == f"{PATH}.metadata"


def test_metadata_at_the_front_of_a_large_wheel_is_found(tmp_path, server):
    stream = io.BytesIO(wheel(TEXT))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("demo/more.bin", bytes(range(256)) * 4096)
    content = stream.getvalue()
    server.routes[PATH] = ranges(content)
    assert index(tmp_path, server).metadata(file_at(server, NAME, size=len(content))) == TEXT
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 405, 416, 501])
def test_a_server_that_refuses_parts_is_asked_for_the_whole_and_remembered(tmp_path, server, status):
    content = wheel(TEXT)

    def route(request: Request) -> Reply:
        return Reply(status=status) if "Range" in request.headers else Reply(content)

    second = "demo-2.0-py3-none-any.whl"
    server.routes[PATH] = server.routes[f"/files/{second}"] = route
    asked = index(tmp_path, server)
    assert asked.metadata(file_at(server, NAME, hashes={"sha256": sha256(content)})) == TEXT
    assert asked.metadata(file_at(server, second)) == TEXT
    assert [bool(wanted) for _, wanted in sent(server)] == [True, False, False]


def test_a_server_that_sends_everything_is_taken_at_its_word(tmp_path, server):
    content = wheel(TEXT)
    server.routes[PATH] = Reply(content)
    assert index(tmp_path, server).metadata(file_at(server, NAME, size=len(content))) == TEXT
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({}, id="none"),
        pytest.param({"Content-Range": "bytes 0-9/*"}, id="no-size"),
        pytest.param({"Content-Range": "bytes 0-9/10"}, id="other-length"),
    ],
)
def test_parts_that_are_not_what_was_asked_for_are_not_used(tmp_path, server, where):
    content = wheel(TEXT)

    def route(request: Request) -> Reply:
        return Reply(content[:99], 206, headers=where) if "Range" in request.headers else Reply(content)

    server.routes[PATH] = route
    assert index(tmp_path, server).metadata(file_at(server, NAME)) == TEXT


def test_a_large_wheel_is_never_fetched_whole(tmp_path, server, large, monkeypatch):
    monkeypatch.setattr(metadata, "WHOLE_LIMIT", 1 << 19)
    server.routes[PATH] = Reply(large)
    with pytest.raises(NetworkError, match=r"cannot be read without fetching 1 MB: 127[.]0"):
        index(tmp_path, server).metadata(file_at(server, NAME, size=len(large)))
    with pytest.raises(NetworkError, match="cannot be read without fetching 1 MB"):
        index(tmp_path, server).metadata(file_at(server, NAME))


def test_a_whole_wheel_with_another_hash_is_refused(tmp_path, server):
    server.routes[PATH] = Reply(wheel(TEXT))
    with pytest.raises(NetworkError, match="sha256 differs"):
        index(tmp_path, server).metadata(file_at(server, NAME, hashes={"sha256": "0" * 64}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"no zip at all", "is not a readable wheel", id="no-zip"),
        pytest.param(wheel(TEXT, name="other"), "contains no METADATA", id="foreign-wheel"),
        pytest.param(wheel(TEXT)[:-40], "is not a readable wheel", id="cut-off"),
    ],
)
def test_a_wheel_that_is_none(tmp_path, server, content, words):
    server.routes[PATH] = ranges(content)
    with pytest.raises(MetadataError, match=words) as caught:
        index(tmp_path, server).metadata(file_at(server, NAME))
    assert server.url in str(caught.value)


def test_a_file_that_is_gone(tmp_path, server):
    with pytest.raises(NetworkError, match="status 404"):
        index(tmp_path, server).metadata(file_at(server, NAME))


def test_what_was_read_once_is_known_offline(tmp_path, monkeypatch):
    with Server() as server:
        server.routes[f"{PATH}.metadata"] = Reply(TEXT.encode())
        file = file_at(server, NAME, metadata_hashes={}, hashes={"sha256": "a" * 64})
        index(tmp_path, server).metadata(file)
    monkeypatch.setattr(socket, "socket", None)
    assert index(tmp_path, server, offline=True).metadata(file) == TEXT


def test_one_server_does_not_speak_for_the_files_of_another(tmp_path, server):
    server.routes[f"{PATH}.metadata"] = Reply(b"Requires-Dist: evil\n")
    file = file_at(server, NAME, metadata_hashes={}, hashes={"sha256": "a" * 64})
    index(tmp_path, server).metadata(file)
    with Server("localhost") as honest:
        honest.routes[f"{PATH}.metadata"] = Reply(TEXT.encode())
        same = file._replace(url=f"{honest.url}files/{NAME}")
        assert index(tmp_path, honest).metadata(same) == TEXT


def test_a_wheel_on_this_machine(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(wheel(TEXT))
    asked = index(tmp_path / "cache", "https://example.org/", offline=True)
    assert asked.metadata(File(NAME, path.as_uri(), {})) == TEXT
    with pytest.raises(NetworkError, match="cannot be read"):
        asked.metadata(File(NAME, (tmp_path / "gone.whl").as_uri(), {}))


STATIC = metadata_text("Requires-Dist: numpy", version="2.2")


def test_an_sdist_that_binds_itself(tmp_path, server):
    server.routes["/files/demo-1.0.tar.gz"] = Reply(sdist(STATIC))
    text = index(tmp_path, server).metadata(file_at(server, "demo-1.0.tar.gz"))
    assert parse_metadata(text).dependencies == [Dependency("numpy")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(metadata_text("Requires-Dist: numpy", version="2.1"), id="too-old"),
        pytest.param(metadata_text("Dynamic: Version", "Dynamic: Requires-Dist", version="2.2"), id="dynamic"),
        pytest.param(metadata_text("Dynamic: provides-extra", version="2.4"), id="dynamic-extras"),
        pytest.param("", id="empty"),
    ],
)
def test_an_sdist_that_would_have_to_be_built(tmp_path, server, text):
    server.routes["/files/demo-1.0.tar.gz"] = Reply(sdist(text))
    with pytest.raises(NeedsBuild, match=r"demo-1\.0\.tar\.gz must be built"):
        index(tmp_path, server).metadata(file_at(server, "demo-1.0.tar.gz"))


@pytest.mark.parametrize("content", [b"no archive", sdist(STATIC)[:60]], ids=["no-archive", "cut-off"])
def test_an_sdist_that_is_none(tmp_path, server, content):
    server.routes["/files/demo-1.0.tar.gz"] = Reply(content)
    with pytest.raises(MetadataError, match="is not a readable source archive"):
        index(tmp_path, server).metadata(file_at(server, "demo-1.0.tar.gz"))
