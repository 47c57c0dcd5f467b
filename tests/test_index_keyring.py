"""The password of an index comes from the keyring command, if the user has configured that."""

from __future__ import annotations

import base64
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.configured import put
from support.index_server import Reply, Request, Server, entry, index, page
from torchlock.cli.main import main
from torchlock.errors import InputError, NetworkError
from torchlock.index import read_settings
from torchlock.redaction import masked

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the command is a script with a shebang")
SECRET = "pa ss/word"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        right = base64.b64encode(f"me:{SECRET}".encode()).decode()

        def answer(request: Request) -> Reply:
            known = request.headers.get("Authorization") == f"Basic {right}"
            return page(entry("demo-1.0.tar.gz")) if known else Reply(b"who are you?", 401)

        server.routes["/demo/"] = answer
        server.routes["/more/"] = answer
        yield server


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keyring command that knows one service, which is in the file ``service``; what it was asked."""
    program = put(
        tmp_path / "bin" / "keyring",
        f"#!{sys.executable}\nimport sys, pathlib\nhere = pathlib.Path(__file__).parent\n"
        "with open(here / 'asked', 'a') as log:\n    print(*sys.argv[1:], file=log)\n"
        f"if sys.argv[2:] == [(here / 'service').read_text(), 'me']:\n"
        f"    print({SECRET!r})\nelse:\n    sys.exit(1)\n",
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return program.with_name("asked")


def user(server: Server) -> str:
    return server.url.replace("://", "://me@")


@pytest.mark.parametrize("service", ["index", "host"])
def test_it_is_asked_once_for_the_index_or_its_host(
    service: str, server: Server, asked: Path, tmp_path: Path
) -> None:
    host = server.url.split("/")[2]
    asked.with_name("service").write_text(server.url if service == "index" else host)
    own = index(tmp_path / "cache", user(server), settings={"keyring_provider": "subprocess"})
    assert [file.filename for file in own.files("demo")] == ["demo-1.0.tar.gz"]
    own.files("more")
    wanted = [f"get {server.url} me"] + ([f"get {host} me"] if service == "host" else [])
    assert asked.read_text().splitlines() == wanted
    assert SECRET not in masked(f"the server said: {SECRET}")
    for path in (tmp_path / "cache").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("provider", [None, "disabled"])
def test_it_is_not_asked_unless_the_user_wants_it(
    provider: str | None, server: Server, asked: Path, tmp_path: Path
) -> None:
    asked.with_name("service").write_text(server.url)
    with pytest.raises(NetworkError, match="refuses the credentials"):
        index(tmp_path / "cache", user(server), settings={"keyring_provider": provider}).files("demo")
    assert not asked.exists()


def test_a_password_in_the_address_comes_first(server: Server, asked: Path, tmp_path: Path) -> None:
    url = server.url.replace("://", "://me:other@")
    with pytest.raises(NetworkError, match="refuses the credentials"):
        index(tmp_path / "cache", url, settings={"keyring_provider": "subprocess"}).files("demo")
    assert not asked.exists()


def test_where_it_is_configured(tmp_path: Path) -> None:
    none = {"HOME": str(tmp_path / "home"), "PIP_CONFIG_FILE": os.devnull}
    assert read_settings(environ=none, folder=tmp_path).keyring_provider is None
    for name in ("PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"):
        assert (
            read_settings(environ={**none, name: "subprocess"}, folder=tmp_path).keyring_provider == "subprocess"
        )
    pip = put(tmp_path / "pip.conf", "[global]\nkeyring-provider = import\n")
    found = read_settings(environ={"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(pip)}, folder=tmp_path)
    assert found.keyring_provider == "import"
    put(tmp_path / "home/.config/uv/uv.toml", 'keyring-provider = "subprocess"\n')
    assert read_settings(environ=none, folder=tmp_path).keyring_provider == "subprocess"


def test_the_command_line_replaces_what_is_configured(
    server: Server, asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.with_name("service").write_text(server.url)
    monkeypatch.setenv("PIP_KEYRING_PROVIDER", "subprocess")
    monkeypatch.chdir(tmp_path)
    words = ["lock", "demo", "-i", user(server), "--cache-dir", "cache", "--no-hashes"]
    main([*words, "--keyring-provider", "disabled"])
    assert not asked.exists()
    monkeypatch.delenv("PIP_KEYRING_PROVIDER")
    main([*words, "--keyring-provider", "subprocess"])
    assert asked.read_text().splitlines() == [f"get {server.url} me"]


def test_a_project_cannot_start_it_by_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "torchlock.toml", 'keyring-provider = "subprocess"\n')
    monkeypatch.chdir(tmp_path)
    main(["lock", "filelock", "--offline"])
    assert "keyring-provider" in capsys.readouterr().err


def test_a_project_cannot_start_it(tmp_path: Path) -> None:
    put(tmp_path / "uv.toml", 'keyring-provider = "subprocess"\n')
    found = read_settings(environ={"HOME": str(tmp_path / "home"), "PIP_CONFIG_FILE": os.devnull}, folder=tmp_path)
    assert found.keyring_provider is None
    assert "keyring-provider is ignored in a project" in found.notes[0]


def test_an_unknown_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PIP_KEYRING_PROVIDER: 'magic' is not a keyring provider"):
        read_settings(environ={"HOME": str(tmp_path), "PIP_KEYRING_PROVIDER": "magic"}, folder=tmp_path)
