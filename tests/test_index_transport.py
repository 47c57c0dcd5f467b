"""Retries, credentials and certificates."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.index_server import Reply, Server, entry, file_at, index, metadata_text, page
from torchlock.errors import NetworkError
from torchlock.index.settings import IndexSettings
from torchlock.index.transport import Transport


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """No proxy, no netrc, and a list of the seconds that would have been slept."""
    slept: list[float] = []
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    with Server("localhost") as server:
        yield server


def secret(server: Server) -> str:
    return server.url.replace("://", "://me:se%40cret@")


BASIC = "Basic bWU6c2VAY3JldA=="  # me:se@cret


def test_what_succeeds_is_asked_once(tmp_path, server, waits):
    server.routes["/demo/"] = page()
    index(tmp_path, server).files("demo")
    assert (len(server.requests), waits) == (1, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_what_will_not_pass_is_asked_once(server, waits, status):
    server.routes["/x"] = Reply(status=status)
    assert Transport(IndexSettings(server.url)).get(f"{server.url}x", {}).status == status
    assert (len(server.requests), waits) == (1, [])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(tmp_path, server, waits, status):
    server.routes["/demo/"] = [Reply(status=status), Reply(status=status), page()]
    assert index(tmp_path, server).files("demo") == []
    assert 0.3 < waits[0] < waits[1] < 2


def test_three_times_is_enough(tmp_path, server):
    server.routes["/demo/"] = Reply(status=503)
    with pytest.raises(NetworkError, match="status 503"):
        index(tmp_path, server).files("demo")
    assert len(server.requests) == 3


def test_an_answer_that_breaks_off_is_asked_for_again(tmp_path, server):
    whole = page(entry("demo-1.0.tar.gz"))
    server.routes["/demo/"] = [whole._replace(body=whole.body[:20], missing=len(whole.body) - 20), whole]
    assert len(index(tmp_path, server).files("demo")) == 1


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7),
        ("86400", 30, 30),
        pytest.param(20, 15, 21, id="date"),
        pytest.param(-20, 0.3, 1, id="date-that-has-passed"),
        ("soon", 0.3, 1),
        ("-5", 0.3, 1),
    ],
)
def test_the_server_may_say_when_within_bounds(tmp_path, server, waits, said, least, most):
    after = said if isinstance(said, str) else formatdate(time.time() + said, usegmt=True)
    server.routes["/demo/"] = [Reply(status=429, headers={"Retry-After": after}), page()]
    index(tmp_path, server).files("demo")
    assert least <= waits[0] <= most


def test_a_server_that_is_not_there(tmp_path, waits):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NetworkError, match=r"cannot be reached \(connection refused\)") as caught:
        index(tmp_path, f"http://me:secret@127.0.0.1:{port}/simple/").files("demo")
    assert len(waits) == 2
    assert "secret" not in str(caught.value)


# Credentials.


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_missing_or_refused(tmp_path, server, status):
    server.routes["/demo/"] = Reply(status=status)
    with pytest.raises(NetworkError, match="asks for credentials") as caught:
        index(tmp_path, server).files("demo")
    assert "netrc" in str(caught.value.hint)
    with pytest.raises(NetworkError, match="refuses the credentials") as caught:
        index(tmp_path, secret(server)).files("demo")
    assert "cret" not in f"{caught.value} {caught.value.hint}".replace("credentials", "")


def test_credentials_of_the_address_are_sent_and_not_shown(tmp_path, server):
    server.routes["/demo/"] = page(entry("demo-1.0.tar.gz"))
    told: list[str] = []
    asked = index(tmp_path, secret(server), report=told.append)
    [file] = asked.files("demo")
    assert server.requests[0].headers["Authorization"] == BASIC
    assert "cret" not in f"{file} {told} {asked.listings('demo')}"


def test_credentials_of_netrc_are_sent(tmp_path, server):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password se@cret\n")
    server.routes["/demo/"] = page()
    index(tmp_path, server).files("demo")
    assert server.requests[0].headers["Authorization"] == BASIC


def test_the_default_of_netrc_is_sent_to_nobody(tmp_path, server, other):
    """It is meant for any host, so it would go to an index that a project names; and so on a redirect."""
    (tmp_path / "netrc").write_text("machine example.org login a password b\ndefault login me password se@cret\n")
    server.routes["/demo/"] = Reply(status=302, headers={"Location": f"{other.url}demo/"})
    other.routes["/demo/"] = page()
    index(tmp_path, server).files("demo")
    assert not [each for each in (*server.requests, *other.requests) if "Authorization" in each.headers]
    assert other.requests


def test_netrc_counts_on_a_redirect_for_the_host_that_it_names(tmp_path, server, other):
    hosts = {urlsplit(each.url).hostname for each in (server, other)}
    lines = [f"machine {host} login me password se@cret\n" for host in hosts]
    (tmp_path / "netrc").write_text("".join(lines) + "default login a password b\n")
    server.routes["/demo/"] = Reply(status=302, headers={"Location": f"{other.url}demo/"})
    other.routes["/demo/"] = page()
    index(tmp_path, server).files("demo")
    assert [each.headers["Authorization"] for each in (server.requests[0], other.requests[0])] == [BASIC, BASIC]


def test_files_of_the_same_server_get_the_credentials(tmp_path, server):
    server.routes["/files/demo-1.0-py3-none-any.whl.metadata"] = Reply(metadata_text().encode())
    file = file_at(server, "demo-1.0-py3-none-any.whl", metadata_hashes={})
    index(tmp_path, secret(server)).metadata(file)
    assert server.requests[-1].headers["Authorization"] == BASIC


def test_files_of_another_server_do_not(tmp_path, server, other):
    other.routes["/files/demo-1.0-py3-none-any.whl.metadata"] = Reply(metadata_text().encode())
    file = file_at(other, "demo-1.0-py3-none-any.whl", metadata_hashes={})
    index(tmp_path, secret(server)).metadata(file)
    assert "Authorization" not in other.requests[-1].headers


def test_a_redirect_to_another_server_drops_them(tmp_path, server, other):
    server.routes["/demo/"] = Reply(status=302, headers={"Location": f"{other.url}demo/"})
    other.routes["/demo/"] = page()
    index(tmp_path, secret(server)).files("demo")
    assert "Authorization" in server.requests[0].headers
    assert "Authorization" not in other.requests[0].headers


def test_each_index_gets_its_own(tmp_path, server, other):
    other.routes["/demo/"] = page()
    index(tmp_path, server, secret(other)).files("demo")
    assert "Authorization" not in server.requests[0].headers
    assert other.requests[0].headers["Authorization"] == BASIC


# Certificates.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (openssl := shutil.which("openssl")):
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.crt", certificate)
    server = Server()
    server.wrap(context)
    server.routes["/demo/"] = page()
    with server:
        yield server


def test_a_certificate_of_nobody_is_refused_at_once(tmp_path, secure, waits):
    with pytest.raises(NetworkError, match="no trusted certificate") as caught:
        index(tmp_path, secret(secure)).files("demo")
    assert waits == []
    assert "cret" not in str(caught.value).replace("certificate", "")
    assert secure.requests == []


def test_a_trusted_host_needs_no_certificate(tmp_path, secure):
    for name in ("127.0.0.1", secure.authority):
        index(tmp_path, secure, refresh=True, settings={"trusted_hosts": (name,)}).files("demo")
    with pytest.raises(NetworkError, match="certificate"):
        index(tmp_path, secure, refresh=True, settings={"trusted_hosts": ("127.0.0.1:1",)}).files("demo")


def test_a_redirect_away_from_a_trusted_host_is_checked(tmp_path, secure, server):
    server.routes["/demo/"] = Reply(status=302, headers={"Location": f"{secure.url}demo/"})
    with pytest.raises(NetworkError, match="certificate"):
        index(tmp_path, server, settings={"trusted_hosts": (server.authority,)}).files("demo")


def test_an_authority_of_ones_own(tmp_path, secure, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/bundle.pem")  # what is said to us is stronger
    assert index(tmp_path, secure, settings={"cert": f"{certificate}.crt"}).files("demo") == []


def test_a_file_of_authorities_that_is_missing(tmp_path, secure):
    with pytest.raises(NetworkError, match="certificate file cannot be read"):
        index(tmp_path, secure, settings={"cert": "/nonexistent/bundle.pem"}).files("demo")


def test_a_server_that_speaks_no_tls(tmp_path, server, waits):
    with pytest.raises(NetworkError, match="does not use TLS"):
        index(tmp_path, server.url.replace("http:", "https:")).files("demo")
    assert waits == []


def test_the_proxy_is_asked_instead(tmp_path, server, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    server.routes["http://example.org/simple/demo/"] = page()
    index(tmp_path, "http://example.org/simple/", settings={"proxy": server.url}).files("demo")
    assert server.asked("http://example.org/simple/demo/") == 1
