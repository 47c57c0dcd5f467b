"""What a live lock asks an index, how often, and what happens while it waits. Nothing here measures time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.index_server import Reply, Request, Server, entry, index, metadata_text, page, ranges, sha256, wheel
from torchlock.cli.main import main
from torchlock.errors import NetworkError
from torchlock.index import adapter, asking, page_values, pages, pending, project_page
from torchlock.index.cache import Cache, Page, key
from torchlock.index.course import Course
from torchlock.index.pending import BOUND, Pool
from torchlock.index.project_page import ProjectPage
from torchlock.index.remote import ACCEPT
from torchlock.index.source import releases
from torchlock.standards import filenames
from torchlock.standards.index_file import File

PLAIN = ["--python", "3.12", "--platform", "linux-x86_64", "--no-hashes", "--no-annotate"]
GUARD = 60  # seconds: against hanging, no measure


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_700_000_000.0]
    monkeypatch.setattr("torchlock.index.remote.time.time", lambda: now[0])
    return now


def offered(name: str, version: str = "1.0") -> str:
    return f"{name}-{version}-py3-none-any.whl"


def publish(server: Server, name: str, *requires: str, versions: tuple[str, ...] = ("1.0",)) -> None:
    """A project whose wheels require these, with metadata files."""
    entries = []
    for version in versions:
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requires)]
        text = "Metadata-Version: 2.1\n" + "\n".join(lines) + "\n"
        digest = sha256(f"{name} {version} {requires}".encode())
        entries.append(entry(offered(name, version), hashes={"sha256": digest}, core_metadata=True))
        server.routes[f"/{name}/{offered(name, version)}.metadata"] = Reply(text.encode())
    server.routes[f"/{name}/"] = page(*entries)


def lock(server: Server, *words: str) -> int:
    return main(["lock", *words, *PLAIN, "--index-url", server.url, "--cache-dir", str(Path("cache").resolve())])


# The digest of a page.


def test_a_page_is_parsed_once(tmp_path, server, monkeypatch):
    publish(server, "demo", versions=("1.0", "2.0"))
    first = releases(index(tmp_path, server), "demo")

    def refused(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(pages, "listed", refused)
    second = releases(index(tmp_path, server), "demo")
    assert [each.version for each in second] == [each.version for each in first] == ["1.0", "2.0"]
    assert [each.wheels for each in second] == [each.wheels for each in first]
    assert server.asked("/demo/") == 1


def test_only_the_files_of_releases_that_are_looked_at_are_made(tmp_path, server, monkeypatch):
    publish(server, "demo", versions=tuple(f"{number}.0" for number in range(1, 101)))
    made: list[str] = []
    real = page_values.entry_of

    def noted(values: list[object]) -> File:
        made.append(str(values[0]))
        return real(values)

    monkeypatch.setattr(project_page, "entry_of", noted)
    found = releases(index(tmp_path, server), "demo")
    assert [(each.tags, each.yanked, each.has_sdist, each.requires_python(0)) for each in found] == [
        (["py3-none-any"], None, False, "")
    ] * 100
    assert made == []
    assert found[-1].file(0).filename == offered("demo", "100.0")
    assert made == [offered("demo", "100.0")]


@pytest.mark.parametrize(
    "content", [b"", b"nonsense\n", b"[]\n", b'{"releases": 1}\n', b'{"releases": {}, "variants": {}}\n']
)
def test_a_digest_that_makes_no_sense_is_asked_for_again(tmp_path, server, content):
    publish(server, "demo")
    url = f"{server.url}demo/"
    Cache(tmp_path, lambda note: None).keep_page(key(url, ACCEPT), Page(url, content, 4e9, etag='"old"'))
    assert [file.filename for file in index(tmp_path, server).files("demo")] == [offered("demo")]
    assert "If-None-Match" not in server.requests[-1].headers


def test_a_digest_holds_everything_that_a_page_says(tmp_path, server):
    entries = [
        entry("demo-1.0.zip", hashes={"md5": "a" * 32, "sha256": "no digest"}, size=5),
        entry("demo-1.0.tar.gz", upload_time="2024-02-03T04:05:06+02:00", yanked="broken"),
        entry(
            "demo-1.0-py3-none-any.whl", requires_python=" >=3.8 ", yanked=True, core_metadata={"sha256": "b" * 64}
        ),
        entry("demo-1.0.0-cp312-cp312-win_amd64.whl", hashes=[], size=-1, upload_time=7, core_metadata="x"),
        entry("demo-latest-py3-none-any.whl"),
        entry("other-2.0-py3-none-any.whl", url=f"x.whl#sha256={'c' * 64}"),
    ]
    server.routes["/demo/"] = page(*entries)
    plain = pages.parse_page(page(*entries).body, page().content_type, f"{server.url}demo/")
    found = index(tmp_path, server).files("demo")
    assert sorted(found) == sorted(plain)
    assert sorted(index(tmp_path, server, offline=True).files("demo")) == sorted(plain)


NAMES = (
    "demo-1.0-py3-none-any.whl",
    "Demo.X-1.0.0-2build-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "demo__x-1.0-py3-none-any.whl",
    "_demo-1.0-py3-none-any.whl",
    "demo-latest-py3-none-any.whl",
    "demo-1.0-b2-py3-none-any.whl",
    "demo-1.0-3py-none-any.whl",
    "demo-1.0-py3..py2-none-any.whl",
    "demo-1.0-py3-none-any-x-y.whl",
    "d\u00e9mo-1.0-py3-none-any.whl",
    "demo-1!2.0+local.1-py2.py3-none-any.whl",
    "demo-\u0661-py3-none-any.whl",
    "demo-" + "9" * 120 + "-py3-none-any.whl",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_grouped_unparsed_parse_to_the_same(name):
    """Whatever the short way takes as a project and a version, the parser takes so, too, and by these alone."""
    common = filenames.ordinary_wheel(name)
    if common is not None:
        assert filenames.parse(name) == filenames.parse(f"{common[0]}-{common[1]}-py3-none-any.whl")
    found = ProjectPage.of([File(name, f"https://example.org/{name}", {})])
    parsed = filenames.parse(name)
    held = [*found.releases(parsed[0]), *found.variants(parsed[0])] if parsed else []
    assert [each.version for each in held] == ([str(parsed[1])] if parsed else [])
    assert [file.filename for file in found.files()] == [name]


# How much is asked.


def test_a_lock_asks_for_each_page_and_metadata_once_and_a_second_one_for_nothing(server, capsys):
    publish(server, "top", "left", "right; python_version < '3'", "right>=1")
    publish(server, "left", "below")
    publish(server, "right", "below<2")
    publish(server, "below", versions=("1.0", "1.5", "2.0"))
    assert lock(server, "top") == 0
    first = capsys.readouterr().out
    assert "below==1.5" in first
    paths = [request.path for request in server.requests]
    assert sorted(path for path in paths if path.endswith("/")) == ["/below/", "/left/", "/right/", "/top/"]
    assert len(paths) == len(set(paths)) <= 9  # at most one metadata text in vain: that of below 2.0
    server.requests.clear()
    assert lock(server, "top") == 0
    assert capsys.readouterr().out == first
    assert server.requests == []


def test_what_does_not_hold_on_the_target_is_not_asked_for(server):
    publish(server, "top", "other; sys_platform == 'win32'", "more; extra == 'more'")
    assert lock(server, "top") == 0
    assert {request.path for request in server.requests} == {"/top/", f"/top/{offered('top')}.metadata"}


def test_the_metadata_of_a_wheel_are_parsed_once(server, monkeypatch):
    publish(server, "top", "below")
    publish(server, "below")
    assert lock(server, "top") == 0

    def refused(text: str) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr("torchlock.index.source.parse_metadata", refused)
    assert lock(server, "top") == 0


def test_damaged_declarations_are_read_from_the_text(server, capsys):
    publish(server, "top", "below")
    publish(server, "below")
    assert lock(server, "top") == 0
    first = capsys.readouterr().out
    kept = [path for path in Path("cache", "declared-v1").rglob("*") if path.is_file()]
    assert len(kept) == 2
    kept[0].write_bytes(kept[0].read_bytes()[:-4])
    kept[1].write_bytes(b"")
    server.requests.clear()
    assert lock(server, "top") == 0
    assert capsys.readouterr().out == first
    assert server.requests == []


def long_listed(size: int) -> bytes:
    """A wheel with METADATA before a list of members of about this size."""
    import hashlib
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("demo/data.bin", b"\0" * (1 << 20))
        for number in range(size // 130):
            archive.writestr(f"demo/{hashlib.sha256(b'%d' % number).hexdigest()}", b"")
        archive.writestr("demo-1.0.dist-info/METADATA", metadata_text())
    return stream.getvalue()


def test_a_wheel_with_a_long_list_of_members_takes_two_requests_and_the_next_one_of_its_project_one(
    tmp_path, server
):
    content = long_listed(300 << 10)
    requests = []
    for name in (offered("demo"), "demo-1.0-1-py3-none-any.whl"):
        server.routes[f"/demo/{name}"] = ranges(content)
        server.requests.clear()
        listed = File(name, f"{server.url}demo/{name}", {"sha256": sha256(content + name.encode())}, len(content))
        assert "Name: demo" in index(tmp_path, server).metadata(listed._replace(hashes={}))
        requests.append(len(server.requests))
    assert requests == [2, 1]


def test_a_usual_wheel_takes_one_request_for_its_end(tmp_path, server):
    content = wheel(metadata_text(), padding=1 << 20)
    server.routes[f"/demo/{offered('demo')}"] = ranges(content)
    listed = File(offered("demo"), f"{server.url}demo/{offered('demo')}", {}, len(content))
    assert "Name: demo" in index(tmp_path, server).metadata(listed)
    [request] = server.requests
    first, last = request.headers["Range"].removeprefix("bytes=").split("-")
    assert int(last) - int(first) + 1 == 64 << 10


# At the same time.


class Gate:
    """A route that lets nobody through until so many have come, and counts how many were inside at once."""

    def __init__(self, least: int, reply: Callable[[Request], Reply]) -> None:
        self.most = 0
        self._inside = 0
        self._least = least
        self._reply = reply
        self._changed = threading.Condition()

    def __call__(self, request: Request) -> Reply:
        with self._changed:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.most >= self._least, GUARD)
            self._inside -= 1
        return self._reply(request)


def test_what_a_release_requires_is_asked_for_at_the_same_time(server):
    """The server answers none of the three pages before all three are asked for."""
    names = ("left", "right", "middle")
    publish(server, "top", *names)
    for name in names:
        publish(server, name)
    replies = {f"/{name}/": server.routes[f"/{name}/"] for name in names}
    gate = Gate(3, lambda request: replies[request.path])  # type: ignore[arg-type,return-value]
    server.routes.update(dict.fromkeys(replies, gate))
    assert lock(server, "top") == 0
    assert gate.most == 3


def test_no_more_than_the_bound_are_asked_for_at_the_same_time(tmp_path, server, monkeypatch):
    monkeypatch.setattr(pending, "BOUND", 3)
    gate = Gate(3, lambda request: page(entry("demo-1.0.tar.gz")))
    names = [f"demo{number}" for number in range(12)]
    server.routes.update({f"/{name}/": gate for name in names})
    asked = index(tmp_path, server)
    for name in names:
        asked.expect(name)
    for name in names:
        asked.files(name)
    assert gate.most == 3
    assert len(server.requests) == 12


def test_an_error_of_what_was_expected_appears_only_if_it_is_asked_for(tmp_path, server):
    server.routes["/bad/"] = Reply(status=451)
    server.routes["/good/"] = page(entry("good-1.0.tar.gz"))
    asked = index(tmp_path, server)
    asked.expect("bad")
    asked.expect("good")
    asked.expect("good")
    assert len(asked.files("good")) == 1
    with pytest.raises(NetworkError, match="451"):
        asked.files("bad")
    assert server.asked("/bad/") == server.asked("/good/") == 1


def test_the_usual_bound_is_that_of_kept_connections():
    assert adapter.Adapter.__init__.__globals__["BOUND"] == BOUND


def test_the_authorities_are_read_once(tmp_path):
    import requests.certs

    assert adapter.authorities(requests.certs.where()) is adapter.authorities(requests.certs.where())
    (tmp_path / "no.pem").write_text("nothing")
    for path in (tmp_path / "no.pem", tmp_path / "none.pem"):
        with pytest.raises(OSError, match="TLS certificate file"):
            adapter.authorities(str(path))


# Old pages.


def changing(server: Server, *versions: str) -> None:
    """A page that changes with each answer, and says when it did not."""
    answers = list(versions)

    def route(request: Request) -> Reply:
        version = answers.pop(0) if len(answers) > 1 else answers[0]
        tag = f'"{version}"'
        if request.headers.get("If-None-Match") == tag:
            return Reply(status=304, headers={"ETag": tag})
        return page(entry(offered("demo", version), core_metadata=True), headers={"ETag": tag})

    server.routes["/demo/"] = route
    for version in versions:
        text = metadata_text().replace("Version: 1.0", f"Version: {version}")
        server.routes[f"/demo/{offered('demo', version)}.metadata"] = Reply(text.encode())


def test_an_old_page_is_used_while_it_is_asked_for_again(tmp_path, server, clock):
    changing(server, "1.0", "1.0", "2.0")
    index(tmp_path, server).files("demo")
    clock[0] += 601
    course = Course()
    course.provisional = True
    asked = index(tmp_path, server, course=course)
    assert [file.filename for file in asked.files("demo")] == [offered("demo", "1.0")]
    assert asked.confirm() == set()
    clock[0] += 601
    asked = index(tmp_path, server, course=course)
    assert [file.filename for file in asked.files("demo")] == [offered("demo", "1.0")]
    assert asked.confirm() == {"demo"}
    course.provisional = False
    assert [file.filename for file in asked.files("demo")] == [offered("demo", "2.0")]
    assert server.asked("/demo/") == 3


def test_without_leave_an_old_page_is_not_used(tmp_path, server, clock):
    changing(server, "1.0", "2.0")
    index(tmp_path, server).files("demo")
    clock[0] += 601
    assert [file.filename for file in index(tmp_path, server).files("demo")] == [offered("demo", "2.0")]


def test_a_lock_is_that_of_the_new_pages(server, clock, capsys):
    changing(server, "1.0", "2.0")
    assert lock(server, "demo") == 0
    assert "demo==1.0" in capsys.readouterr().out
    clock[0] += 601
    assert lock(server, "demo") == 0
    assert "demo==2.0" in capsys.readouterr().out
    assert server.asked("/demo/") == 2


def test_a_conflict_of_old_pages_is_none_of_the_new_ones(server, clock, capsys):
    changing(server, "1.0", "2.0")
    assert lock(server, "demo") == 0
    clock[0] += 601
    assert lock(server, "demo>=2") == 0
    assert "demo==2.0" in capsys.readouterr().out


def test_an_old_page_that_cannot_be_confirmed_is_an_error(server, clock, capsys):
    changing(server, "1.0")
    assert lock(server, "demo") == 0
    server.routes["/demo/"] = Reply(status=451)
    clock[0] += 601
    assert lock(server, "demo") == 2
    assert "451" in capsys.readouterr().err


# Waiting.


@pytest.fixture
def silent(server: Server) -> Iterator[threading.Event]:
    """The page of demo comes at the end of the test; the event is set when somebody asks for it."""
    asked, over = threading.Event(), threading.Event()

    def route(request: Request) -> Reply:
        asked.set()
        over.wait(GUARD)
        return page()

    server.routes["/demo/"] = route
    yield asked
    over.set()


def test_a_lock_ends_at_its_deadline(server, silent, capsys):
    assert lock(server, "demo", "--deadline", "0.5") == 2
    said = capsys.readouterr().err
    assert "demo did not arrive: the indexes had 0.5 seconds in all" in said
    assert "--deadline" in said


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_deadline_is_a_time(server, capsys, value):
    assert lock(server, "demo", "--deadline", value) == 2
    assert "--deadline" in capsys.readouterr().err
    assert server.requests == []


def test_progress_says_what_it_waits_for(tmp_path, server, silent, monkeypatch):
    monkeypatch.setattr(pending, "_PATIENT", 0.01)
    said: list[str] = []

    def report(text: str) -> None:
        said.append(text)

    asked = index(tmp_path, server, course=Course(0.3), report=report)
    asked.expect("other")
    with pytest.raises(NetworkError, match=r"had 0\.3 seconds"):
        asked.files("demo")
    assert said[0] == f"asking {server.authority} for demo"
    assert said[1].startswith("waiting for 0 seconds for")
    assert said[1].partition(" for 127")[2].startswith(f".0.0.1:{server.authority.partition(':')[2]} for demo")


def test_a_pool_counts_what_it_waits_for(monkeypatch):
    monkeypatch.setattr(pending, "_PATIENT", 0.01)
    said: list[str] = []
    over = threading.Event()

    def report(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            over.set()

    pool = Pool(Course().deadline, report)
    waits = [pool.ask(lambda: over.wait(GUARD), f"host for {name}") for name in ("one", "two", "three")]
    assert pool.wait(waits[0]) is True
    assert said[0] == "asking host for one"
    assert said[1].endswith("for host for one, and 2 other answers")


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_an_interrupted_run_does_not_wait_for_its_threads(server, silent, tmp_path):
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from torchlock.cli import entry; entry()"
    words = ["lock", "demo", *PLAIN, "--index-url", server.url, "--cache-dir", "cache"]
    run = subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, cwd=tmp_path)
    assert silent.wait(GUARD)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=GUARD)
    assert run.returncode in (130, -signal.SIGINT)
    assert b"Traceback" not in said


def test_a_page_that_is_expected_is_not_asked_for_if_it_is_fresh(tmp_path, server):
    publish(server, "demo")
    index(tmp_path, server).files("demo")
    asked = index(tmp_path, server)
    asked.expect("demo")
    assert not asked._asking._asked
    assert len(asked.files("demo")) == 1
    assert server.asked("/demo/") == 1
    assert asking.Asking.__doc__
