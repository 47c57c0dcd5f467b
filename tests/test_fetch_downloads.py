"""Downloads of ``torchlock fetch``: verified, resumed, several at a time, and what ends them."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.fetched import ALPHA, NAMES, lock, tagged, wheels
from support.fetched import alone as alone
from support.fetched import server as server
from support.index_server import Reply, Request, Server, entry, page, ranges, sha256
from support.small_wheels import small_wheel
from torchlock.cli.main import main
from torchlock.fetching import bringing
from torchlock.fetching.locating import Found
from torchlock.index import download as downloading

pytestmark = pytest.mark.usefixtures("alone")
ROOT = Path(__file__).parents[1]


def test_what_is_there_is_not_fetched_again(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    lock(server)
    assert main(["fetch"]) == 0
    before = len(server.requests)
    Path("wheelhouse/beta-2.0+cpu-py3-none-any.whl").write_bytes(b"damaged")
    assert main(["fetch", "--json"]) == 0
    asked = [request.path for request in server.requests[before:] if "/files/" in request.path]
    assert asked == ["/files/beta-2.0+cpu-py3-none-any.whl"]
    table = json.loads(capsys.readouterr().out)
    assert [file["status"] for file in table["files"]] == ["present", "replaced"]
    assert wheels() == NAMES


def test_a_broken_download_continues_where_it_stopped(server: Server) -> None:
    """The connection breaks off in the middle; the rest is asked for with the tag of the beginning."""
    name = "alpha-1.0-py3-none-any.whl"
    whole = tagged(ALPHA)
    half = Reply(ALPHA[:100_000], headers={"ETag": '"one"'}, missing=len(ALPHA) - 100_000)
    replies = [half]

    def route(request: Request) -> Reply:
        return replies.pop() if replies else whole(request)

    server.routes[f"/files/{name}"] = route
    lock(server)
    assert main(["fetch"]) == 0
    first, second = [each for each in server.requests if each.path.endswith(name)]
    assert "Range" not in first.headers
    start = int(second.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 100_000
    assert second.headers["If-Range"] == '"one"'
    assert wheels() == NAMES
    assert not Path("wheelhouse", bringing.PARTS).exists()


@pytest.mark.parametrize("tag", ['"one"', '"two"', 'W/"one"', ""])
def test_a_second_run_continues(tag: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Only if the file on the server is still the same, which a weak tag or none does not show."""
    name = "alpha-1.0-py3-none-any.whl"
    headers = {"ETag": '"one"' if tag == '"two"' else tag} if tag else {}
    server.routes[f"/files/{name}"] = Reply(ALPHA[:100_000], headers=headers, missing=len(ALPHA) - 100_000)
    lock(server)
    assert main(["fetch"]) == 2
    assert "broke off its answer" in capsys.readouterr().err
    assert name not in wheels()
    assert wheels().keys() == {"beta-2.0+cpu-py3-none-any.whl"}
    assert not Path("wheelhouse/requirements-offline.txt").exists()
    before = len(server.requests)
    server.routes[f"/files/{name}"] = tagged(ALPHA, tag) if tag else ranges(ALPHA)
    assert main(["fetch"]) == 0
    (request,) = [each for each in server.requests[before:] if each.path.endswith(name)]
    assert ("Range" in request.headers) is (tag in ('"one"', '"two"'))
    assert wheels() == NAMES


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda content: Reply(content[:-1] + b"!"), 1, "not the hash in the lock; the file was not kept"),
        (lambda content: Reply(b"", 404), 1, "is gone (status 404)"),
        (lambda content: Reply(b"", 410), 1, "is gone (status 410)"),
        (lambda content: Reply(b"", 503), 2, "answered with status 503"),
        (lambda content: Reply(b"", 401), 2, "asks for credentials"),
        (lambda content: Reply(content + b"more"), 1, "not the hash in the lock; the file was not kept"),
        (lambda content: Reply(content[5:], 206, headers={"Content-Range": "bytes 5-9/10"}), 2, "another part"),
    ],
)
def test_what_is_not_right_is_not_kept(
    change: Callable[[bytes], Reply], code: int, said: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other file is brought."""
    server.routes["/files/alpha-1.0-py3-none-any.whl"] = change(ALPHA)
    lock(server)
    assert main(["fetch"]) == code
    errors = capsys.readouterr().err
    assert said in errors
    assert "wheelhouse: 1 of 2 files" in errors
    assert wheels().keys() == {"beta-2.0+cpu-py3-none-any.whl"}
    parts = Path("wheelhouse", bringing.PARTS)
    assert not parts.exists() or not [path for path in parts.glob("*.part") if path.stat().st_size > len(ALPHA)]
    assert main(["fetch", "--json"]) == code
    rows = json.loads(capsys.readouterr().out)["files"]
    assert rows[0]["status"] in ("gone", "mismatch", "failed")
    assert said in rows[0]["reason"]


def test_a_full_disk_is_told_and_the_run_continues_later(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(server)
    add = downloading.Part.add

    def full(self: Any, file: Any, piece: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloading.Part, "add", full)
    assert main(["fetch"]) == 2
    assert "there is no space left for this file" in capsys.readouterr().err
    monkeypatch.setattr(downloading.Part, "add", add)
    monkeypatch.setattr(bringing.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert main(["fetch"]) == 2
    assert "does not have enough space" in capsys.readouterr().err
    monkeypatch.undo()


def test_credentials_go_to_their_index_and_into_no_file(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lock(server)
    path.write_text(path.read_text().replace("http://", "http://me:s3cretword@"))
    assert main(["fetch"]) == 0
    assert {request.headers.get("Authorization", "")[:5] for request in server.requests} == {"Basic"}
    output = capsys.readouterr()
    written = [
        each.read_bytes() for each in Path("wheelhouse").rglob("*") if each.suffix != ".whl" and each.is_file()
    ]
    assert not [text for text in (*written, output.out.encode(), output.err.encode()) if b"s3cretword" in text]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interruption_keeps_what_has_arrived(server: Server, tmp_path: Path) -> None:
    """The server stays silent in the middle of a file; Ctrl-C ends the run, and the next one asks for the rest."""
    name = "alpha-1.0-py3-none-any.whl"
    silent = threading.Event()

    def route(request: Request) -> Reply:
        if "Range" not in request.headers and not silent.is_set():
            silent.set()
            return Reply(ALPHA[:120_000], headers={"ETag": '"one"'}, missing=len(ALPHA) - 120_000)
        time.sleep(45 if "Range" in request.headers and silent.is_set() and not resumed else 0)
        return tagged(ALPHA)(request)

    resumed: list[int] = []
    server.routes[f"/files/{name}"] = route
    lock(server)
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "torchlock", "fetch"], stderr=subprocess.PIPE, text=True, env=environ
    )
    beta = tmp_path / "wheelhouse" / "beta-2.0+cpu-py3-none-any.whl"
    for _ in range(600):
        if beta.exists() and server.asked(f"/files/{name}") > 1:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "1 of 2 files are complete; the same command fetches the rest" in errors
    assert "interrupted" in errors
    assert not (tmp_path / "wheelhouse" / name).exists()
    resumed.append(1)
    before = len(server.requests)
    assert main(["fetch"]) == 0
    (request,) = [each for each in server.requests[before:] if each.path.endswith(name)]
    assert request.headers["Range"].startswith("bytes=1")
    assert wheels() == NAMES


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_one_run_at_a_time(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    lock(server)
    parts = Path("wheelhouse", bringing.PARTS)
    parts.mkdir(parents=True)
    with (parts / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert main(["fetch"]) == 2
    assert "another torchlock process is fetching into this folder" in capsys.readouterr().err
    assert main(["fetch"]) == 0


def test_files_come_several_at_a_time_and_not_all_at_once(server: Server) -> None:
    """Twelve files of a server that counts how many requests are open."""
    opened, most = [0], [0]
    guard = threading.Lock()
    lines = [f"--index-url {server.url}"]

    def counted(content: bytes) -> Callable[[Request], Reply]:
        def route(request: Request) -> Reply:
            with guard:
                opened[0] += 1
                most[0] = max(most[0], opened[0])
            time.sleep(0.05)
            with guard:
                opened[0] -= 1
            return Reply(content)

        return route

    for number in range(12):
        content = small_wheel(f"p{number}", "1.0", "py3-none-any")
        name = f"p{number}-1.0-py3-none-any.whl"
        server.routes[f"/p{number}/"] = page(
            entry(name, f"{server.url}files/{name}", hashes={"sha256": sha256(content)})
        )
        server.routes[f"/files/{name}"] = counted(content)
        lines.append(f"p{number}==1.0 --hash=sha256:{sha256(content)}")
    Path("requirements.txt").write_text("\n".join(lines) + "\n")
    assert main(["fetch"]) == 0
    assert len(wheels()) == 12
    assert 1 < most[0] <= bringing.AT_A_TIME


def test_a_part_of_an_older_file_is_fetched_again(server: Server) -> None:
    """The tag is the same and the content is not: the hash shows it, and the file comes from its beginning."""
    name = "alpha-1.0-py3-none-any.whl"
    server.routes[f"/files/{name}"] = Reply(
        b"x" * 100_000, headers={"ETag": '"one"'}, missing=len(ALPHA) - 100_000
    )
    lock(server)
    assert main(["fetch"]) == 2
    before = len(server.requests)
    server.routes[f"/files/{name}"] = tagged(ALPHA)
    assert main(["fetch"]) == 0
    first, second = [each for each in server.requests[before:] if each.path.endswith(name)]
    assert "Range" in first.headers
    assert "Range" not in second.headers
    assert wheels() == NAMES


def test_what_is_written_of_a_part_has_no_secret(server: Server) -> None:
    name = "alpha-1.0-py3-none-any.whl"
    cut = Reply(ALPHA[:100_000], headers={"ETag": '"one"'}, missing=len(ALPHA) - 100_000)
    server.routes[f"/files/{name}?token=s3cretword"] = cut
    Path("lock.txt").write_text(
        f"alpha @ {server.url}files/{name}?token=s3cretword --hash=sha256:{sha256(ALPHA)}\n"
    )
    assert main(["fetch", "lock.txt"]) == 2
    state = list(Path("wheelhouse", bringing.PARTS).glob("*.json"))
    assert state
    assert not [path for path in state if "s3cretword" in path.read_text()]


def test_progress_says_how_much_has_arrived() -> None:
    wanted = downloading.Wanted(
        "alpha-1.0-py3-none-any.whl", "https://example.org/a", ("sha256:00",), 4_000_000_000
    )
    progress = bringing.Progress([Found("alpha", "1.0", wanted)])
    progress.arrived(1_000_000_000)
    progress.current = wanted.filename
    shown = str(progress)
    assert shown.startswith("[#####               ]  25% 1.0 GB of 4.0 GB, ")
    assert shown.endswith(", 0 of 1 files, alpha-1.0-py3-none-any.whl")


def test_credentials_of_netrc_go_along(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server demands them for its pages and for its files."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cretword\n")
    (tmp_path / "netrc").chmod(0o600)
    for path, route in list(server.routes.items()):
        assert callable(route) or isinstance(route, Reply)

        def guarded(request: Request, route: Any = route) -> Reply:
            if request.headers.get("Authorization") != "Basic bWU6czNjcmV0d29yZA==":
                return Reply(b"", 401)
            reply = route(request) if callable(route) and not isinstance(route, Reply) else route
            assert isinstance(reply, Reply)
            return reply

        server.routes[path] = guarded
    lock(server)
    assert main(["fetch"]) == 2
    assert "asks for credentials" in capsys.readouterr().err
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert main(["fetch"]) == 0, capsys.readouterr().err
    assert wheels() == NAMES


def test_two_files_of_one_name_are_refused(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    name = "alpha-1.0-py3-none-any.whl"
    server.routes[f"/other/{name}"] = Reply(b"x")
    lines = [
        f"alpha @ {server.url}{folder}/{name} --hash=sha256:{digit * 64}\n"
        for folder, digit in (("a", "1"), ("b", "2"))
    ]
    for number, line in enumerate(lines):
        Path(f"lock{number}.txt").write_text(line)
    assert main(["fetch", "lock0.txt", "lock1.txt"]) == 2
    assert f"{name} has two different contents in these locks" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["requirements-offline.txt", "simple/index.html", "simple/alpha/index.html"])
def test_a_file_of_another_program_is_not_replaced(
    name: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(server)
    path = Path("wheelhouse", name)
    path.parent.mkdir(parents=True)
    path.write_text("mine\n")
    assert main(["fetch"]) == 2
    assert f"{path}: cannot be replaced, because torchlock did not write it" in capsys.readouterr().err
    assert path.read_text() == "mine\n"
    assert not wheels()
    path.unlink()
    assert main(["fetch"]) == 0
    assert main(["fetch"]) == 0
