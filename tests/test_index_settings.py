"""Where a user may say which indexes to ask, and who wins."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from torchlock.errors import InputError
from torchlock.index import pip_config, uv_config
from torchlock.index.addresses import redact
from torchlock.index.configuration import read_settings
from torchlock.index.settings import IndexSettings, default_index

if os.name == "nt":
    pytest.skip("the places of configuration files are those of POSIX", allow_module_level=True)


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nobody configured anything, in a folder of its own."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(pip_config, "_ETC", tmp_path / "etc")
    monkeypatch.setattr(uv_config, "_ETC", tmp_path / "etc")
    (tmp_path / "project").mkdir()


@pytest.fixture
def read(tmp_path: Path):
    def read(*given: IndexSettings, **environ: str) -> IndexSettings:
        return read_settings(
            *given, environ={"HOME": str(tmp_path / "home"), **environ}, folder=tmp_path / "project"
        )

    return read


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_said_means_the_public_index_alone(read):
    settings = read()
    assert settings == IndexSettings()
    assert settings.index_urls == [default_index()]


def test_the_public_index_is_the_one_pypi_simple_knows():
    assert default_index() == importlib.import_module("pypi_simple").PYPI_SIMPLE_ENDPOINT


def test_reading_the_settings_imports_no_network_library():
    code = (
        "import sys; from torchlock.index import Index, read_settings, releases; read_settings().index_urls;"
        "sys.exit(any(name in sys.modules for name in ('requests', 'urllib3', 'pypi_simple', 'ssl')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"PIP_INDEX_URL": "", "UV_INDEX": " "}, id="empty-variables"),
        pytest.param({"PIP_CONFIG_FILE": os.devnull}, id="pip-told-to-read-nothing"),
        pytest.param({"UV_NO_CONFIG": "1"}, id="uv-told-to-read-nothing"),
        pytest.param({"XDG_CONFIG_DIRS": "/nonexistent"}, id="folders-that-do-not-exist"),
    ],
)
def test_what_says_nothing(read, environ):
    assert read(**environ) == IndexSettings()


def test_files_are_left_alone_that_pip_and_uv_would_not_read(read, tmp_path):
    write(tmp_path / "project/pyproject.toml", "[tool.other]\nindex-url = 'https://example.org/no/'\n")
    write(tmp_path / "project/pip.conf", "[global]\nindex-url = https://example.org/no/\n")
    write(tmp_path / "home/.config/pip/pip.conf", "[list]\nindex-url = https://example.org/no/\n")
    assert read() == IndexSettings()


def test_each_source_beats_the_next(read, tmp_path):
    write(tmp_path / "etc/pip.conf", "[global]\nindex-url = https://example.org/pip-system\n")
    assert read().index_url == "https://example.org/pip-system"
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nindex-url = https://example.org/pip-user\n")
    assert read().index_url == "https://example.org/pip-user"
    write(tmp_path / "home/.config/uv/uv.toml", "index-url = 'https://example.org/uv-user'\n")
    assert read().index_url == "https://example.org/uv-user"
    write(tmp_path / "project/pyproject.toml", "[tool.uv]\nindex-url = 'https://example.org/project'\n")
    assert read().index_url == "https://example.org/project"
    write(tmp_path / "project/uv.toml", "index-url = 'https://example.org/uv-project'\n")
    assert read().index_url == "https://example.org/uv-project"
    environ = {"PIP_INDEX_URL": "https://example.org/pip-variable"}
    assert read(**environ).index_url == "https://example.org/pip-variable"
    environ["UV_DEFAULT_INDEX"] = "corp=https://example.org/uv-variable"
    assert read(**environ).index_url == "https://example.org/uv-variable"
    written = IndexSettings(index_url="https://example.org/file")
    assert read(written, **environ).index_url == "https://example.org/file"
    typed = IndexSettings(index_url="https://example.org/typed")
    assert read(typed, written, **environ).index_url == "https://example.org/typed"
    assert read_settings(typed, index_url="https://example.org/named").index_url == "https://example.org/named"


def test_extra_indexes_add_up_strongest_first_without_repeats(read, tmp_path):
    write(
        tmp_path / "etc/pip.conf",
        "[global]\nextra-index-url =\n    https://example.org/a/\n    https://example.org/pip\n",
    )
    settings = read(
        IndexSettings(extra_index_urls=("https://example.org/a",)),
        UV_INDEX="named=https://example.org/b https://example.org/c",
        PIP_EXTRA_INDEX_URL="https://example.org/d\nhttps://example.org/b",
    )
    names = [url.rstrip("/").rpartition("/")[2] for url in settings.index_urls[:-1]]
    assert names == ["a", "b", "c", "d", "pip"]


def test_the_extra_indexes_come_before_the_index(read):
    settings = read(PIP_EXTRA_INDEX_URL="https://example.org/x", PIP_INDEX_URL="https://example.org/i")
    assert settings.index_urls == ["https://example.org/x", "https://example.org/i"]


@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_no_index_leaves_no_index(read, word):
    assert read(PIP_NO_INDEX=word, PIP_INDEX_URL="https://example.org/i").index_urls == []


def test_a_switch_may_be_turned_off_again(read, tmp_path):
    write(tmp_path / "etc/pip.conf", "[global]\nno-index = yes\n")
    assert read().no_index is True
    assert read(PIP_NO_INDEX="0").no_index is False


@pytest.mark.parametrize(
    "place", ["home/.pip/pip.conf", "home/.config/pip/pip.conf", "etc/pip.conf", "etc/xdg/pip/pip.conf"]
)
def test_every_place_of_pip_is_read(read, tmp_path, place):
    write(tmp_path / place, "[global]\nindex_url = https://example.org/here\n")
    assert read().index_url == "https://example.org/here"


def test_the_environments_own_pip_conf_and_the_named_one(read, tmp_path):
    write(tmp_path / "home/.pip/pip.conf", "[global]\nindex-url = https://example.org/user\n")
    write(tmp_path / "venv/pip.conf", "[global]\nindex-url = https://example.org/venv\n")
    named = write(tmp_path / "named.conf", "[global]\ncert = ca.pem\n")
    assert read(VIRTUAL_ENV=str(tmp_path / "venv")).index_url == "https://example.org/venv"
    assert read(PIP_CONFIG_FILE=str(named)).index_url is None  # a named file replaces the user's
    assert read(PIP_CONFIG_FILE=str(named)).cert == str(Path.cwd() / "ca.pem")


def test_install_beats_global_in_one_pip_conf(read, tmp_path):
    text = "[install]\nindex-url = https://example.org/install\n[global]\nindex-url = https://example.org/global\n"
    write(tmp_path / "etc/pip.conf", text)
    assert read().index_url == "https://example.org/install"


def test_the_indexes_of_uv(read, tmp_path):
    write(
        tmp_path / "project/pyproject.toml",
        """
        [[tool.uv.index]]
        name = "pinned"
        url = "https://example.org/pinned"
        explicit = true
        [[tool.uv.index]]
        name = "team-index"
        url = "https://example.org/team"
        [[tool.uv.index]]
        url = "wheels"
        format = "flat"
        [[tool.uv.index]]
        url = "https://example.org/main"
        default = true
        """,
    )
    environ = {"UV_INDEX_TEAM_INDEX_USERNAME": "me", "UV_INDEX_TEAM_INDEX_PASSWORD": "p@ss"}
    settings = read(**environ)
    assert settings.index_urls == ["https://me:p%40ss@example.org/team", "https://example.org/main"]
    assert settings.find_links == (str(tmp_path / "project/wheels"),)
    assert len(settings.notes) == 1
    assert "pinned is explicit" in settings.notes[0]


def test_uv_is_configured_from_a_folder_further_up(read, tmp_path):
    write(tmp_path / "uv.toml", "[pip]\nextra-index-url = ['https://example.org/up']\n")
    assert list(read().extra_index_urls) == ["https://example.org/up"]


def test_trust_proxy_and_certificates(read):
    settings = read(
        PIP_TRUSTED_HOST="a.example.org b.example.org:8080",
        PIP_CERT="/ca.pem",
        PIP_PROXY="http://example.org:3128",
    )
    assert list(settings.trusted_hosts) == ["a.example.org", "b.example.org:8080"]
    assert (settings.cert, settings.proxy) == ("/ca.pem", "http://example.org:3128")


def test_a_project_turns_no_check_of_certificates_off(read, tmp_path):
    text = "allow-insecure-host = ['a.example.org']\n"
    for place, header in (("project/uv.toml", ""), ("project/pyproject.toml", "[tool.uv]\n"), ("uv.toml", "")):
        path = write(tmp_path / place, header + text)
        assert list(read().trusted_hosts) == []
        assert read().notes == (
            f"{path}: allow-insecure-host is ignored in a project; use UV_INSECURE_HOST instead",
        )
        path.unlink()
    named = write(tmp_path / "home" / ".config" / "uv" / "uv.toml", text)
    assert list(read().trusted_hosts) == ["a.example.org"]
    assert list(read(UV_CONFIG_FILE=str(named)).trusted_hosts) == ["a.example.org"]


@pytest.mark.parametrize(
    ("place", "text", "line"),
    [
        pytest.param("etc/pip.conf", "index-url = https://example.org\n", 1, id="pip-without-section"),
        pytest.param("etc/pip.conf", "[global]\nindex-url = a\nindex-url = b\n", 3, id="pip-twice"),
        pytest.param("etc/pip.conf", "[global]\nno-index = perhaps\n", None, id="pip-switch"),
        pytest.param("etc/pip.conf", "[global]\nindex-url = ftp://example.org/\n", None, id="pip-scheme"),
        pytest.param("project/uv.toml", "index-url = \n", 1, id="uv-not-toml"),
        pytest.param("project/uv.toml", "\n\nindex-url = [,]\n", 3, id="uv-not-toml-further-down"),
        pytest.param("project/uv.toml", "index-url = 3\n", None, id="uv-number"),
        pytest.param("project/uv.toml", "[index]\nurl = 'https://example.org'\n", None, id="uv-table"),
        pytest.param("project/uv.toml", "[[index]]\nname = 'x'\n", None, id="uv-index-without-url"),
        pytest.param("project/uv.toml", "extra-index-url = 'x'\n", None, id="uv-text-for-list"),
        pytest.param("project/pyproject.toml", "[tool.uv\n", 1, id="pyproject-not-toml"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(read, tmp_path, place, text, line):
    write(tmp_path / place, text)
    with pytest.raises(InputError) as caught:
        read()
    assert caught.value.path == str(tmp_path / place)
    assert caught.value.line == line


@pytest.mark.parametrize("url", ["ftp://example.org/", "https://me:s3/cret@example.org/", "https:///simple"])
def test_an_address_that_cannot_be_used_is_refused_without_showing_secrets(read, url):
    with pytest.raises(InputError) as caught:
        read(PIP_INDEX_URL=url)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/simple/", "https://example.org/simple/"),
        ("https://me:secret@example.org/simple/", "https://example.org/simple/"),
        ("https://me:se@cret@example.org:8443/x", "https://example.org:8443/x"),
        ("https://token@example.org/x?sig=secret#sha256=00", "https://example.org/x"),
        ("https://me:se/cret@example.org/x", "https://example.org/x"),
        ("https://me:se/cret", "https://…"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("/srv/simple", "/srv/simple"),
        ("me:secret@example.org/simple", "example.org/simple"),
    ],
)
def test_addresses_as_they_are_shown(url, shown):
    assert redact(url) == shown


def test_a_repr_shows_no_secrets():
    settings = IndexSettings(
        "https://me:secret@example.org/i",
        ("https://me:secret@example.org/x",),
        ("https://me:secret@example.org/l",),
        proxy="http://me:secret@example.org:3128",
    )
    assert "secret" not in repr(settings)
    assert "example.org/x" in repr(settings)
