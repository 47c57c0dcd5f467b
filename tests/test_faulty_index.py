"""An index that fails or lies: an error in words or the next way to the same thing, never half an answer.

Time is told, not waited for: a clock goes on by a second each time bytes come.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.call_count import calls
from support.fault_index import (
    HEAD,
    FaultServer,
    bomb,
    chunked,
    drips,
    lines,
    nested,
    repeats,
    resets,
    says,
    whole_page,
)
from support.index_server import (
    Reply,
    Request,
    Server,
    entry,
    file_at,
    html,
    index,
    metadata_text,
    page,
    ranges,
    sdist,
    sha256,
    wheel,
)
from torchlock.cli.main import main
from torchlock.errors import BrokenFile, NetworkError, TorchlockError
from torchlock.index import course, html_pages, pace, transport
from torchlock.index.cache import Page
from torchlock.index.page_values import PageError
from torchlock.index.pages import parse_page
from torchlock.index.settings import IndexSettings
from torchlock.index.transport import Transport

NAME = "demo-1.0-py3-none-any.whl"
PATH = f"/files/{NAME}"
TEXT = metadata_text("Requires-Dist: numpy")
LOCK = ["lock", "--python", "3.12", "--platform", "linux-x86_64"]
FILES = whole_page(entry(NAME))
PACKED = gzip.compress(FILES)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """No proxy, no netrc, no configuration, and a list of the seconds that would have been slept."""
    slept: list[float] = []
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setattr(transport.time, "sleep", slept.append)
    return slept


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second whenever somebody looks at it."""
    seconds = itertools.count()
    monkeypatch.setattr(pace, "clock", lambda: float(next(seconds)))


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"HTTP/1.1 200 O", id="in the status line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: ", id="in a header"),
        pytest.param(HEAD + b"Content-Length: 100000\r\n\r\n", id="in the body"),
        pytest.param(HEAD + b"\r\n", id="in a body without a length"),
    ],
)
@pytest.mark.usefixtures("ticking")
def test_a_server_that_drips_is_given_up(tmp_path: Path, start: bytes) -> None:
    with FaultServer(drips(start)) as server, pytest.raises(NetworkError, match="sends less than 1 kB a second"):
        index(tmp_path, server.url).files("demo")
    assert server.requests == 1


@pytest.mark.usefixtures("ticking")
def test_headers_without_end_are_given_up(tmp_path: Path) -> None:
    endless = says(b"HTTP/1.1 200 OK\r\n" + b"".join(lines(100_000)))
    with FaultServer(endless) as server, pytest.raises(NetworkError):
        index(tmp_path, server.url).files("demo")


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /other/\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "piece", "words"),
    [
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "endless headers", id="go on, go on"),
        pytest.param(CHUNKED + b"0\r\n", b"X-More: y\r\n" * 1000, "endless headers", id="trailers"),
        pytest.param(CHUNKED, b"1\r\n \r\n" * 1000, "endless headers", id="chunks of a byte"),
        pytest.param(CHUNKED, b"0" * 60_000, "broke off|without end", id="the size of a chunk"),
        pytest.param(CHUNKED + b"5;", b"x" * 60_000, "broke off|without end", id="the extension of a chunk"),
        pytest.param(MOVED, b"x" * 60_000, "redirects endlessly", id="what a redirect says besides"),
    ],
)
def test_lines_that_are_no_content_come_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, piece: bytes, words: str
) -> None:
    monkeypatch.setattr(pace, "_LINES", 1 << 18)
    with FaultServer(repeats(start, piece)) as server, pytest.raises(NetworkError, match=words):
        index(tmp_path, server.url).files("demo")


@pytest.mark.parametrize("status", [404, 503])
def test_of_a_refusal_the_beginning_is_read(tmp_path: Path, status: int) -> None:
    refusal = repeats(b"HTTP/1.1 %d No\r\n\r\n" % status, b"x" * 60_000)
    with FaultServer(refusal) as server, pytest.raises(TorchlockError, match=r"no project demo|status 503"):
        index(tmp_path, server.url).files("demo")


def test_a_slow_answer_that_goes_on_is_read(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two minutes for 200 kB are more than a kilobyte a second."""
    seconds = itertools.count(step=30)
    monkeypatch.setattr(pace, "clock", lambda: float(next(seconds)))
    server.routes["/demo/"] = page(*[entry(f"demo-{number}.0.tar.gz") for number in range(4000)])
    assert len(index(tmp_path, server).files("demo")) == 4000


def test_an_index_has_so_much_time_in_all(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=100)
    monkeypatch.setattr(course, "clock", lambda: float(next(seconds)))
    server.routes["/x"] = Reply(b"y")
    asked = Transport(IndexSettings(server.url), course.Deadline(1800))
    with pytest.raises(NetworkError, match="the indexes had 1800 seconds in all"):
        for _ in range(20):
            asked.get(f"{server.url}x", {})
    assert len(server.requests) < 20


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(HEAD + b"Content-Length: 9999\r\n\r\n" + FILES, "broke off", id="less than announced"),
        pytest.param(chunked(FILES, ended=False), "broke off", id="without the last chunk"),
        pytest.param(HEAD + b"\r\n" + FILES[:-9], "damaged JSON", id="cut JSON without a length"),
        pytest.param(HEAD + b"Content-Length: %s\r\n\r\n" % (b"9" * 5000), None, id="a length of 5,000 digits"),
        pytest.param(HEAD + b"Content-Length: -5\r\n\r\n" + FILES[:20], None, id="a length below nothing"),
        pytest.param(HEAD + b"\r\n" + nested(100_000), "damaged JSON", id="arrays in arrays"),
        pytest.param(HEAD + b"\r\n" + b'{"files": NaN}', None, id="not a number"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", None, id="another protocol"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\n\r\nnot gzip", "damaged body", id="no gzip"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:-9], "broke off", id="cut gzip"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:-8], "broke off", id="no checksum"),
        pytest.param(
            HEAD + b"Content-Encoding: gzip, gzip\r\n\r\n" + gzip.compress(PACKED), "not requested", id="twice"
        ),
        pytest.param(HEAD + b"Content-Encoding: br\r\n\r\nx", "not requested", id="another coding"),
        pytest.param(CHUNKED + b"-5\r\nabcde", None, id="a chunk below nothing"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n", None, id="to no address"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://x:99999999/\r\n\r\n", None, id="to no port"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://\xff/\r\n\r\n", None, id="to no host"),
    ],
)
def test_half_an_answer_is_none(tmp_path: Path, said: bytes, words: str | None) -> None:
    with FaultServer(says(said)) as server:
        with pytest.raises(NetworkError, match=words):
            index(tmp_path, server.url).files("demo")
        with pytest.raises(TorchlockError):  # and nothing of it is kept
            index(tmp_path, server.url, offline=True).files("demo")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(HEAD + b"\r\n\xef\xbb\xbf" + FILES, id="a byte order mark"),
        pytest.param(HEAD.replace(b"1.1", b"1.0") + b"\r\n" + FILES, id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"\r\n" + FILES, id="go on"),
        pytest.param(chunked(FILES, ended=False) + b"0\r\nX-Checksum: y\r\n\r\n", id="a trailer"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\n\r\n" + PACKED, id="gzip"),
        pytest.param(HEAD + b"Content-Encoding: X-GZIP\r\n\r\n" + PACKED + b"\0\0", id="gzip, padded"),
        pytest.param(
            HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(FILES[:9]) + gzip.compress(FILES[9:]),
            id="members",
        ),
        pytest.param(HEAD + b"Content-Encoding: identity\r\n\r\n" + FILES, id="no coding"),
        pytest.param(HEAD + b"Content-Length: %d\r\n\r\n" % len(FILES) + FILES + b"HTTP", id="more than told"),
        pytest.param(HEAD + b"ETag: a\r\n b\r\n\r\n" + FILES, id="a folded tag"),
        pytest.param(HEAD + b"ETag: " + b"x" * 60_000 + b"\r\n\r\n" + FILES, id="a long tag"),
    ],
)
def test_whole_answers_of_odd_servers_are_read(tmp_path: Path, said: bytes) -> None:
    with FaultServer(says(said)) as server:
        for _ in range(2):  # the second time with what the first answer said of itself
            assert [file.filename for file in index(tmp_path, server.url, refresh=True).files("demo")] == [NAME]


def test_a_file_that_was_asked_for_as_it_is_stays_packed(tmp_path: Path, server: Server) -> None:
    """Some servers call the content of a .tar.gz encoded, as Apache does by its name."""
    content = sdist(metadata_text(version="2.2"))
    name = "demo-1.0.tar.gz"
    server.routes[f"/files/{name}"] = Reply(content, headers={"Content-Encoding": "x-gzip"})
    file = file_at(server, name, hashes={"sha256": sha256(content)})
    assert "Name: demo" in index(tmp_path, server).metadata(file)


def test_a_tag_that_cannot_be_sent_back_is_not() -> None:
    told = Page("u", "", b"", 0.0, etag='"a\r\n b"', last_modified="Sun, 29 Nov 2026 00:00:00 GMT")
    assert told.conditions() == {"If-Modified-Since": told.last_modified}
    assert told._replace(etag="x" * 60_000).conditions() == told.conditions()


OPEN = ["<!--", "<!-- x", "<a ", '<a href="', "</a ", "<![CDATA[", "<?", "<script><!--"]


@pytest.mark.parametrize("text", OPEN)
def test_a_damaged_page_is_left_at_its_first_damage(text: str) -> None:
    """Python's html.parser looks at all the rest from every "<" of what has no end, until 3.13.6."""

    def tried() -> None:
        with contextlib.suppress(PageError):
            html_pages.parse_html((text * 10_000).encode(), "utf-8", "https://example.org/demo/")

    assert calls(tried) < 5000


def test_a_base_is_not_repeated_for_every_link() -> None:
    text = f"<base href='https://example.org/{'x/' * 5000}'>" + f"<a href='{NAME}'>x</a>" * 100
    with pytest.raises(PageError, match="base"):
        parse_page(text.encode(), "text/html", "https://example.org/demo/")


@pytest.mark.parametrize("start", [b"", HEAD, HEAD + b"Content-Length: 5000\r\n\r\n" + FILES])
def test_a_reset_connection_is_tried_again_and_told(tmp_path: Path, start: bytes) -> None:
    with FaultServer(resets(start)) as server:
        with pytest.raises(NetworkError):
            index(tmp_path, server.url).files("demo")
        assert server.requests == 3


PAGE = html(f'<a href="{NAME}">{NAME}</a>', '<a href="demo-2.0-py3-none-any.whl">demo-2.0</a>').body


@pytest.mark.parametrize("stop", range(PAGE.index(b"<html>") + 6, PAGE.index(b"</body>")))
def test_a_page_in_html_that_is_cut_is_no_page(tmp_path: Path, server: Server, stop: int) -> None:
    server.routes["/demo/"] = Reply(PAGE[:stop], content_type="text/html")
    with pytest.raises(NetworkError, match=r"incomplete page|damaged HTML"):
        index(tmp_path, server).files("demo")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f'<a href="{NAME}">x</a><br>\n<a href="{NAME}">x</a><br>\n', id="links alone"),
        pytest.param(f"<!DOCTYPE html><title>x</title><a href={NAME}>x</a>", id="no html element"),
        pytest.param(
            f'<html><body><a href="{NAME}">x</a></body></html>\n<!--TIMESTAMP 17-->', id="a last comment"
        ),
        pytest.param(f"<HTML><BODY><A HREF={NAME}>x<BR></BODY></HTML>", id="links that are not closed"),
        pytest.param(f"<html><body><a href={NAME}>x</a></body>", id="no end of the html element"),
    ],
)
def test_whole_pages_of_simple_servers_are_read(tmp_path: Path, server: Server, text: str) -> None:
    server.routes["/demo/"] = Reply(text.encode(), content_type="text/html")
    assert {file.filename for file in index(tmp_path, server).files("demo")} == {NAME}


def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    """300 MB of blanks in 300 kB: given up in a process that may not have so much."""
    said = bomb(300 << 20)
    with FaultServer(says(said)) as server:
        program = (
            "import resource; from pathlib import Path; from support.index_server import index\n"
            "from torchlock.errors import NetworkError\n"
            "import torchlock.index.transport\n"
            "resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))\n"
            f"try: index(Path({str(tmp_path)!r}), {server.url!r}).files('demo')\n"
            "except NetworkError as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
        )
    assert "is too large to read" in done.stdout, done.stderr


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451, 429, 500, 503])
def test_a_metadata_file_that_is_not_given_is_read_from_the_wheel(
    tmp_path: Path, server: Server, status: int
) -> None:
    server.routes[f"{PATH}.metadata"] = Reply(b"no", status)
    server.routes[PATH] = ranges(wheel(TEXT))
    assert index(tmp_path, server).metadata(file_at(server, NAME, metadata_hashes={})) == TEXT


@pytest.mark.parametrize("status", [400, 403, 404, 410, 418, 451])
def test_a_wheel_that_is_not_given_is_a_fault_of_this_file(tmp_path: Path, server: Server, status: int) -> None:
    server.routes[PATH] = Reply(b"no", status)
    with pytest.raises(BrokenFile, match=f"status {status}"):
        index(tmp_path, server).metadata(file_at(server, NAME))


@pytest.mark.parametrize("status", [401, 429, 500, 502, 503])
def test_a_server_that_fails_is_a_fault_of_the_run(tmp_path: Path, server: Server, status: int) -> None:
    server.routes[PATH] = Reply(b"no", status)
    with pytest.raises(NetworkError, match=f"status {status}") as caught:
        index(tmp_path, server).metadata(file_at(server, NAME))
    assert not isinstance(caught.value, BrokenFile)


def lying(content: bytes, reply: Callable[[bytes], Reply]) -> Callable[[Request], Reply]:
    """A route that answers a request for a part like this, and one for the whole truthfully."""
    return lambda request: reply(content) if "Range" in request.headers else Reply(content)


RANGES = {
    "another part": lambda content: Reply(
        content[:50], 206, headers={"Content-Range": f"bytes 0-49/{len(content)}"}
    ),
    "a size of 5,000 digits": lambda content: Reply(
        content, 206, headers={"Content-Range": f"bytes 0-9/{'9' * 5000}"}
    ),
    "a larger whole": lambda content: Reply(
        content, 206, headers={"Content-Range": f"bytes 0-{len(content) - 1}/{len(content) + 10}"}
    ),
    "several parts": lambda content: Reply(content, 206, "multipart/byteranges; boundary=x"),
    "not satisfiable": lambda content: Reply(b"", 416, headers={"Content-Range": f"bytes */{len(content)}"}),
}


@pytest.mark.parametrize("reply", RANGES.values(), ids=RANGES.keys())
def test_lies_about_ranges_cost_the_whole_file(
    tmp_path: Path, server: Server, reply: Callable[[bytes], Reply]
) -> None:
    content = wheel(TEXT)
    server.routes[PATH] = lying(content, reply)
    file = file_at(server, NAME, hashes={"sha256": sha256(content)})
    assert index(tmp_path, server).metadata(file) == TEXT


def released(server: Server, *, first: Callable[[str], None]) -> None:
    """An index with demo 1.0 and 2.0; ``first`` spoils the newer one."""
    newer = "demo-2.0-py3-none-any.whl"
    for name, version in ((NAME, "1.0"), (newer, "2.0")):
        text = TEXT.replace("numpy", "six").replace("Version: 1.0", f"Version: {version}")
        server.routes[f"/files/{name}"] = Reply(
            wheel(text).replace(b"demo-1.0.dist", f"demo-{version}.dist".encode())
        )
    server.routes["/demo/"] = page(
        *[
            entry(name, f"/files/{name}", hashes={"sha256": sha256(server.routes[f"/files/{name}"].body)})
            for name in (NAME, newer)
        ]
    )
    server.routes["/six/"] = page(entry("six-1.0-py3-none-any.whl", "/files/six-1.0-py3-none-any.whl"))
    text = TEXT.replace("Name: demo", "Name: six").replace("Requires-Dist: numpy\n", "")
    server.routes["/files/six-1.0-py3-none-any.whl"] = Reply(wheel(text, "six"))
    first(f"/files/{newer}")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(Reply(b"no", 403), "is refused (status 403)", id="forbidden"),
        pytest.param(Reply(b"no", 404), "was not found (status 404)", id="gone"),
        pytest.param(Reply(b"PK\x03\x04 and no more"), "is not what the index describes", id="another content"),
    ],
)
def test_a_release_whose_file_fails_is_passed_over_and_told(
    tmp_path: Path, server: Server, fault: Reply, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    released(server, first=lambda path: server.routes.__setitem__(path, fault))
    code = main([*LOCK, "demo", "--index-url", server.url, "--cache-dir", str(tmp_path)])
    output = capsys.readouterr()
    assert code == 0, output.err
    assert "demo==1.0" in output.out
    assert "demo 2.0 was skipped" in output.err
    assert said in output.err


def test_a_failing_server_ends_the_lock_with_its_name(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    released(server, first=lambda path: server.routes.__setitem__(path, Reply(b"no", 500)))
    assert main([*LOCK, "demo", "--index-url", server.url, "--cache-dir", str(tmp_path)]) == 2
    assert "answered with status 500" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://example.org/x", "javascript:alert(1)"])
def test_a_redirect_to_another_scheme_is_not_followed(tmp_path: Path, server: Server, scheme: str) -> None:
    server.routes["/demo/"] = Reply(status=302, headers={"Location": scheme})
    with pytest.raises(NetworkError):
        index(tmp_path, server).files("demo")


def test_redirects_without_end_are_given_up(tmp_path: Path, server: Server) -> None:
    server.routes["/demo/"] = Reply(status=302, headers={"Location": f"{server.url}demo/"})
    with pytest.raises(NetworkError, match="redirects endlessly"):
        index(tmp_path, server).files("demo")


HOSTILE = [
    "demo-1.0-py3-none-any.whl\nevil==1.0",
    "../../demo-1.0-py3-none-any.whl",
    "demo-1.0\x1b[2J-py3-none-any.whl",
    "demo-1.0\x00-py3-none-any.whl",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_a_file_reaches_the_lock(
    tmp_path: Path, server: Server, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    released(server, first=lambda path: None)
    server.routes["/demo/"] = page(entry(name, f"/files/{NAME}"))
    main([*LOCK, "demo", "--index-url", server.url, "--cache-dir", str(tmp_path)])
    output = capsys.readouterr()
    assert "\x1b" not in output.out + output.err
    assert not [line for line in output.out.splitlines() if line.startswith("evil")]


def test_no_reason_of_a_withdrawal_speaks_to_the_terminal(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    released(server, first=lambda path: None)
    server.routes["/demo/"] = page(entry(NAME, f"/files/{NAME}", yanked="bad\x1b[2J\nevil==1.0"))
    assert main([*LOCK, "demo==1.0", "--index-url", server.url, "--cache-dir", str(tmp_path)]) == 0
    output = capsys.readouterr()
    assert "\x1b" not in output.out + output.err
    assert not [line for line in output.out.splitlines() if line.startswith("evil")]


@pytest.mark.parametrize("digest", ["zz", "a" * 63, "a" * 65, "a" * 64 + "\nevil==1"])
def test_a_digest_of_another_length_is_none(tmp_path: Path, server: Server, digest: str) -> None:
    server.routes["/demo/"] = page(entry(NAME, hashes={"sha256": digest}))
    [file] = index(tmp_path, server).files("demo")
    assert file.hashes == {}


def spoil(cache: Path, content: bytes | None) -> None:
    """Put other content into every entry of a cache; None puts a folder into its place."""
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.unlink()
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff" * 99, id="garbage"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(
            b'{"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}\n', id="bare"
        ),
        pytest.param(
            b'{"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "url": 1, '
            b'"content_type": [], "stored_at": "now", "max_age": null}\n',
            id="other types",
        ),
        pytest.param(None, id="a folder"),
    ],
)
def test_a_damaged_cache_is_asked_anew(tmp_path: Path, server: Server, content: bytes | None) -> None:
    server.routes["/demo/"] = page(entry(NAME, f"/files/{NAME}"))
    server.routes[PATH] = Reply(wheel(TEXT))
    for _ in range(2):
        asked = index(tmp_path, server)
        [file] = asked.files("demo")
        assert asked.metadata(file) == TEXT
        spoil(tmp_path, content)
