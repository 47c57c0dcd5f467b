"""``torchlock fetch``: every file of a lock, verified and resumable, in a folder that pip and uv install from."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.index_server import Reply, Request, Server, entry, page, ranges, sdist, sha256
from support.installers import INSTALLERS, install
from support.local_index import publish
from support.small_wheels import small_wheel
from torchlock.cli.main import main
from torchlock.fetching import bringing
from torchlock.fetching.locating import Found
from torchlock.index import download as downloading

ROOT = Path(__file__).parents[1]
REFUSED = "http://127.0.0.1:9"
ALPHA = small_wheel("alpha", "1.0", "py3-none-any", ["beta"], members={"alpha.py": "x = 1\n" * 40_000})
BETA = small_wheel("beta", "2.0+cpu", "py3-none-any", members={"beta.py": "y = 2\n"})
NAMES = {"alpha-1.0-py3-none-any.whl": ALPHA, "beta-2.0+cpu-py3-none-any.whl": BETA}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setattr("torchlock.index.transport.backoff", lambda attempt: 0.0)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    """An index with two projects, whose files have strong tags and are served in ranges."""
    with Server() as found:
        for name, content in NAMES.items():
            project = name.partition("-")[0]
            hashes = {"sha256": sha256(content)}
            found.routes[f"/{project}/"] = page(
                entry(name, f"{found.url}files/{name}", hashes=hashes, size=len(content), requires_python=">=3.8")
            )
            found.routes[f"/files/{name}"] = tagged(content)
        yield found


def tagged(content: bytes, tag: str = '"one"') -> Callable[[Request], Reply]:
    """A route with an ETag, which serves a range only for the same tag."""
    whole = ranges(content)

    def route(request: Request) -> Reply:
        condition = request.headers.get("If-Range")
        reply = Reply(content) if condition not in (None, tag) else whole(request)
        return reply._replace(headers={**reply.headers, "ETag": tag})

    return route


def lock(server: Server | None, *, url: bool = False) -> Path:
    """A lock of both projects; with ``url``, one of them by its address."""
    lines = [f"--index-url {server.url}"] if server is not None else []
    beta = "beta-2.0+cpu-py3-none-any.whl"
    second = f"beta @ {server.url}files/{beta.replace('+', '%2B')}" if url and server else "beta==2.0+cpu"
    if url and server:
        server.routes[f"/files/{beta.replace('+', '%2B')}"] = server.routes[f"/files/{beta}"]
    lines += [f"alpha==1.0 --hash=sha256:{sha256(ALPHA)}", f"{second} --hash=sha256:{sha256(BETA)}"]
    path = Path("requirements.txt")
    path.write_text("\n".join(lines) + "\n")
    return path


def pylock(server: Server) -> Path:
    text = 'lock-version = "1.0"\ncreated-by = "test"\n'
    for name, content in NAMES.items():
        project, version, *_ = name.split("-")
        url = f"{server.url}files/{name}"
        text += (
            f'\n[[packages]]\nname = "{project}"\nversion = "{version}"\nwheels = [\n  {{ name = "{name}", '
            f'upload-time = 2025-01-01T00:00:00Z, url = "{url}", size = {len(content)}, '
            f'hashes = {{ sha256 = "{sha256(content)}" }} }},\n]\n'
        )
    path = Path("pylock.toml")
    path.write_text(text + '\n[tool.other]\nnote = "stays \\u007f"\nlist = [1, 2]\n')
    return path


def wheels(folder: str = "wheelhouse") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.whl")}


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("kind", ["requirements", "addresses", "pylock"])
def test_what_is_fetched_installs_without_a_network(
    kind: str, installer: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pylock(server) if kind == "pylock" else lock(server, url=kind == "addresses")
    assert main(["fetch", str(path)]) == 0, capsys.readouterr().err
    assert wheels() == NAMES
    name = "pylock.offline.toml" if kind == "pylock" else "requirements-offline.txt"
    assert f"wheelhouse/{name}" in capsys.readouterr().err
    assert REFUSED not in (text := Path("wheelhouse", name).read_text())
    assert server.url not in text
    outcome = install(installer, Path("wheelhouse").absolute() / name, REFUSED)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"alpha": "1.0", "beta": "2.0+cpu"}


@pytest.mark.parametrize("installer", INSTALLERS)
def test_the_folder_is_a_mirror_and_a_find_links_location(
    installer: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", str(lock(server)), "-o", "usb stick"]) == 0
    wanted = tmp_path / "wanted.txt"
    hashes = [f"--hash=sha256:{sha256(content)}" for content in (ALPHA, BETA)]
    wanted.write_text(f"alpha==1.0 {hashes[0]}\nbeta==2.0+cpu {hashes[1]}\n")
    folder = tmp_path / "usb stick"
    by_index = install(installer, wanted, (folder / "simple").as_uri(), "--require-hashes")
    assert by_index.code == 0, by_index.said
    assert by_index.versions == {"alpha": "1.0", "beta": "2.0+cpu"}
    links = install(installer, wanted, REFUSED, "--no-index", "--find-links", str(folder))
    assert links.code == 0, links.said
    document = json.loads((folder / "simple" / "alpha" / "index.json").read_text())
    (row,) = document["files"]
    assert row["hashes"] == {"sha256": sha256(ALPHA)}
    assert row["requires-python"] == ">=3.8"
    assert 'data-requires-python="&gt;=3.8"' in (folder / "simple" / "alpha" / "index.html").read_text()


def test_what_is_there_is_not_fetched_again(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    lock(server)
    assert main(["fetch"]) == 0
    before = len(server.requests)
    Path("wheelhouse/beta-2.0+cpu-py3-none-any.whl").write_bytes(b"damaged")
    assert main(["fetch", "--json"]) == 0
    asked = [request.path for request in server.requests[before:] if "/files/" in request.path]
    assert asked == ["/files/beta-2.0+cpu-py3-none-any.whl"]
    table = json.loads(capsys.readouterr().out)
    assert [file["status"] for file in table["files"]] == ["present", "fetched"]
    assert wheels() == NAMES


def test_pages_have_what_earlier_runs_brought(server: Server, tmp_path: Path) -> None:
    lock(server)
    assert main(["fetch"]) == 0
    publish(tmp_path / "own", "gamma", "3.0")
    own = next((tmp_path / "own" / "gamma").glob("*.whl"))
    Path("more.txt").write_text(f"gamma==3.0 --hash=sha256:{sha256(own.read_bytes())}\n")
    assert main(["fetch", "more.txt", "--index-url", str(tmp_path / "own")]) == 0
    assert [each.name for each in sorted(Path("wheelhouse/simple").iterdir())] == [
        "alpha",
        "beta",
        "gamma",
        "index.html",
    ]
    assert Path("wheelhouse/more-offline.txt").exists()


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
        (lambda content: Reply(content[:-1] + b"!"), 1, "not that of the lock; it was not kept"),
        (lambda content: Reply(b"", 404), 1, "is gone (status 404)"),
        (lambda content: Reply(b"", 410), 1, "is gone (status 410)"),
        (lambda content: Reply(b"", 503), 2, "answered with status 503"),
        (lambda content: Reply(b"", 401), 2, "asks for credentials"),
        (lambda content: Reply(content + b"more"), 1, "not that of the lock; it was not kept"),
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
    assert "1 of 2 files are in wheelhouse" in errors
    assert wheels().keys() == {"beta-2.0+cpu-py3-none-any.whl"}
    parts = Path("wheelhouse", bringing.PARTS)
    assert not parts.exists() or not [path for path in parts.glob("*.part") if path.stat().st_size > len(ALPHA)]
    assert main(["fetch", "--json"]) == code
    rows = json.loads(capsys.readouterr().out)["files"]
    assert rows[0]["status"] in ("gone", "mismatch", "failed")
    assert said in rows[0]["reason"]


def test_a_file_that_no_index_has_is_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    path = lock(server)
    absent = "0" * 64
    path.write_text(path.read_text() + f"beta==2.1 --hash=sha256:{absent}\ndelta==1 --hash=sha256:{absent}\n")
    assert main(["fetch"]) == 1
    errors = capsys.readouterr().err
    assert "requirements.txt:4: beta 2.1: no index has a file of this release" in errors
    assert "requirements.txt:5: delta 1: " in errors
    assert "has no project delta" in errors
    server.routes["/beta/"] = page(entry("beta-2.1-py3-none-any.whl", hashes={"sha256": "1" * 64}))
    assert main(["fetch", "--index-url", server.url]) == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("requirements.txt", "six==1.17.0\n", "requirements.txt:1: six: no hash is there that proves a file"),
        ("requirements.txt", "six>=1 --hash=sha256:00\n", "requirements.txt:1: six>=1 does not name one version"),
        ("uv.lock", "version = 1\n", "uv export --format pylock.toml"),
        ("pyproject.toml", "[project]\nname='x'\n", "it is of the format pyproject"),
        ("requirements.txt", "-r absent.txt\n", "absent.txt"),
        ("absent.txt", None, "absent.txt: "),
    ],
)
def test_what_is_no_lock_is_refused(
    name: str, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        Path(name).write_text(text)
    assert main(["fetch", name]) == 2
    assert said in capsys.readouterr().err
    assert not Path("wheelhouse").exists()


def test_folders_and_repositories_are_named_and_left_out(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lock(server)
    path.write_text(path.read_text() + "-e .\nx @ git+https://example.org/x.git@abc\n")
    assert main(["fetch"]) == 0
    errors = capsys.readouterr().err
    assert "requirements.txt:4: -e . is not a file of an index" in errors
    assert "requirements.txt:5: x @ git+https" in errors


def test_targets_take_the_files_that_they_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With markers, each target by itself; without targets, all files."""
    tags = ["cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-win_amd64"]
    made = [publish(tmp_path / "own", "delta", "1.0", tags=each) for each in tags]
    only = publish(tmp_path / "own", "omega", "1.0")
    hashes = " ".join(f"--hash=sha256:{sha256(each.read_bytes())}" for each in made)
    Path("lock.txt").write_text(
        f"--index-url own\ndelta==1.0 {hashes}\n"
        f"omega==1.0 ; sys_platform == 'win32' --hash=sha256:{sha256(only.read_bytes())}\n"
    )
    python = ["--python", "3.12"]
    assert main(["fetch", "lock.txt", *python, "--platform", "linux-x86_64"]) == 0, capsys.readouterr().err
    assert wheels().keys() == {made[1].name}
    offline = Path("wheelhouse/lock-offline.txt").read_text()
    assert offline.count("--hash") == 1
    assert "omega" not in offline
    assert main(["fetch", "lock.txt", *python, "--platform", "linux-x86_64", "--platform", "windows-amd64"]) == 0
    assert wheels().keys() == {made[1].name, made[2].name, only.name}
    assert main(["fetch", "lock.txt", *python, "--platform", "macos-arm64"]) == 1
    assert "delta 1.0: the lock has no file for Python 3.12, macosx" in capsys.readouterr().err
    assert main(["fetch", "lock.txt", "-o", "all"]) == 0
    assert len(wheels("all")) == 4


def test_a_pylock_keeps_what_is_known_and_drops_what_is_not_there(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    tomllib = pytest.importorskip("tomllib")
    path = pylock(server)
    url = f'url = "{server.url}x", hashes = {{ sha256 = "00" }}'
    other = f'  {{ name = "alpha-1.0-cp39-cp39-win_amd64.whl", {url} }},\n'
    path.write_text(path.read_text().replace("wheels = [\n", f"wheels = [\n{other}", 1))
    assert main(["fetch", "pylock.toml", "--python", "3.12", "--platform", "linux-x86_64"]) == 0
    made = tomllib.loads(Path("wheelhouse/pylock.offline.toml").read_text())
    assert made["tool"] == {"other": {"note": "stays \x7f", "list": [1, 2]}}
    (wheel,) = made["packages"][0]["wheels"]
    assert wheel["path"] == "alpha-1.0-py3-none-any.whl"
    assert "url" not in wheel
    assert str(wheel["upload-time"]) == "2025-01-01 00:00:00+00:00"


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


def test_two_locks_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "ab":
        Path(folder).mkdir()
        Path(folder, "lock.txt").write_text("\n")
    assert main(["fetch", "a/lock.txt", "b/lock.txt"]) == 2
    assert "have the same name" in capsys.readouterr().err


def test_a_name_leads_out_of_no_folder(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pylock(server)
    path.write_text(path.read_text().replace('name = "alpha-1.0-py3', 'name = "../alpha-1.0-py3'))
    assert main(["fetch", "pylock.toml"]) in (1, 2)
    assert not (tmp_path / "alpha-1.0-py3-none-any.whl").exists()
    assert capsys.readouterr().err


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
    assert "has not enough space" in capsys.readouterr().err
    monkeypatch.undo()


def test_a_dry_run_fetches_nothing(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    lock(server)
    assert main(["fetch", "--dry-run"]) == 0
    output = capsys.readouterr()
    assert f"alpha-1.0-py3-none-any.whl  {server.url}files/alpha" in output.out
    assert "2 files, at least " in output.err
    assert main(["fetch", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["status"] is None
    assert not Path("wheelhouse").exists()


def test_offline_takes_files_of_this_machine(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(server)
    assert main(["fetch", "--offline"]) == 2
    assert not server.requests
    own = publish(tmp_path / "own", "gamma", "3.0")
    Path("more.txt").write_text(f"--find-links own/gamma\ngamma==3.0 --hash=sha256:{sha256(own.read_bytes())}\n")
    assert main(["fetch", "more.txt", "--offline"]) == 0, capsys.readouterr().err
    assert own.name in wheels()


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
        time.sleep(20 if "Range" in request.headers and silent.is_set() and not resumed else 0)
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
    assert "another run of torchlock fetches into this folder" in capsys.readouterr().err
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


def test_a_lock_with_its_wheelhouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, version, requires in (("gamma", "3.0", ["delta"]), ("delta", "1.0", [])):
        path = publish(tmp_path / "own", name, version)
        path.write_bytes(small_wheel(name, version, "py3-none-any", requires))
        (path.parent / "index.html").unlink()
    words = ["lock", "gamma", "--index-url", "own", "--python", "3.12", "--platform", "linux-x86_64"]
    assert main([*words, "--wheelhouse", "wheels"]) == 2
    assert "name the lock with -o FILE" in capsys.readouterr().err
    assert main([*words, "-o", "lock.txt", "--wheelhouse", "wheels", "--dry-run"]) == 2
    assert main([*words, "-o", "lock.txt", "--wheelhouse", "wheels", "--no-hashes"]) == 2
    capsys.readouterr()
    assert main([*words, "-o", "lock.txt", "--wheelhouse", "wheels"]) == 0, capsys.readouterr().err
    assert wheels("wheels").keys() == {"gamma-3.0-py3-none-any.whl", "delta-1.0-py3-none-any.whl"}
    assert "--wheelhouse" not in Path("lock.txt").read_text()
    outcome = install("pip", Path("wheels/lock-offline.txt").absolute(), REFUSED)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"gamma": "3.0", "delta": "1.0"}


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


def test_what_is_built_is_told(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    name, content = "epsilon-1.0.tar.gz", sdist("Metadata-Version: 2.1\nName: epsilon\nVersion: 1.0\n", "epsilon")
    server.routes["/epsilon/"] = page(entry(name, f"{server.url}files/{name}", hashes={"sha256": sha256(content)}))
    server.routes[f"/files/{name}"] = Reply(content)
    Path("lock.txt").write_text(f"--index-url {server.url}\nepsilon==1.0 --hash=sha256:{sha256(content)}\n")
    assert main(["fetch", "lock.txt"]) == 0
    errors = capsys.readouterr().err
    assert f"warning: {name} is built from source, and the lock does not name what its build needs" in errors
    assert (tmp_path / "wheelhouse" / name).exists()


def test_an_included_file_is_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    path = lock(server)
    Path("more.txt").write_text("\n" + "delta==1 --hash=sha256:" + "0" * 64 + "\n")
    path.write_text(path.read_text() + "-r more.txt\n")
    assert main(["fetch"]) == 1
    assert "more.txt:2: delta 1: " in capsys.readouterr().err


def test_variables_are_expanded_as_pip_does(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lock(server)
    path.write_text(path.read_text().replace("http://", "http://me:${INDEX_PASSWORD}@"))
    monkeypatch.setenv("INDEX_PASSWORD", "s3cretword")
    assert main(["fetch"]) == 0, capsys.readouterr().err
    assert "bWU6czNjcmV0d29yZA==" in server.requests[0].headers["Authorization"]


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


MANY = ["--python", "3.12", "--platform", "linux-x86_64", "--platform", "windows-amd64"]


@pytest.mark.parametrize("output", ["lock.txt", "lock-{platform}.txt"])
def test_a_lock_for_many_targets_with_its_wheelhouse(
    output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files of all targets come, and each lock in the folder keeps its markers."""
    tags = ["cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-win_amd64"]
    made = {
        each: publish(tmp_path / "own", "delta", "1.0", ["omega; sys_platform == 'win32'"], each) for each in tags
    }
    only = publish(tmp_path / "own", "omega", "1.0")
    words = ["lock", "delta", "--index-url", "own", *MANY, "-o", output, "--wheelhouse", "wheels"]
    assert main(words) == 0, capsys.readouterr().err
    assert wheels("wheels").keys() == {*(path.name for path in made.values()), only.name}
    names = sorted(path.name for path in Path("wheels").glob("*-offline.txt"))
    assert len(names) == (1 if output == "lock.txt" else 2)
    if output == "lock.txt":
        text = Path("wheels/lock-offline.txt").read_text()
        assert "omega==1.0 ; sys_platform == " in text
        assert text.count("--hash") == 3


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
